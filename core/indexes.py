"""Indexes: what documents and core's own collections declare, made and verified when a database is opened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import OperationFailure

from core.documents import TenantDocument
from core.mongo import RawCollection, RawDatabase

__all__ = ["ASCENDING", "DESCENDING", "IndexModel", "declare", "make_indexes"]

_declared: dict[str, tuple[IndexModel, ...]] = {}


class IndexFault(Exception):
    """An index that is declared wrongly, or that stands in the database otherwise than declared: a bug."""


def declare(collection: str, indexes: Iterable[IndexModel]) -> None:
    """State the indexes of one of core's collections that is no `TenantDocument`."""
    _declared[collection] = tuple(indexes)


async def make_indexes(database: RawDatabase, documents: Sequence[type[TenantDocument]]) -> None:
    """Make every declared index and verify that each stands as declared.

    Beanie's own way is not taken: it merges indexes over the same set of fields, so that of `(a, b)` unique
    and `(b, a)` one silently disappears.

    Raises:
        IndexFault: an index has no name, does not begin with the organization, or differs in the database.
    """
    wanted = dict(_declared)
    for document in documents:
        settings = document.Settings
        indexes: tuple[IndexModel, ...] = tuple(getattr(settings, "indexes", ()))
        _check_tenant_first(document, indexes)
        name = getattr(settings, "name", None)
        if not name:
            raise IndexFault(f"{document.__name__} names no collection")
        wanted[name] = (*wanted.get(name, ()), *indexes)
    for name, indexes in wanted.items():
        if indexes:
            await _make(database[name], indexes)


def _check_tenant_first(document: type[TenantDocument], indexes: Iterable[IndexModel]) -> None:
    for index in indexes:
        keys = list(index.document["key"])
        expires = "expireAfterSeconds" in index.document
        if keys[0] != "organization_id" and not expires:
            raise IndexFault(f"{document.__name__}: index on {keys} does not begin with organization_id")


async def _make(collection: RawCollection, indexes: Sequence[IndexModel]) -> None:
    names = [index.document["name"] for index in indexes]
    for index in indexes:
        generated = "_".join(f"{key}_{order}" for key, order in index.document["key"].items())
        if index.document["name"] == generated:
            raise IndexFault(f"{collection.name}: the index on {generated} needs a name")
    if len(set(names)) != len(names):
        raise IndexFault(f"{collection.name}: two indexes have the same name")
    try:
        await collection.create_indexes(list(indexes))
    except OperationFailure as error:
        raise IndexFault(f"{collection.name}: {error.details and error.details.get('errmsg')}") from error
    present: Mapping[str, Any] = await collection.index_information()
    for index in indexes:
        _verify(collection.name, index.document, present)


def _verify(collection: str, wanted: Mapping[str, Any], present: Mapping[str, Any]) -> None:
    found = present.get(wanted["name"])
    if found is None:
        raise IndexFault(f"{collection}: the index {wanted['name']} was not made")
    if list(found["key"]) != list(wanted["key"].items()):
        raise IndexFault(f"{collection}: the index {wanted['name']} stands over other fields")
    for option in ("unique", "sparse", "expireAfterSeconds", "partialFilterExpression"):
        if (wanted.get(option) or None) != (found.get(option) or None):
            raise IndexFault(f"{collection}: the index {wanted['name']} stands with another {option}")
