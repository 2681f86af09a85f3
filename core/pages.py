"""Cursor pagination: a page says where the next one begins, whatever was inserted meanwhile."""

import base64
import binascii
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from core.errors import FieldFault, Invalid

Item = TypeVar("Item")

_LARGEST_BSON_INTEGER = 2**63


class Page(msgspec.Struct, Generic[Item]):
    """Some items, and the cursor that continues after them; None on the last page."""

    items: list[Item]
    next_cursor: str | None = None


def cursor_after(row: dict[str, Any], sort: str) -> str:
    """The opaque cursor that continues after `row`."""
    position = [row["_id"]] if sort == "_id" else [row[sort], row["_id"]]
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(position)).decode().rstrip("=")


def decode_cursor(cursor: str, sort: str, direction: int) -> dict[str, Any]:
    """The MongoDB condition for everything after `cursor`; `Invalid` if it is not one of ours."""
    operator = "$gt" if direction > 0 else "$lt"
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        position = msgspec.msgpack.decode(raw, type=list[Any])
        if sort == "_id":
            (last_id,) = position
            return {"_id": {operator: _text(last_id)}}
        value, last_id = position
        last = _sortable(value)
        return {"$or": [{sort: {operator: last}}, {sort: last, "_id": {operator: _text(last_id)}}]}
    except (binascii.Error, TypeError, ValueError, msgspec.DecodeError) as error:
        raise Invalid(
            "The cursor is not valid.", [FieldFault("/cursor", "not a cursor of this list")]
        ) from error


def _sortable(value: object) -> str | datetime | int:
    """What lists are sorted by. Anything else was made up, and a mapping could even be a query."""
    if isinstance(value, str | datetime) or (isinstance(value, int) and abs(value) < _LARGEST_BSON_INTEGER):
        return value
    raise TypeError("a cursor holds an instant, a number or a text") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a cursor holds an id") from None
    return value
