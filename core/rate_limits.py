"""Rate limits that hold across processes: one atomic update in MongoDB for each hit, by the server's clock.

The algorithm is GCRA, the leaky bucket as used in ATM networks (ITU-T I.371): no windows at whose borders
twice the limit would pass, and one instant to store for each key.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError
from pymongo.write_concern import WriteConcern

from core.errors import TooManyRequests
from core.indexes import ASCENDING, IndexModel, declare
from core.mongo import RawCollection, RawDocument, raw_collection

if TYPE_CHECKING:
    from core.database import Database

COLLECTION = "rate_limits"

declare(COLLECTION, [IndexModel([("free_at", ASCENDING)], name="expired", expireAfterSeconds=0)])


@dataclass(frozen=True, slots=True)
class Rule:
    """At most `limit` hits at once, and then one more every `per_s / limit` seconds."""

    name: str
    limit: int
    per_s: float


class RateLimits:
    """Counts hits by key. Keys, such as client addresses, are stored only as HMACs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._secret = database.keys.derive("rate-limits")

    async def hit(self, key: str, rule: Rule) -> None:
        """Count one hit of `key`.

        Raises:
            TooManyRequests: there have been too many; this one is not counted.
        """
        try:
            row = await self._take(key, rule)
        except DuplicateKeyError:  # two first hits at the same moment
            row = await self._take(key, rule)
        if not row["allowed"]:
            raise TooManyRequests(
                "Too many attempts. Wait a little.", retry_after_s=max(row["wait_ms"], 1) / 1000
            )

    async def forgive(self, key: str, rule: Rule) -> None:
        """Forget the hits of `key`, for instance after a successful sign-in."""
        await self._counters.delete_one({"_id": self._blind(key, rule)})

    async def _take(self, key: str, rule: Rule) -> RawDocument:
        interval_ms = rule.per_s * 1000 / rule.limit
        # `free_at` is when the bucket will be empty again. A hit fills it by one interval, if it then holds
        # no more than the limit.
        filled = {"$add": [{"$max": ["$$NOW", {"$ifNull": ["$free_at", "$$NOW"]}]}, interval_ms]}
        wait_ms = {"$subtract": [{"$subtract": ["$filled", "$$NOW"]}, rule.limit * interval_ms]}
        pipeline = [
            {"$set": {"filled": filled}},
            {"$set": {"wait_ms": wait_ms}},
            {"$set": {"allowed": {"$lte": ["$wait_ms", 0]}}},
            {"$set": {"free_at": {"$cond": ["$allowed", "$filled", "$free_at"]}}},
            {"$unset": "filled"},
        ]
        row = await self._counters.find_one_and_update(
            {"_id": self._blind(key, rule)}, pipeline, upsert=True, return_document=ReturnDocument.AFTER
        )
        return cast("RawDocument", row)  # an upsert always returns one

    @property
    def _counters(self) -> RawCollection:
        # A limit that forgets some hits when a server fails is still a limit: no need to wait for the
        # majority.
        return raw_collection(self._database, COLLECTION).with_options(write_concern=WriteConcern(1))

    def _blind(self, key: str, rule: Rule) -> str:
        return hmac.new(self._secret, f"{rule.name}\x00{key}".encode(), "sha256").hexdigest()
