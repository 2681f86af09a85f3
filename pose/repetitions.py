"""Repetitions in the curve of a joint angle.

A movement is an excursion away from rest and back. Turning points are taken with hysteresis: a swing counts
only when it exceeds a threshold that adapts to the patient's own range in this recording, so that a stiff
knee that moves 30 degrees is counted as surely as one that moves 130, and the sway of someone standing
still is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose.landmarks import Floats
from pose.smoothing import Curve

SWING_OF_RANGE = 0.25
"""Smallest swing, as a fraction of the patient's range, that is a movement of its own."""

UNSURE_SWING_OF_RANGE = 0.45
"""The same where the angle itself is unsure: proportions lost, or an exercise nobody named."""

RETURN_OF_RISE = 0.45
"""How much of its rise a movement must give back before the next one can begin."""

WOBBLE_ABOVE = 0.3
"""How far from rest, as a fraction of the patient's range, a swing must be to be a wobble at the peak."""

HOLD_BAND = 0.1
"""Band below the peak within which a position is held, as a fraction of ROM, if the exercise names none."""

WIDEST_HOLD_BAND = 0.3
"""The most of a patient's ROM that the band of the exercise may take up."""

NEAR_END = 0.08
"""Fraction of the excursion within which the joint is still at rest, or still at its peak."""

SEEN_OF_DURATION = 0.6
"""The part of a movement's time between leaving rest and being back: its first and last moments are so slow
that they look like rest.
"""

TURN_OF_FLANK = 0.15
"""How much of the flank that was seen must be seen of the other one too, where the recording cuts it off:
less may be someone who sits down or stands up before or after the exercise.
"""

EDGE_S = 0.25
"""A movement that is under way within this time of the first or last frame has been cut off by it."""

TurningPoints = tuple[int, int, int]
"""Indices of the valley before a peak, the peak, and the valley after it."""


@dataclass(frozen=True)
class Movement:
    """One excursion from rest to its turning point and back; seconds and degrees of the curve's own sign.

    Attributes:
        start_s, peak_s, end_s: When it leaves rest, turns, and is back.
        start_deg, peak_deg: The angle at rest before it, and at the turning point.
        rom_deg: How far it went, from the rest position it is nearer to.
        out_s, hold_s, back_s: Duration of the way out, of the stay at the peak, and of the way back.
        partial: Whether it is much smaller than the patient's other movements, or only half of it was seen.
        cut_off: Whether the recording begins or ends during it.
    """

    start_s: float
    peak_s: float
    end_s: float
    start_deg: float
    peak_deg: float
    rom_deg: float
    out_s: float
    hold_s: float
    back_s: float
    partial: bool
    cut_off: bool = False


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """What counts as a movement; see `care.exercises.Phases`. Degrees and seconds.

    `rest_deg` matters to holds alone: repetitions rest wherever the patient does. `swing_of_range` is the
    smallest swing that is a movement of its own, as a fraction of the patient's range.
    """

    rest_is_high: bool
    minimum_rom_deg: float
    partial_below_fraction: float
    minimum_s: float
    maximum_s: float
    rest_deg: float = 0.0
    hold_band_deg: float | None = None
    swing_of_range: float = SWING_OF_RANGE

    @property
    def sign(self) -> float:
        """What turns the angle into effort, which rises away from rest."""
        return -1.0 if self.rest_is_high else 1.0


def find_movements(curve: Curve, criteria: Criteria) -> list[Movement]:
    """Every movement in a curve, in time order.

    One that the recording cuts off is found when it is seen to turn and one whole flank of it was seen; it is
    partial unless both were.
    """
    effort = criteria.sign * curve.deg
    known = effort[curve.known]
    if len(known) < 5:  # noqa: PLR2004 - too short for an excursion
        return []
    reach = float(np.ptp(np.percentile(known, (2, 98))))
    swing = max(criteria.minimum_rom_deg, criteria.swing_of_range * reach)
    whole = _separate(effort, _turning_points(effort, swing), reach)
    usual = _usual_size([max(_flanks(effort, one)) for one in whole]) or reach
    whole_flank = max(criteria.partial_below_fraction * usual, swing)
    found: list[Movement] = []
    for points in sorted([*whole, *_halves(effort, whole, whole_flank)]):
        movement = _describe(curve, points, criteria)
        movement = _judge_edges(curve, movement, _flanks(effort, points), whole_flank)
        explained = points in whole or movement.cut_off
        if explained and curve.known[points[1]] and _has_usual_length(movement, criteria):
            found.append(movement)
    return mark_partial(found, criteria.partial_below_fraction)


def mark_partial(movements: list[Movement], fraction: float) -> list[Movement]:
    """Marks movements below a fraction of the patient's usual range, besides those partial already."""
    usual = _usual_size([movement.rom_deg for movement in movements])
    return [
        replace(movement, partial=movement.partial or movement.rom_deg < fraction * usual)
        for movement in movements
    ]


def _usual_size(sizes: Sequence[float]) -> float:
    """The patient's usual range: the median of the larger half; 0 without any."""
    return float(np.median(np.sort(sizes)[len(sizes) // 2 :])) if sizes else 0.0


def _turning_points(effort: Floats, swing: float) -> list[TurningPoints]:
    """(valley, peak, valley) indices of excursions whose rise and fall both reach `swing`.

    The curve may begin and end away from rest: what was not seen to leave rest and turn is not counted.
    """
    valley = peak = 0
    rising = False
    excursions: list[TurningPoints] = []
    for index, value in enumerate(effort):
        if not rising:
            if value < effort[valley]:
                valley = index
            elif value >= effort[valley] + swing:
                rising, peak = True, index
        elif value > effort[peak]:
            peak = index
        elif value <= effort[peak] - swing:
            excursions.append((valley, peak, index))
            rising, valley = False, index
    # A last rise that never turns has begun at the valley that ends the excursion before it.
    if not excursions:
        return []
    ends = [*(start for start, _, _ in excursions[1:]), max(valley, excursions[-1][2])]
    return [(start, top, max(end, top)) for (start, top, _), end in zip(excursions, ends, strict=True)]


def _separate(effort: Floats, peaks: list[TurningPoints], reach: float) -> list[TurningPoints]:
    """Joins excursions that never came near rest in between: a wobble at the top is not a second
    repetition.
    """
    separate: list[TurningPoints] = []
    for before, peak, after in peaks:
        if separate:
            first, top, valley = separate[-1]
            lower_top = min(effort[top], effort[peak])
            base = min(effort[first], effort[after])
            if (
                effort[valley] - base > (1 - RETURN_OF_RISE) * (lower_top - base)
                and lower_top - base > WOBBLE_ABOVE * reach
            ):
                separate[-1] = (first, top if effort[top] >= effort[peak] else peak, after)
                continue
        separate.append((before, peak, after))
    return separate


def _flanks(effort: Floats, points: TurningPoints) -> tuple[float, float]:
    """Degrees of the way out and of the way back."""
    before, peak, after = points
    return float(effort[peak] - effort[before]), float(effort[peak] - effort[after])


def _halves(effort: Floats, whole: list[TurningPoints], whole_flank: float) -> list[TurningPoints]:
    """Before and after the whole excursions, those with one whole flank and the turn."""
    first_valley = whole[0][0] if whole else int(effort.argmin())
    last_valley = whole[-1][2] if whole else first_valley
    early = int(effort[: first_valley + 1].argmax())
    late = last_valley + int(effort[last_valley:].argmax())
    halves: list[TurningPoints] = [
        (int(effort[: early + 1].argmin()), early, first_valley),
        (last_valley, late, late + int(effort[late:].argmin())),
    ]
    return [
        half
        for half in halves
        if max(_flanks(effort, half)) >= whole_flank
        and min(_flanks(effort, half)) >= TURN_OF_FLANK * max(_flanks(effort, half))
    ]


def _judge_edges(
    curve: Curve, movement: Movement, flanks: tuple[float, float], whole_flank: float
) -> Movement:
    """Marks a movement that the recording begins or ends in before its whole flank on that side was seen."""
    times = curve.t[curve.known]
    begun_before = flanks[0] < whole_flank and movement.start_s - times[0] <= EDGE_S
    goes_on = flanks[1] < whole_flank and times[-1] - movement.end_s <= EDGE_S
    cut_off = bool(begun_before or goes_on)
    return replace(movement, partial=cut_off, cut_off=cut_off)


def _has_usual_length(movement: Movement, criteria: Criteria) -> bool:
    """Whether it is neither too quick nor too slow to be a movement; half of one may take half the time."""
    shortest = SEEN_OF_DURATION * criteria.minimum_s * (0.5 if movement.cut_off else 1.0)
    return shortest <= movement.end_s - movement.start_s <= criteria.maximum_s


def _describe(curve: Curve, turning_points: TurningPoints, criteria: Criteria) -> Movement:
    """Times and angles of one excursion."""
    before, peak, after = turning_points
    sign = criteria.sign
    effort = sign * curve.deg
    rise, fall = effort[peak] - effort[before], effort[peak] - effort[after]
    rom = float(min(rise, fall) if min(rise, fall) >= RETURN_OF_RISE * max(rise, fall) else max(rise, fall))
    start = _last_at_most(effort, before, peak, effort[before] + NEAR_END * rise)
    end = _first_at_most(effort, peak, after, effort[after] + NEAR_END * fall)
    band = min(criteria.hold_band_deg or HOLD_BAND * rom, WIDEST_HOLD_BAND * rom)
    hold_from = _first_at_least(effort, start, peak, effort[peak] - band)
    hold_to = _last_at_least(effort, peak, end, effort[peak] - band)
    return Movement(
        start_s=float(curve.t[start]),
        peak_s=float(curve.t[peak]),
        end_s=float(curve.t[end]),
        start_deg=float(sign * effort[before]),
        peak_deg=float(sign * effort[peak]),
        rom_deg=rom,
        out_s=float(curve.t[hold_from] - curve.t[start]),
        hold_s=float(curve.t[hold_to] - curve.t[hold_from]),
        back_s=float(curve.t[end] - curve.t[hold_to]),
        partial=False,
    )


def _indices(condition: NDArray[np.bool_], offset: int) -> NDArray[np.intp]:
    return np.flatnonzero(condition) + offset


def _last_at_most(effort: Floats, start: int, stop: int, level: float) -> int:
    inside = _indices(effort[start : stop + 1] <= level, start)
    return int(inside[-1]) if inside.size else start


def _first_at_most(effort: Floats, start: int, stop: int, level: float) -> int:
    inside = _indices(effort[start : stop + 1] <= level, start)
    return int(inside[0]) if inside.size else stop


def _first_at_least(effort: Floats, start: int, stop: int, level: float) -> int:
    inside = _indices(effort[start : stop + 1] >= level, start)
    return int(inside[0]) if inside.size else stop


def _last_at_least(effort: Floats, start: int, stop: int, level: float) -> int:
    inside = _indices(effort[start : stop + 1] >= level, start)
    return int(inside[-1]) if inside.size else start
