"""The audit log: who did what to which document, kept so that tampering shows.

Entries hold ids, names of fields and times, never content. They form one hash chain for each organization
(`core.audit_chain`). Writes append their entries in their own transaction. Reads of health data by people are
recorded before they are returned; reads that happen at the same moment share one insert.

An organization's entries are written one after another: within a process by taking turns, between processes
because two entries of the same number cannot be stored; whoever is slower looks up the end and repeats.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bson.raw_bson import RawBSONDocument
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError

from core.audit_chain import (
    BrokenChain,
    Link,
    check_head,
    entry_id,
    genesis,
    sealed_entry,
    sealed_head,
)
from core.indexes import ASCENDING, DESCENDING, IndexModel, declare
from core.keys import AUDIT_HEADS
from core.mongo import RawCollection, raw_collection

if TYPE_CHECKING:
    from pymongo.asynchronous.client_session import AsyncClientSession

    from core.access import Actor, Change, Transaction
    from core.database import Database

ENTRIES = "audit"
DUPLICATE_KEY = 11000

# How long the end of the chain may be ahead of its signed head after a read. A write signs it at once.
ANCHOR_DELAY_S = 1.0

declare(
    ENTRIES,
    [
        IndexModel([("organization_id", ASCENDING), ("at", DESCENDING)], name="by_time"),
        IndexModel(
            [("organization_id", ASCENDING), ("patient_id", ASCENDING), ("seq", DESCENDING)],
            name="by_patient",
        ),
        IndexModel(
            [("organization_id", ASCENDING), ("actor.id", ASCENDING), ("seq", DESCENDING)], name="by_actor"
        ),
    ],
)

_inside: ContextVar[str | None] = ContextVar("audit_turn", default=None)
"""The organization whose turn this task holds: to wait for it again would be to wait for oneself."""


@dataclass(slots=True)
class _Read:
    actor: Actor
    change: Change
    done: asyncio.Future[None]


@dataclass(slots=True)
class _Chain:
    """One organization's chain, as this process knows it."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    end: Link | None = None
    """The last entry; None when it has to be looked up."""
    reads: list[_Read] = field(default_factory=list["_Read"])
    recorder: asyncio.Task[None] | None = None
    anchor: asyncio.TimerHandle | None = None
    anchoring: asyncio.Task[None] | None = None


class AuditLog:
    """The audit logs of all organizations of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._chains: dict[str, _Chain] = {}

    @asynccontextmanager
    async def turn(self, organization_id: str) -> AsyncGenerator[None]:
        """Hold the end of the organization's chain; a transaction lasts as long as this context.

        Raises:
            RuntimeError: called inside a transaction, where only the transaction itself may be used.
        """
        _refuse_inside()
        chain = self._chain(organization_id)
        async with chain.turn:
            token = _inside.set(organization_id)
            try:
                yield
            finally:
                _inside.reset(token)

    async def prepare(self, organization_id: str) -> None:
        """Know the end of the chain before a transaction begins, which could only see an older one."""
        await self._database.keys.ensure_recorded(organization_id)
        chain = self._chain(organization_id)
        if chain.end is None:
            chain.end = await self._find_end(organization_id)

    async def append(self, tx: Transaction) -> Link | None:
        """Write the changes of `tx` as entries, within it; the new end once `tx` has committed."""
        if not tx.changes:
            return None
        organization_id = tx.organization_id
        end = self._chain(organization_id).end
        if end is None:
            raise RuntimeError("the end of the chain is not known")
        entries, end = await self._sealed(organization_id, end, [(tx.actor, change) for change in tx.changes])
        try:
            await self._store(entries, tx.session)
        except (BulkWriteError, DuplicateKeyError) as error:
            if not _is_taken(error):
                raise
            # Another process was faster: the whole transaction runs again, from the new end.
            raise PyMongoError("the chain has moved on", ["TransientTransactionError"]) from error
        await self._heads.update_one(
            {"_id": organization_id},
            {"$set": sealed_head(self._key(organization_id), organization_id, end)},
            session=tx.session,
        )
        return end

    def committed(self, organization_id: str, end: Link) -> None:
        """The transaction that `append` wrote to has committed."""
        chain = self._chain(organization_id)
        chain.end = end
        _cancel_timer(chain)

    def forget_end(self, organization_id: str) -> None:
        """Look the end up again before the next entry."""
        self._chain(organization_id).end = None

    async def record_read(self, actor: Actor, change: Change) -> None:
        """Record a read of health data; returns once the entry is durable."""
        _refuse_inside()
        chain = self._chain(actor.organization_id)
        read = _Read(actor, change, asyncio.get_running_loop().create_future())
        chain.reads.append(read)
        if chain.recorder is None:
            chain.recorder = asyncio.create_task(self._record_waiting(actor.organization_id, chain))
        await read.done

    async def close(self) -> None:
        """Finish what is waiting and sign the ends of all chains."""
        for organization_id, chain in self._chains.items():
            if chain.recorder is not None:
                await chain.recorder
            if _cancel_timer(chain):
                await self._anchor(organization_id, chain)
            elif chain.anchoring is not None:
                await chain.anchoring

    async def _record_waiting(self, organization_id: str, chain: _Chain) -> None:
        """Record the reads that wait, and those that come meanwhile."""
        try:
            while chain.reads:
                async with chain.turn:
                    reads, chain.reads = chain.reads, []
                    try:
                        await self._record(organization_id, chain, reads)
                    except Exception as error:  # noqa: BLE001 - handed to each of those that wait
                        chain.end = None
                        for read in reads:
                            if not read.done.done():
                                read.done.set_exception(error)
                self._anchor_soon(organization_id, chain)
        finally:
            chain.recorder = None

    async def _record(self, organization_id: str, chain: _Chain, reads: Sequence[_Read]) -> None:
        waiting = list(reads)
        while waiting:
            await self.prepare(organization_id)
            before = chain.end
            if before is None:
                raise RuntimeError("the end of the chain is not known")
            entries, end = await self._sealed(organization_id, before, [(r.actor, r.change) for r in waiting])
            try:
                await self._store(entries)
            except (BulkWriteError, DuplicateKeyError) as error:
                if not _is_taken(error):
                    raise
                # Another process was faster, perhaps between two of ours: those before it are stored.
                chain.end = None
                stored = int((error.details or {}).get("nInserted", 0))
                _finish(waiting[:stored])
                waiting = waiting[stored:]
            else:
                chain.end = end
                _finish(waiting)
                return

    async def _store(
        self, entries: Sequence[RawBSONDocument], session: AsyncClientSession | None = None
    ) -> None:
        """Store the entries in their order. A batch costs the driver twice as much as one entry by itself."""
        if len(entries) == 1:
            await self._entries.insert_one(entries[0], session=session)
        else:
            await self._entries.insert_many(entries, ordered=True, session=session)

    def _anchor_soon(self, organization_id: str, chain: _Chain) -> None:
        if chain.anchor is None and chain.end is not None:

            def begin() -> None:
                chain.anchor = None
                chain.anchoring = asyncio.create_task(self._anchor(organization_id, chain))

            chain.anchor = asyncio.get_running_loop().call_later(ANCHOR_DELAY_S, begin)

    async def _anchor(self, organization_id: str, chain: _Chain) -> None:
        """Sign the end of the chain, unless somebody signed a later one."""
        async with chain.turn:
            end = chain.end
            if end is None:
                return
            # A failure leaves the older head: the next entry signs again.
            with contextlib.suppress(PyMongoError):
                await self._heads.update_one(
                    {"_id": organization_id, "seq": {"$lt": end.seq}},
                    {"$set": sealed_head(self._key(organization_id), organization_id, end)},
                )

    async def _sealed(
        self, organization_id: str, end: Link, changes: Sequence[tuple[Actor, Change]]
    ) -> tuple[list[RawBSONDocument], Link]:
        key = self._key(organization_id)
        now = self._database.clock()
        entries: list[RawBSONDocument] = []
        for actor, change in changes:
            reason = None
            if actor.emergency_reason is not None:
                # What people type may name a patient; everything else in an entry is an id or ours.
                context = emergency_context(entry_id(organization_id, end.seq + 1))
                reason = await self._database.keys.seal(
                    organization_id, actor.emergency_reason.encode(), context
                )
            entry, end = sealed_entry(
                key, organization_id, end, {"at": now, **_content(actor, change, reason)}
            )
            entries.append(entry)
        return entries, end

    async def _find_end(self, organization_id: str) -> Link:
        """The last entry, or the head if the entries end before it: the gap must stay, and show."""
        last = await self._entries.find_one(
            chain_of(organization_id), {"seq": 1, "mac": 1}, sort=[("_id", DESCENDING)]
        )
        key = self._key(organization_id)
        end = genesis(key, organization_id) if last is None else Link(last["seq"], last["mac"])
        head = await self._heads.find_one({"_id": organization_id})
        if head is not None:
            with contextlib.suppress(BrokenChain):
                anchored = check_head(key, organization_id, head)
                end = max(end, anchored, key=lambda link: link.seq)
        return end

    @property
    def _entries(self) -> RawCollection:
        return raw_collection(self._database, ENTRIES)

    @property
    def _heads(self) -> RawCollection:
        return raw_collection(self._database, AUDIT_HEADS)

    def _chain(self, organization_id: str) -> _Chain:
        if (chain := self._chains.get(organization_id)) is None:
            chain = self._chains[organization_id] = _Chain()
        return chain

    def _key(self, organization_id: str) -> bytes:
        return self._database.keys.audit_key(organization_id)


def chain_of(organization_id: str) -> dict[str, Any]:
    """The condition for all entries of an organization, by their ids alone."""
    return {"_id": {"$gt": f"{organization_id}:", "$lt": f"{organization_id};"}}


def emergency_context(entry: str) -> str:
    """What the reason for emergency access is sealed for: the entry that it stands in."""
    return f"audit/{entry}/emergency-reason"


def _content(actor: Actor, change: Change, emergency_reason: bytes | None) -> Mapping[str, Any]:
    return {
        "actor": {
            "kind": actor.kind,
            "id": actor.id,
            "roles": sorted(actor.roles),
            "session": actor.session_id,
            "emergency_reason": emergency_reason,
        },
        "action": change.action,
        "collection": change.collection,
        "document_ids": list(change.document_ids),
        "patient_id": change.patient_id,
        "fields": list(change.fields),
        "note": change.note,
        "request_id": actor.request_id,
    }


def _finish(reads: Sequence[_Read]) -> None:
    for read in reads:
        if not read.done.done():  # whoever asked may have gone away
            read.done.set_result(None)


def _is_taken(error: BulkWriteError | DuplicateKeyError) -> bool:
    if isinstance(error, DuplicateKeyError):
        return True
    faults: list[Mapping[str, Any]] = (error.details or {}).get("writeErrors", [])
    return bool(faults) and faults[0].get("code") == DUPLICATE_KEY


def _cancel_timer(chain: _Chain) -> bool:
    if chain.anchor is None:
        return False
    chain.anchor.cancel()
    chain.anchor = None
    return True


def _refuse_inside() -> None:
    if (organization_id := _inside.get()) is not None:
        raise RuntimeError(
            f"inside a transaction of {organization_id}: read and write through it, not around it"
        )
