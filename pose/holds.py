"""Holds in the curve of a joint angle: how long a position was kept.

A hold may be all that a recording shows: people who stand on one leg start and stop the camera while they do.
So a hold is not told by its way out and back but by its angle, against the exercise's own angle at rest.
"""

import numpy as np

from pose.landmarks import Floats
from pose.repetitions import EDGE_S, Criteria, Movement, mark_partial
from pose.smoothing import Curve

BACK_AT_REST = 0.5
"""Fraction of the smallest excursion below which the position has been given up. Without this hysteresis a
foot that is barely off the floor would begin a new hold with every tremor.
"""


def find_holds(curve: Curve, criteria: Criteria) -> list[Movement]:
    """Every hold in a curve, in time order; one that the recording cuts off has the time that was seen."""
    if not curve.known.any():
        return []
    away = criteria.sign * (curve.deg - criteria.rest_deg)
    # From the side a phone at hip height shows the far foot higher by a few degrees, even on the floor.
    nearest_rest = float(away[curve.known].min())
    if 0.0 < nearest_rest < criteria.minimum_rom_deg:
        away = away - nearest_rest
    found: list[Movement] = []
    for first, last in _spells(away, criteria.minimum_rom_deg):
        seen_s = int(curve.known[first : last + 1].sum()) * curve.step_s
        if seen_s >= criteria.minimum_s:
            found.append(_describe(curve, away, (first, last), criteria))
    return mark_partial(found, criteria.partial_below_fraction)


def _spells(away: Floats, least: float) -> list[tuple[int, int]]:
    """First and last indices of the times away from rest: `least` or more, until back to a fraction of it."""
    inside = np.flatnonzero(away >= BACK_AT_REST * least)
    runs = np.split(inside, np.flatnonzero(np.diff(inside) > 1) + 1)
    return [(int(run[0]), int(run[-1])) for run in runs if run.size and away[run].max() >= least]


def _describe(curve: Curve, away: Floats, spell: tuple[int, int], criteria: Criteria) -> Movement:
    """Times and angles of one hold; it is held while within the band of its median angle."""
    first, last = spell
    inside = away[first : last + 1]
    peak = first + int(inside.argmax())
    band = criteria.hold_band_deg or criteria.minimum_rom_deg
    held = first + np.flatnonzero(inside >= np.median(inside) - band)
    start_s, end_s = float(curve.t[first]), float(curve.t[last])
    held_from_s, held_to_s = float(curve.t[held[0]]), float(curve.t[held[-1]])
    known = curve.t[curve.known]
    return Movement(
        start_s=start_s,
        peak_s=float(curve.t[peak]),
        end_s=end_s,
        start_deg=float(curve.deg[first]),
        peak_deg=float(curve.deg[peak]),
        rom_deg=float(away[peak]),
        out_s=held_from_s - start_s,
        hold_s=held_to_s - held_from_s,
        back_s=end_s - held_to_s,
        partial=False,
        cut_off=bool(start_s - known[0] <= EDGE_S or known[-1] - end_s <= EDGE_S),
    )
