"""Unscoped collections, for core alone: an import rule keeps every other room away from this module."""

from typing import Any

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

RawDocument = dict[str, Any]
RawCollection = AsyncCollection[RawDocument]
RawDatabase = AsyncDatabase[RawDocument]
