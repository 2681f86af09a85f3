"""Repetitions in the curve of a joint angle.

A movement is an excursion away from rest and back. Turning points are taken with hysteresis: a swing counts
only when it exceeds a threshold that adapts to the patient's own range in this recording, so that a stiff
knee that moves 30 degrees is counted as surely as one that moves 130, and the sway of someone standing
still is not.
"""

from dataclasses import dataclass

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

NEAR_END = 0.08
"""Fraction of the excursion within which the joint is still at rest, or still at its peak."""


@dataclass(frozen=True)
class Movement:
    """One excursion from rest to its turning point and back; seconds and degrees of the curve's own sign.

    Attributes:
        start_s, peak_s, end_s: When it leaves rest, turns, and is back.
        start_deg, peak_deg: The angle at rest before it, and at the turning point.
        rom_deg: How far it went, from the rest position it is nearer to.
        out_s, hold_s, back_s: Duration of the way out, of the stay at the peak, and of the way back.
        partial: Whether it is much smaller than the patient's other movements.
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


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """What counts as a movement; see `care.exercises.Phases`. Degrees and seconds."""

    rest_is_high: bool
    minimum_rom_deg: float
    partial_below_fraction: float
    minimum_s: float
    maximum_s: float
    hold_band_deg: float | None = None
    swing_of_range: float = SWING_OF_RANGE

    @property
    def sign(self) -> float:
        """What turns the angle into effort, which rises away from rest."""
        return -1.0 if self.rest_is_high else 1.0


def find_movements(curve: Curve, criteria: Criteria) -> list[Movement]:
    """Every movement in a curve, in time order, partial ones marked."""
    if len(curve.t) < 5:  # noqa: PLR2004 - too short for an excursion
        return []
    effort = criteria.sign * curve.deg
    known = effort[curve.known]
    if not known.size:
        return []
    reach = float(np.ptp(np.percentile(known, (2, 98))))
    swing = max(criteria.minimum_rom_deg, criteria.swing_of_range * reach)
    peaks = _separate(effort, _turning_points(effort, swing), reach)
    found = [
        movement
        for before, peak, after in peaks
        if (movement := _describe(curve, (before, peak, after), criteria)) is not None and curve.known[peak]
    ]
    return _mark_partial(found, criteria.partial_below_fraction)


def _turning_points(effort: Floats, swing: float) -> list[tuple[int, int, int]]:
    """(valley, peak, valley) indices of excursions whose rise and fall both reach `swing`.

    The curve may begin and end away from rest: what was not seen to leave rest and turn is not counted.
    """
    valley = peak = 0
    rising = False
    excursions: list[tuple[int, int, int]] = []
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


def _separate(effort: Floats, peaks: list[tuple[int, int, int]], reach: float) -> list[tuple[int, int, int]]:
    """Joins excursions that never came near rest in between: a wobble at the top is not a second
    repetition.
    """
    separate: list[tuple[int, int, int]] = []
    for before, peak, after in peaks:
        if separate:
            first, top, valley = separate[-1]
            lower_top = min(effort[top], effort[peak])
            base = min(effort[first], effort[after])
            if (
                effort[valley] - base > (1 - RETURN_OF_RISE) * (lower_top - base)
                and lower_top - base > 0.3 * reach
            ):
                separate[-1] = (first, top if effort[top] >= effort[peak] else peak, after)
                continue
        separate.append((before, peak, after))
    return separate


def _describe(curve: Curve, turning_points: tuple[int, int, int], criteria: Criteria) -> Movement | None:
    """Times and angles of one excursion; None when it is too quick or too slow to be one."""
    before, peak, after = turning_points
    sign = criteria.sign
    effort = sign * curve.deg
    rise, fall = effort[peak] - effort[before], effort[peak] - effort[after]
    rom = float(min(rise, fall) if min(rise, fall) >= RETURN_OF_RISE * max(rise, fall) else max(rise, fall))
    start = _last_at_most(effort, before, peak, effort[before] + NEAR_END * rise)
    end = _first_at_most(effort, peak, after, effort[after] + NEAR_END * fall)
    band = min(criteria.hold_band_deg or 0.1 * rom, 0.3 * rom)
    hold_from = _first_at_least(effort, start, peak, effort[peak] - band)
    hold_to = _last_at_least(effort, peak, end, effort[peak] - band)
    duration = float(curve.t[end] - curve.t[start])
    if not 0.6 * criteria.minimum_s <= duration <= criteria.maximum_s:
        return None
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


def _mark_partial(movements: list[Movement], fraction: float) -> list[Movement]:
    """Marks movements well below the patient's usual range, taken as the median of the larger half."""
    if not movements:
        return []
    sizes = np.sort([movement.rom_deg for movement in movements])
    usual = float(np.median(sizes[len(sizes) // 2 :]))
    return [
        Movement(**{**movement.__dict__, "partial": movement.rom_deg < fraction * usual})
        for movement in movements
    ]
