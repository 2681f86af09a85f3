"""What must be found before the organization is known: for instance the accounts of an e-mail address.

Keys are stored only as HMACs under a key derived from the root key, so that the directory gives no identifier
away.
"""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from core.indexes import ASCENDING, IndexModel, declare
from core.mongo import RawCollection, raw_collection

if TYPE_CHECKING:
    from core.access import Transaction
    from core.database import Database

COLLECTION = "directory"

declare(
    COLLECTION,
    [
        IndexModel([("key", ASCENDING)], name="by_key"),
        IndexModel([("organization_id", ASCENDING), ("subject_id", ASCENDING)], name="by_subject"),
        IndexModel([("expires_at", ASCENDING)], name="expired", expireAfterSeconds=0),
    ],
)


class Entry(msgspec.Struct, frozen=True):
    """Whom a key leads to."""

    organization_id: str
    subject_id: str
    expires_at: datetime | None = None


class Directory:
    """Leads from a key, such as an e-mail address or the hash of a token, to organizations and subjects."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._secret = database.keys.derive("directory")

    async def put(  # noqa: PLR0917 - what leads to whom, in that order
        self,
        tx: Transaction,
        kind: str,
        key: str,
        organization_id: str,
        subject_id: str,
        expires_at: datetime | None = None,
    ) -> None:
        """Let `key` lead to the subject, until `expires_at` if given; repeating it changes the expiry."""
        if organization_id != tx.organization_id:
            raise ValueError("an entry leads to the organization of its transaction")
        blind = self._blind(kind, key)
        await self._entries.update_one(
            {"_id": f"{blind}:{organization_id}:{subject_id}"},
            {
                "$set": {
                    "key": blind,
                    "kind": kind,
                    "organization_id": organization_id,
                    "subject_id": subject_id,
                    "expires_at": expires_at,
                }
            },
            upsert=True,
            session=tx.session,
        )

    async def find(self, kind: str, key: str) -> list[Entry]:
        """Everything `key` leads to, in a stable order."""
        now = self._database.clock()
        rows = self._entries.find({"key": self._blind(kind, key)}).sort("_id", ASCENDING)
        entries = [msgspec.convert(row, Entry) async for row in rows]
        return [entry for entry in entries if entry.expires_at is None or entry.expires_at > now]

    async def remove(self, tx: Transaction, kind: str, key: str, subject_id: str | None = None) -> None:
        """Let `key` lead to the subject no more, or to none of the transaction's organization."""
        query = {"key": self._blind(kind, key), "organization_id": tx.organization_id}
        if subject_id is not None:
            query["subject_id"] = subject_id
        await self._entries.delete_many(query, session=tx.session)

    async def organizations(self) -> list[str]:
        """The ids of all organizations whose data has not been destroyed."""
        return [
            state.organization_id
            for state in await self._database.keys.states()
            if state.destroyed_at is None
        ]

    @property
    def _entries(self) -> RawCollection:
        return raw_collection(self._database, COLLECTION)

    def _blind(self, kind: str, key: str) -> str:
        return hmac.new(self._secret, f"{kind}\x00{key}".encode(), "sha256").hexdigest()
