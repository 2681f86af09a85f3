"""The expected error of a range of motion, from our own validation table (data/validation.yaml)."""

import datetime as dt
from functools import cache
from pathlib import Path

import msgspec

from care.exercises import View


class ExpectedError(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Mean absolute error of ROM, degrees, over a number of clips with exactly known angles."""

    signal: str
    view: View
    square_on: bool
    error_deg: float
    clips: int


class ValidationTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table, the algorithm it was measured with, and how."""

    as_of: dt.date
    algorithm: str
    model: str
    method: str
    errors: list[ExpectedError]


@cache
def validation_table() -> ValidationTable:
    path = Path(__file__).parent / "data" / "validation.yaml"
    return msgspec.yaml.decode(path.read_bytes(), type=ValidationTable)


def expected_error(signal: str, view: View, *, square_on: bool) -> float | None:
    """Degrees by which a ROM of this signal in this view is expected to be off; None when it was never
    validated.
    """
    for row in validation_table().errors:
        if (row.signal, row.view, row.square_on) == (signal, view, square_on):
            return row.error_deg
    return None
