"""Requests that may be sent again: the answer of a request is kept under the key its sender chose.

A request of a signed-in person claims its key in the very transaction that does the work and keeps the answer
there, so that after a crash at any moment either all of it happened or none. Where a request belongs to no
organization yet (signing in), or cannot run in one transaction, the claim is a lease of its own: after a
crash it runs out, and the request is done again.

Answers are sealed, and forgotten after a day. What was asked is kept only as an HMAC, to tell a repetition
from another request under the same key.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError

from core.errors import Conflict, Invalid
from core.indexes import ASCENDING, IndexModel, declare
from core.mongo import RawCollection, RawDocument, raw_collection

if TYPE_CHECKING:
    from core.access import Actor, Transaction
    from core.database import Database

COLLECTION = "idempotency"
KEPT_FOR = timedelta(hours=24)
LEASE = timedelta(seconds=60)

_NONCE_BYTES = 12
_WRITE_CONFLICT = 112

declare(COLLECTION, [IndexModel([("expires_at", ASCENDING)], name="expired", expireAfterSeconds=0)])


class Answer(msgspec.Struct, frozen=True):
    """What was answered: enough to send it again."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """One request under one key."""

    id: str
    """Names the sender and the key, without showing either."""
    fingerprint: bytes
    """Tells this request from another one under the same key."""
    organization_id: str | None


class RequestInProgress(Conflict):
    """The same request is being worked on at this moment."""

    code = "request-in-progress"

    def __init__(self) -> None:
        super().__init__("A request with this Idempotency-Key is being worked on. Ask again in a moment.")


class KeyReused(Invalid):
    """The key was used for another request."""

    def __init__(self) -> None:
        detail = "This Idempotency-Key was used for another request. Choose a new one for a new request."
        super().__init__(detail, code="idempotency-key-reused")


class IdempotencyLedger:
    """The answers of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._secret = database.keys.derive("idempotency")
        self._cipher = AESGCM(database.keys.derive("idempotency-answers"))
        self._in_progress: set[str] = set()

    def asked(self, actor: Actor | None, route: str, key: str, content: bytes) -> Asked:
        """The request of `actor` (None before sign-in) to `route` under `key`; `content` is what it asks."""
        sender = ("", "public", "") if actor is None else (actor.organization_id, actor.kind, actor.id)
        return Asked(
            id=self._blind("\x00".join((*sender, route, key)).encode()).hex(),
            fingerprint=self._blind(content),
            organization_id=None if actor is None else actor.organization_id,
        )

    async def find(self, asked: Asked) -> Answer | None:
        """The answer that was given before, or None.

        Raises:
            KeyReused: the key belongs to another request.
            RequestInProgress: it is being worked on, in this process or, under a lease, in another.
        """
        if asked.id in self._in_progress:
            raise RequestInProgress
        row = await self._rows.find_one({"_id": asked.id})
        return None if row is None else await self._answer_of(row, asked)

    @contextmanager
    def working(self, asked: Asked) -> Generator[None]:
        """This process works on the request: the same one is refused meanwhile."""
        if asked.id in self._in_progress:
            raise RequestInProgress
        self._in_progress.add(asked.id)
        try:
            yield
        finally:
            self._in_progress.discard(asked.id)

    # --- within the transaction that does the work

    async def claim_in(self, tx: Transaction, asked: Asked) -> Answer | None:
        """Claim the key within `tx`, or return the answer that another process has committed meanwhile."""
        row = await self._rows.find_one({"_id": asked.id}, session=tx.session)
        if row is not None:
            return await self._answer_of(row, asked)
        try:
            await self._rows.insert_one(self._row(asked), session=tx.session)
        except DuplicateKeyError as error:
            # Committed since this transaction began: run it again, and it will be found.
            raise PyMongoError("the key has been claimed", ["TransientTransactionError"]) from error
        except OperationFailure as error:
            if error.code != _WRITE_CONFLICT:
                raise
            raise RequestInProgress from error
        return None

    async def keep_in(self, tx: Transaction, asked: Asked, answer: Answer) -> None:
        """Keep the answer as part of `tx`."""
        sealed = await self._sealed(asked, answer)
        await self._rows.update_one({"_id": asked.id}, {"$set": {"answer": sealed}}, session=tx.session)

    # --- under a lease

    async def lease(self, asked: Asked) -> Answer | None:
        """Claim the key for `LEASE`, or return the answer that was given. Errors as `find`."""
        until = self._database.clock() + LEASE
        try:
            await self._rows.insert_one({**self._row(asked), "lease_until": until})
        except DuplicateKeyError:
            lapsed = {
                "_id": asked.id,
                "answer": {"$exists": False},
                "lease_until": {"$lt": self._database.clock()},
            }
            row = await self._rows.find_one_and_update(
                lapsed, {"$set": {"lease_until": until}}, return_document=ReturnDocument.AFTER
            )
            if row is None:
                row = await self._rows.find_one({"_id": asked.id})
                return await self.lease(asked) if row is None else await self._answer_of(row, asked)
            self._check(row, asked)
        return None

    async def keep(self, asked: Asked, answer: Answer) -> None:
        """Keep the answer of a leased request."""
        sealed = await self._sealed(asked, answer)
        await self._rows.update_one(
            {"_id": asked.id}, {"$set": {"answer": sealed}, "$unset": {"lease_until": 1}}
        )

    async def release(self, asked: Asked) -> None:
        """Give a leased key back: the request was refused, and may be sent again."""
        await self._rows.delete_one({"_id": asked.id, "answer": {"$exists": False}})

    # --- below the surface

    @property
    def _rows(self) -> RawCollection:
        return raw_collection(self._database, COLLECTION)

    def _row(self, asked: Asked) -> dict[str, Any]:
        return {
            "_id": asked.id,
            "organization_id": asked.organization_id,
            "fingerprint": asked.fingerprint,
            "expires_at": self._database.clock() + KEPT_FOR,
        }

    def _blind(self, content: bytes) -> bytes:
        return hmac.digest(self._secret, content, "sha256")

    def _check(self, row: RawDocument, asked: Asked) -> None:
        if not hmac.compare_digest(row["fingerprint"], asked.fingerprint):
            raise KeyReused

    async def _answer_of(self, row: RawDocument, asked: Asked) -> Answer | None:
        self._check(row, asked)
        if "answer" in row:
            return msgspec.msgpack.decode(await self._opened(asked, row["answer"]), type=Answer)
        if row.get("lease_until", self._database.clock()) < self._database.clock():
            return None
        raise RequestInProgress

    async def _sealed(self, asked: Asked, answer: Answer) -> bytes:
        content = msgspec.msgpack.encode(answer)
        if asked.organization_id is not None:
            return await self._database.keys.seal(asked.organization_id, content, f"idempotency/{asked.id}")
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, asked.id.encode())

    async def _opened(self, asked: Asked, sealed: bytes) -> bytes:
        if asked.organization_id is not None:
            return await self._database.keys.unseal(asked.organization_id, sealed, f"idempotency/{asked.id}")
        return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], asked.id.encode())
