"""Beanie's own queries and writes, closed: they know no organization and leave no trace in the audit log.

A call is an error of the type checker (`reportDeprecated`), and one at run time for whoever gets past it.
"""

from __future__ import annotations

from typing import Any

from beanie import Document
from typing_extensions import deprecated

_USE = "documents are read and written through a Repository, with an Access"


class ClosedDocument(Document):
    """A Beanie document that only a `Repository` can store and find."""

    @classmethod
    @deprecated(_USE, category=None)
    def get_pymongo_collection(cls) -> Any:
        # Beanie itself asks for it. Its types leave open what is in a collection.
        return super().get_pymongo_collection()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

    @classmethod
    @deprecated(_USE, category=None)
    def aggregate(cls, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @classmethod
    @deprecated(_USE, category=None)
    def all(cls, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @classmethod
    @deprecated(_USE, category=None)
    def avg(cls, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @classmethod
    @deprecated(_USE, category=None)
    def bulk_writer(cls, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @classmethod
    @deprecated(_USE, category=None)
    def count(cls, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @deprecated(_USE, category=None)
    def current_date(self, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @deprecated(_USE, category=None)
    def create(self, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @deprecated(_USE, category=None)
    def delete(self, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @classmethod
    @deprecated(_USE, category=None)
    def delete_all(cls, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @classmethod
    @deprecated(_USE, category=None)
    def distinct(cls, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @classmethod
    @deprecated(_USE, category=None)
    def find(cls, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @classmethod
    @deprecated(_USE, category=None)
    def find_all(cls, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @classmethod
    @deprecated(_USE, category=None)
    def find_many(cls, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @classmethod
    @deprecated(_USE, category=None)
    def find_one(cls, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @classmethod
    @deprecated(_USE, category=None)
    def get(cls, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @deprecated(_USE, category=None)
    def inc(self, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @deprecated(_USE, category=None)
    def insert(self, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @classmethod
    @deprecated(_USE, category=None)
    def insert_many(cls, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @classmethod
    @deprecated(_USE, category=None)
    def insert_one(cls, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @classmethod
    @deprecated(_USE, category=None)
    def inspect_collection(cls, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @classmethod
    @deprecated(_USE, category=None)
    def max(cls, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @classmethod
    @deprecated(_USE, category=None)
    def min(cls, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @deprecated(_USE, category=None)
    def replace(self, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @classmethod
    @deprecated(_USE, category=None)
    def replace_many(cls, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @deprecated(_USE, category=None)
    def save(self, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @deprecated(_USE, category=None)
    def save_changes(self, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @deprecated(_USE, category=None)
    def set(self, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @classmethod
    @deprecated(_USE, category=None)
    def sum(cls, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @deprecated(_USE, category=None)
    def sync(self, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @deprecated(_USE, category=None)
    def update(self, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)

    @classmethod
    @deprecated(_USE, category=None)
    def update_all(cls, *_: Any, **__: Any) -> Any:
        raise TypeError(_USE)
