"""Unscoped collections, for core alone: an import rule keeps every other room away from this module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

if TYPE_CHECKING:
    from core.database import Database

RawDocument = dict[str, Any]
RawCollection = AsyncCollection[RawDocument]
RawDatabase = AsyncDatabase[RawDocument]


def raw_collection(database: Database, name: str) -> RawCollection:
    """The collection `name` without tenant scope."""
    return raw_database_of(database)[name]


def raw_database_of(database: Database) -> RawDatabase:
    """The database itself."""
    return database._raw  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - the one door to it
