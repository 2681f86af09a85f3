"""The bounds of what can be entered, and the rating scales, from `data/limits.yaml` with their sources."""

import datetime as dt
from pathlib import Path

import msgspec


class Scale(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rating scale of whole numbers."""

    name: str
    minimum: int
    maximum: int
    source: str


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The largest value of each entry; `hold_s` in seconds, `notes_length` in characters."""

    as_of: dt.date
    sets: int
    repetitions: int
    hold_s: float
    prescriptions: int
    notes_length: int
    program_start_days: int
    oldest_session_days: int
    pain: Scale
    exertion: Scale


LIMITS = msgspec.yaml.decode((Path(__file__).parent / "data" / "limits.yaml").read_bytes(), type=Limits)
