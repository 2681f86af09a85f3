"""How a handler asks for what the application gives it by name: `access: Given[Access]`."""

from typing import TypeAlias, TypeVar

from litestar.di import NamedDependency
from litestar.params import SkipValidation

T = TypeVar("T")

Given: TypeAlias = NamedDependency[SkipValidation[T]]
"""A dependency that is handed over as it is.

Litestar would validate it like something that was sent, which these objects are not made for.
"""
