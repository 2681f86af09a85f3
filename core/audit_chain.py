"""The hash chain of the audit log, without its storage: how an entry is bound to the one before.

Each entry carries the code of the entry before it and its own: HMAC-SHA-256, under a key of the organization,
over the bytes of the whole entry as they are stored. Changing, removing, inserting or reordering entries
therefore breaks a code. What is missing from the end is noticed by the head, kept apart and signed itself: it
says how far the chain had come.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument

MAC_BYTES = 32

# The last element of every entry as BSON: binary (5), its name, length, subtype 0, the code; then the end of
# document.
_MAC_ELEMENT = b"\x05mac\x00" + struct.pack("<i", MAC_BYTES) + b"\x00"
_MAC_TAIL_BYTES = len(_MAC_ELEMENT) + MAC_BYTES + 1


@dataclass(frozen=True, slots=True)
class Link:
    """A place in an organization's chain: the number of an entry, and its code."""

    seq: int
    mac: bytes


class BrokenChain(Exception):
    """The chain is not as it was written; the text says what is wrong, `seq` where."""

    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(reason)
        self.seq = seq
        self.reason = reason


def genesis(key: bytes, organization_id: str) -> Link:
    """Where the chain of an organization begins, before its first entry."""
    return Link(0, _mac(key, b"genesis\x00" + organization_id.encode()))


def entry_id(organization_id: str, seq: int) -> str:
    """The id of an entry. Ids sort in the order of the chain, so that it needs no other index."""
    return f"{organization_id}:{seq:012d}"


def sealed_entry(
    key: bytes, organization_id: str, before: Link, content: Mapping[str, Any]
) -> tuple[RawBSONDocument, Link]:
    """The entry that follows `before`, ready to be stored byte for byte, and its place."""
    seq = before.seq + 1
    body = bson.encode(
        {
            "_id": entry_id(organization_id, seq),
            "organization_id": organization_id,
            "seq": seq,
            **content,
            "previous": before.mac,
        }
    )
    mac = _mac(key, body)
    return RawBSONDocument(_with_mac(body, mac)), Link(seq, mac)


def check_entry(key: bytes, organization_id: str, before: Link, raw: bytes) -> Link:
    """The place of the stored entry `raw`, which must follow `before`.

    Raises:
        BrokenChain: it does not, or one of its bytes is not as it was written.
    """
    expected = before.seq + 1
    body = _without_mac(raw)
    mac = _mac(key, body)
    # The whole entry is compared, so that no byte of it, its framing included, can differ.
    intact = hmac.compare_digest(_with_mac(body, mac), raw)
    try:
        entry: dict[str, Any] = bson.decode(raw)  # pyright: ignore[reportUnknownMemberType] - partly typed by bson
    except Exception:  # noqa: BLE001 - whatever is wrong with the bytes, they are not those that were written
        raise BrokenChain(expected, "is damaged") from None
    seq = entry.get("seq")
    if intact and seq != expected:
        reason = f"is missing: entry {seq} follows entry {before.seq}"
        raise BrokenChain(expected, reason)
    if not intact:
        raise BrokenChain(expected, "was changed")
    if entry["_id"] != entry_id(organization_id, expected) or entry["organization_id"] != organization_id:
        raise BrokenChain(expected, "belongs to another organization")
    if entry["previous"] != before.mac:
        raise BrokenChain(expected, "does not continue the entry before it")
    return Link(expected, mac)


def sealed_head(key: bytes, organization_id: str, link: Link) -> dict[str, Any]:
    """The head to store: how far the chain has come, signed."""
    return {"seq": link.seq, "mac": link.mac, "signature": _head_signature(key, organization_id, link)}


def check_head(key: bytes, organization_id: str, head: Mapping[str, Any]) -> Link:
    """Where a stored head says the chain had come; `BrokenChain` if it was not written by us."""
    seq, mac, signature = head.get("seq"), head.get("mac"), head.get("signature")
    if isinstance(seq, int) and isinstance(mac, bytes) and isinstance(signature, bytes):
        link = Link(seq, mac)
        if hmac.compare_digest(signature, _head_signature(key, organization_id, link)):
            return link
    raise BrokenChain(seq if isinstance(seq, int) else 0, "the record of the chain's end was changed")


def _head_signature(key: bytes, organization_id: str, link: Link) -> bytes:
    return _mac(
        key, b"head\x00" + organization_id.encode() + b"\x00" + struct.pack("<q", link.seq) + link.mac
    )


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _with_mac(body: bytes, mac: bytes) -> bytes:
    content = body[4:-1] + _MAC_ELEMENT + mac + b"\x00"
    return struct.pack("<i", len(content) + 4) + content


def _without_mac(raw: bytes) -> bytes:
    content = raw[4:-_MAC_TAIL_BYTES] + b"\x00"
    return struct.pack("<i", len(content) + 4) + content
