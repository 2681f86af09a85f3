"""Examples for the API description, made from the schemas: every body is shown as it would really look.

A schema's own example wins (`Annotated[..., Meta(examples=[...])]` on a field); else its default, first
choice or format; else what its name suggests. The same schema always gives the same example.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

Schema = Mapping[str, Any]

_DEEPEST = 8
_WORDS = ("squat", "M17.11", "2026", "1")
"""Tried in turn where a pattern asks for something particular."""
_ULID = "01kaz3v8c2d4e6f8g0h2j4k6m8"

_BY_FORMAT: Mapping[str, str] = {
    "date-time": "2026-03-02T14:30:00Z",
    "date": "2026-03-02",
    "time": "08:00:00",
    "email": "ana.demo@clinic.example",
    "uri": "https://clinic.example/invitation",
    "uuid": "0b1f6c1e-8c2d-4e6f-8a0b-2c4d6e8f0a1b",
    "binary": "",
}
_BY_NAME: Mapping[str, str | None] = {
    "name": "Ana Demo",
    "email": "ana.demo@clinic.example",
    "phone": "+12025550123",
    "time_zone": "America/New_York",
    "language": "en",
    "next_cursor": None,
    "id": _ULID,
}
_ID_PREFIXES: Mapping[str, str] = {
    "patient_id": "pat",
    "organization_id": "org",
    "location_id": "loc",
    "episode_id": "epi",
    "program_id": "hep",
    "prescription_id": "rx",
    "exercise_session_id": "ses",
    "therapist_id": "stf",
    "staff_id": "stf",
}


def example_of(schema: Schema, components: Mapping[str, Schema]) -> Any:  # noqa: ANN401 - any JSON value
    """A value that the schema accepts. `components` are the document's `components.schemas`."""
    return _Builder(components).value(schema, "", 0)


class _Builder:
    def __init__(self, components: Mapping[str, Schema]) -> None:
        self.components = components
        self.by_type: Mapping[str, Callable[[Schema, str, int], Any]] = {
            "object": self._object,
            "array": self._array,
            "integer": lambda schema, _name, _depth: _number(schema, 3),
            "number": lambda schema, _name, _depth: _number(schema, 2.5),
            "boolean": lambda _schema, _name, _depth: True,
            "null": lambda _schema, _name, _depth: None,
        }

    def value(self, schema: Schema, name: str, depth: int) -> Any:  # noqa: ANN401 - any JSON value
        if "$ref" in schema:
            target = str(schema["$ref"]).rsplit("/", 1)[-1]
            return self.value(self.components[target], name, depth + 1)
        given, found = _given(schema)
        if found:
            return given
        choices = schema.get("oneOf") or schema.get("anyOf") or schema.get("allOf")
        if choices:
            chosen = next((choice for choice in choices if choice.get("type") != "null"), None)
            return None if chosen is None or depth >= _DEEPEST else self.value(chosen, name, depth + 1)
        build = self.by_type.get(_type_of(schema), lambda schema, name, _depth: _text(schema, name))
        return build(schema, name, depth)

    def _object(self, schema: Schema, _name: str, depth: int) -> dict[str, Any]:
        properties = cast("Mapping[str, Schema]", schema.get("properties", {}))
        required = cast("list[str]", schema.get("required", []))
        shown = properties if depth < _DEEPEST else {key: properties[key] for key in required}
        return {key: self.value(value, key, depth + 1) for key, value in shown.items()}

    def _array(self, schema: Schema, name: str, depth: int) -> list[Any]:
        items = schema.get("items")
        return [self.value(items, name, depth + 1)] if items and depth < _DEEPEST else []


def _given(schema: Schema) -> tuple[Any, bool]:
    for key in ("example", "const"):
        if key in schema:
            return schema[key], True
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0], True
    if schema.get("default") is not None:
        return schema["default"], True
    return None, False


def _type_of(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kinds = cast("list[str]", kind)
        return next((item for item in kinds if item != "null"), "null")
    return str(kind) if kind else ("object" if "properties" in schema else "string")


def _number(schema: Schema, usual: float) -> float:
    """A number within the bounds: the usual one, or the middle between them."""
    low = schema.get("minimum", schema.get("exclusiveMinimum", -math.inf))
    high = schema.get("maximum", schema.get("exclusiveMaximum", math.inf))
    if low < usual < high:
        return usual
    if math.isfinite(low) and math.isfinite(high):
        middle = (low + high) / 2
        return round(middle) if isinstance(usual, int) else middle
    return low + 1 if math.isfinite(low) else high - 1


def _text(schema: Schema, name: str) -> str | None:
    by_format = _BY_FORMAT.get(str(schema.get("format")))
    by_name = _BY_NAME.get(name, "text")
    if name in _ID_PREFIXES:
        by_name = f"{_ID_PREFIXES[name]}_{_ULID}"
    elif name.endswith(("_at", "_until")):
        by_name = _BY_FORMAT["date-time"]
    elif name.endswith(("_on", "_date")) or name == "date":
        by_name = _BY_FORMAT["date"]
    text = by_format or by_name
    if text is None:
        return None
    text = text.ljust(int(schema.get("minLength", 0)), "x")
    pattern = re.compile(str(schema.get("pattern", "")))
    return next((each for each in (text, *_WORDS) if pattern.search(each)), text)
