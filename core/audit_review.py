"""Reading the audit log: one page at a time, whole, or only to see that it is intact."""

from __future__ import annotations

import hmac
from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from bson.raw_bson import RawBSONDocument

from core.access import Change
from core.audit import ENTRIES, chain_of, emergency_context
from core.audit_chain import BrokenChain, Link, check_entry, check_head, genesis
from core.indexes import ASCENDING, DESCENDING
from core.keys import AUDIT_HEADS, KeyDestroyed
from core.mongo import RawDocument, raw_collection
from core.pages import Page, cursor_after, decode_cursor

if TYPE_CHECKING:
    from core.access import Access
    from core.database import Database


class Verification(msgspec.Struct, frozen=True):
    """What verifying an organization's audit log found."""

    organization_id: str
    ok: bool
    entries: int
    """Entries that are as they were written, counted from the first."""
    end: str
    """The last of them as `<seq>:<code>`. Kept elsewhere, it later proves that nothing was rolled back."""
    first_bad_seq: int | None = None
    reason: str | None = None


class AuditActor(msgspec.Struct, frozen=True):
    """Who acted."""

    kind: str
    id: str
    roles: list[str]
    session: str | None
    emergency_reason: str | None
    """What a member of staff typed to be given emergency access; None once the organization's key is
    destroyed, and for a reader who works at some locations only.
    """


class AuditEntry(msgspec.Struct, frozen=True):
    """What was done, by whom, when, to which documents."""

    seq: int
    at: datetime
    actor: AuditActor
    action: str
    collection: str
    document_ids: list[str]
    patient_id: str | None
    fields: list[str]
    note: str | None
    request_id: str | None


async def verify(database: Database, organization_id: str, *, expected: Link | None = None) -> Verification:
    """Check every entry of an organization's log, and that none is missing.

    The database alone cannot tell that all of it was replaced by an older copy; `expected`, an end
    noted earlier and kept elsewhere, can.
    """
    key = database.keys.audit_key(organization_id)
    link = genesis(key, organization_id)
    try:
        anchored = await _anchored(database, organization_id, key)
        async for raw in _raw_entries(database, organization_id):
            link = check_entry(key, organization_id, link, raw)
            _compare(link, anchored, "is not the entry that the record of the chain's end names")
            if expected is not None:
                _compare(link, expected, "is not the entry that was expected")
        for end in (anchored, expected):
            if end is not None and link.seq < end.seq:
                _fail(link.seq + 1, f"is missing, as is everything after it up to {end.seq}")
    except BrokenChain as broken:
        return Verification(
            organization_id,
            ok=False,
            entries=link.seq,
            end=text_of(link),
            first_bad_seq=broken.seq,
            reason=f"entry {broken.seq} {broken.reason}" if broken.seq else broken.reason,
        )
    return Verification(organization_id, ok=True, entries=link.seq, end=text_of(link))


async def page(
    access: Access,
    *,
    limit: int,
    cursor: str | None = None,
    patient_id: str | None = None,
    actor_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Page[AuditEntry]:
    """Entries of the organization's log, the newest first. Reading the log is itself recorded.

    Args:
        access: Whose organization.
        limit: At most so many.
        cursor: Where the page before ended.
        patient_id: Only what was done to this patient's documents.
        actor_id: Only what this person or job did.
        since: Only from this instant on.
        until: Only before this instant.
    """
    query: dict[str, Any] = {"organization_id": access.organization_id}
    if patient_id is not None:
        query["patient_id"] = patient_id
    if actor_id is not None:
        query["actor.id"] = actor_id
    if since is not None or until is not None:
        query["at"] = {"$gte": since} if since else {}
        query["at"] |= {"$lt": until} if until else {}
    bounded = [query] if cursor is None else [query, decode_cursor(cursor, "_id", -1)]
    entries = raw_collection(access.database, ENTRIES)
    rows = await entries.find({"$and": bounded}).sort("_id", DESCENDING).limit(limit + 1).to_list()
    more, rows = len(rows) > limit, rows[:limit]
    if rows and access.actor.kind != "system":
        ids = (rows[-1]["_id"], rows[0]["_id"])
        change = Change(
            "read", ENTRIES, ids, patient_id, note="a page of the audit log, from the oldest to the newest"
        )
        await access.database.audit.record_read(access.actor, change)
    # An entry does not say where its patient is treated; those who may know why are shown it with the rest of
    # the emergency access (identity.emergency).
    everywhere = access.actor.location_ids is None
    items = [await _entry(access.database, row, with_reason=everywhere) for row in rows]
    return Page(items=items, next_cursor=cursor_after(rows[-1], "_id") if more else None)


async def export(database: Database, organization_id: str) -> AsyncGenerator[Mapping[str, Any]]:
    """Every entry, the oldest first, as plain values, with its code and that of the entry before in
    hexadecimal.
    """
    async for row in raw_collection(database, ENTRIES).find(chain_of(organization_id)).sort("_id", ASCENDING):
        entry: dict[str, Any] = msgspec.to_builtins(await _entry(database, row, with_reason=True))
        yield entry | {"previous": row["previous"].hex(), "mac": row["mac"].hex()}


def text_of(link: Link) -> str:
    """`<seq>:<code>`."""
    return f"{link.seq}:{link.mac.hex()}"


def link_of(text: str) -> Link:
    """What `text_of` wrote; `ValueError` if it did not."""
    seq, _, mac = text.partition(":")
    return Link(int(seq), bytes.fromhex(mac))


async def _anchored(database: Database, organization_id: str, key: bytes) -> Link:
    head = await raw_collection(database, AUDIT_HEADS).find_one({"_id": organization_id})
    if head is None:
        raise BrokenChain(0, "the record of the chain's end is gone")
    anchored = check_head(key, organization_id, head)
    beginning = genesis(key, organization_id)
    if anchored.seq == 0 and not hmac.compare_digest(anchored.mac, beginning.mac):
        raise BrokenChain(0, "the record of the chain's end was changed")
    return anchored


def _compare(link: Link, noted: Link, reason: str) -> None:
    if link.seq == noted.seq and not hmac.compare_digest(link.mac, noted.mac):
        _fail(link.seq, reason)


def _fail(seq: int, reason: str) -> None:
    raise BrokenChain(seq, reason)


async def _raw_entries(database: Database, organization_id: str) -> AsyncGenerator[bytes]:
    entries = raw_collection(database, ENTRIES)
    options = entries.codec_options.with_options(document_class=RawBSONDocument)
    stored: Any = entries.with_options(codec_options=options)
    async for document in stored.find(chain_of(organization_id)).sort("_id", ASCENDING):
        # From a large answer the driver hands out a view of its buffer.
        yield bytes(document.raw)


async def _entry(database: Database, row: RawDocument, *, with_reason: bool) -> AuditEntry:
    sealed: bytes | None = row["actor"]["emergency_reason"]
    reason = None
    if sealed is not None and with_reason:
        try:
            context = emergency_context(row["_id"])
            reason = (await database.keys.unseal(row["organization_id"], sealed, context)).decode()
        except KeyDestroyed:
            reason = None
    actor = {**row["actor"], "emergency_reason": reason}
    return msgspec.convert({**row, "actor": actor}, AuditEntry)
