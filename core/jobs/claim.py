"""Taking a job: the one seam between the ledger and whatever runs jobs.

Every step is one atomic update by the server's own clock, so that any number of workers on any number of
machines may take these steps at the same time.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo import ASCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from core.database import Database
from core.jobs.documents import job_collection
from core.jobs.registry import JobKind
from core.mongo import RawDocument

_DUE: dict[str, Any] = {"$expr": {"$lte": ["$claimable_at", "$$NOW"]}}
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_SLOT_RACES = 5


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that is ours until its lease ends, and the fencing token that proves it."""

    job_id: str
    organization_id: str
    kind: str
    payload: dict[str, Any]
    attempt: int
    fence: int


@dataclass(frozen=True, slots=True)
class Outlook:
    """Which organizations have jobs to take now, the longest waiting first; and when to look again."""

    ready: list[str]
    overdue_s: float
    """How long the longest waiting job could have run already."""
    next_s: float | None
    """Seconds until something more falls due; None if nothing is planned."""


async def look_ahead(database: Database) -> Outlook:
    """Look at the earliest unfinished job of each organization: one index key, however long the queue."""
    pipeline: list[dict[str, Any]] = [
        # Both bounds are always true. Without them the server reads every key, not one per organization.
        {"$match": {"organization_id": {"$gt": ""}, "claimable_at": {"$gt": _BEGINNING}}},
        {"$sort": {"organization_id": ASCENDING, "claimable_at": ASCENDING}},
        {"$group": {"_id": "$organization_id", "first": {"$first": "$claimable_at"}}},
        {"$project": {"wait_ms": {"$subtract": ["$first", "$$NOW"]}}},
        {"$sort": {"wait_ms": ASCENDING}},
    ]
    async with await job_collection(database).aggregate(pipeline) as cursor:
        rows = await cursor.to_list()
    ready = [row["_id"] for row in rows if row["wait_ms"] <= 0]
    overdue_s = -rows[0]["wait_ms"] / 1000 if ready else 0.0
    next_s = rows[len(ready)]["wait_ms"] / 1000 if len(rows) > len(ready) else None
    return Outlook(ready, overdue_s, next_s)


async def reclaim_abandoned(
    database: Database, organizations: Collection[str], kinds: Mapping[str, JobKind]
) -> None:
    """Put jobs whose lease has ended back into the queue; bury those that have used up their attempts.

    A job that kills its worker each time ends here as a dead letter.
    """
    if not kinds or not organizations:
        return
    spent = {"$gte": ["$attempts", _by_kind({kind.name: kind.max_attempts for kind in kinds.values()})]}
    await job_collection(database).update_many(
        {
            "organization_id": {"$in": list(organizations)},
            "state": "running",
            "kind": {"$in": list(kinds)},
            **_DUE,
        },
        [
            {
                "$set": {
                    "state": {"$cond": [spent, "dead", "queued"]},
                    "claimable_at": {"$cond": [spent, "$$REMOVE", "$claimable_at"]},
                    "finished_at": {"$cond": [spent, "$$NOW", "$$REMOVE"]},
                    "error": "The worker stopped in the middle of this job.",
                    "updated_at": "$$NOW",
                }
            },
            {"$unset": ["slot", "worker"]},
        ],
        hint="jobs_running",
    )


async def claim_job(
    database: Database, organization_id: str, kinds: Mapping[str, JobKind], worker: str
) -> Claim | None:
    """Take the longest waiting job of this organization that may run now, or None.

    Kinds that this worker does not know stay queued for one that does.
    """
    for _ in range(_SLOT_RACES):
        slots = await _free_slots(database, organization_id, kinds)
        allowed = [
            kind for kind in kinds.values() if kind.concurrency_per_tenant is None or kind.name in slots
        ]
        if not allowed:
            return None
        try:
            raw = await _take(database, organization_id, allowed, slots, worker)
        except DuplicateKeyError:
            continue  # another worker took the same slot in between
        return None if raw is None else _claim(raw)
    return None


async def _take(
    database: Database, organization_id: str, allowed: list[JobKind], slots: Mapping[str, int], worker: str
) -> RawDocument | None:
    lease_ms = _by_kind({kind.name: round(kind.lease_s * 1000) for kind in allowed})
    return await job_collection(database).find_one_and_update(
        {
            "organization_id": organization_id,
            "state": "queued",
            "kind": {"$in": [kind.name for kind in allowed]},
            "claimable_at": {"$exists": True},
            **_DUE,
        },
        [
            {
                "$set": {
                    "state": "running",
                    "attempts": {"$add": ["$attempts", 1]},
                    "fence": {"$add": ["$fence", 1]},
                    "claimable_at": {
                        "$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": lease_ms}
                    },
                    "slot": _by_kind(dict(slots), otherwise="$$REMOVE"),
                    "worker": worker,
                    "started_at": "$$NOW",
                    "updated_at": "$$NOW",
                }
            },
            {"$unset": ["progress", "finished_at"]},
        ],
        sort=[("claimable_at", ASCENDING)],
        return_document=ReturnDocument.AFTER,
    )


async def _free_slots(
    database: Database, organization_id: str, kinds: Mapping[str, JobKind]
) -> dict[str, int]:
    """For each kind of limited concurrency, a place that nobody takes; nothing for a kind that is full.

    A unique index over the places keeps the limit, whatever workers do at the same moment.
    """
    limits = {
        kind.name: kind.concurrency_per_tenant for kind in kinds.values() if kind.concurrency_per_tenant
    }
    if not limits:
        return {}
    taken: dict[str, set[int]] = {name: set() for name in limits}
    query = {"organization_id": organization_id, "kind": {"$in": list(limits)}, "slot": {"$exists": True}}
    async for row in job_collection(database).find(query, {"_id": 0, "kind": 1, "slot": 1}):
        taken[row["kind"]].add(row["slot"])
    free = {name: next(iter(set(range(limit)) - taken[name]), None) for name, limit in limits.items()}
    return {name: slot for name, slot in free.items() if slot is not None}


def _by_kind(values: Mapping[str, Any], *, otherwise: Any = None) -> Any:  # noqa: ANN401 - a MongoDB expression
    """The expression that picks the value for a document's kind."""
    if not values:
        return otherwise
    branches = [{"case": {"$eq": ["$kind", kind]}, "then": value} for kind, value in values.items()]
    return {"$switch": {"branches": branches, "default": otherwise}}


def _claim(raw: RawDocument) -> Claim:
    return Claim(
        job_id=raw["_id"],
        organization_id=raw["organization_id"],
        kind=raw["kind"],
        payload=raw["payload"],
        attempt=raw["attempts"],
        fence=raw["fence"],
    )
