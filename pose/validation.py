"""The expected error of a range of motion, from our own validation table (data/validation.yaml)."""

import datetime as dt
from functools import cache
from pathlib import Path

import msgspec

from care.exercises import View


class ExpectedError(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Mean absolute error of ROM, degrees, over a number of clips with exactly known angles.

    Without an `exercise` the row stands for all exercises that are measured by the signal.
    """

    signal: str
    view: View
    square_on: bool
    error_deg: float
    clips: int
    exercise: str | None = None


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


def expected_error(signal: str, view: View, exercise: str, *, square_on: bool) -> float | None:
    """Degrees by which a ROM of this signal in this view is expected to be off.

    Taken from clips of the exercise itself, else of others with the same signal; None when never validated.
    """
    rows = [
        row
        for row in validation_table().errors
        if (row.signal, row.view, row.square_on) == (signal, view, square_on)
        and row.exercise in {exercise, None}
    ]
    best = max(rows, key=lambda row: row.exercise is not None, default=None)
    return None if best is None else best.error_deg
