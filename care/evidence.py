"""What attests that exercises were done, how strongly, and how evidence of the same work is put together.

Evidence of one dose comes in grades. Pieces of the same grade add up; grades do not: a set that is reported
and filmed is the same set, and counts once, at the grade that attests to it best. So a report covers
everything done, filmed sets included.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Literal

from msgspec import Struct

Grade = Literal["video", "clinician_observed", "wearable", "self_report"]


class Evidence(Struct, frozen=True, kw_only=True):
    """One piece of evidence within an exercise session.

    `repetitions` counts all sets together. `hold_s` is the mean time a repetition was held, None where nobody
    measured or said it. `rom_deg` is the median range of motion, `quality` a score from 0 to 100.
    `source_id` names what it rests on (an analysis, a report), `algorithm` what computed it.
    """

    grade: Grade
    source_id: str
    at: dt.datetime
    repetitions: int
    sets: int | None = None
    hold_s: float | None = None
    rom_deg: float | None = None
    quality: float | None = None
    algorithm: str | None = None


def with_evidence(present: Iterable[Evidence], piece: Evidence) -> list[Evidence]:
    """`present` with `piece`, which takes the place of an earlier one of the same grade and source."""
    kept = [old for old in present if (old.grade, old.source_id) != (piece.grade, piece.source_id)]
    return sorted([*kept, piece], key=lambda each: (each.at, each.grade, each.source_id))


def effective_repetitions(piece: Evidence, hold_s: float) -> Fraction:
    """The repetitions that `piece` attests, where each one should have been held for `hold_s` seconds.

    A repetition held too briefly counts for its share of the time; one whose hold nobody measured, whole.
    """
    if hold_s <= 0 or piece.hold_s is None:
        return Fraction(max(0, piece.repetitions))
    share = min(Fraction(1), max(Fraction(0), Fraction(piece.hold_s) / Fraction(hold_s)))
    return max(0, piece.repetitions) * share


def attested(pieces: Iterable[Evidence], hold_s: float) -> dict[Grade, Fraction]:
    """Effective repetitions that each grade attests; the same source counts once."""
    best: dict[tuple[Grade, str], Fraction] = {}
    for piece in pieces:
        key = (piece.grade, piece.source_id)
        best[key] = max(best.get(key, Fraction(0)), effective_repetitions(piece, hold_s))
    totals: dict[Grade, Fraction] = {}
    for (grade, _), repetitions in best.items():
        totals[grade] = totals.get(grade, Fraction(0)) + repetitions
    return totals


def done(by_grade: Mapping[Grade, Fraction]) -> Fraction:
    """Repetitions done, whatever attests to them: the most that any one grade attests."""
    return max(by_grade.values(), default=Fraction(0))
