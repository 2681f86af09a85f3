"""msgspec Structs as parts of stored documents, so that one shape serves storage, logic and the API.

    class Program(PatientDocument):
        versions: list[Annotated[ProgramVersion, StoredStruct()]]

Instants stay BSON dates; calendar dates become ISO text, as everywhere else in the database.
"""

import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


def encode_struct(struct: msgspec.Struct) -> dict[str, Any]:
    """The Struct as BSON keeps it."""
    encoded: dict[str, Any] = msgspec.to_builtins(struct, builtin_types=(dt.datetime, bytes))
    return encoded


BSON_ENCODERS: dict[Any, Callable[[Any], Any]] = {
    msgspec.Struct: encode_struct,
    # A datetime is a date too: named first, it keeps BSON's own form.
    dt.datetime: lambda instant: instant,
    dt.date: dt.date.isoformat,
}
"""The `bson_encoders` of every document: what BSON has no form of its own for."""


class StoredStruct:
    """Marks a document's field as a msgspec Struct, which pydantic cannot validate by itself."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401 - the annotated type
        del handler

        def convert(value: object) -> object:
            return value if isinstance(value, source) else msgspec.convert(value, source, strict=False)

        return core_schema.no_info_plain_validator_function(
            convert, serialization=core_schema.plain_serializer_function_ser_schema(encode_struct)
        )
