"""Which limb an exercise is counted on, and its movements.

Asked for a side, that side is followed. Otherwise the limbs decide: when both move together they are one
movement, seen on the nearer limb from the side and on the mean of both from the front; when they take
turns, each is counted on its own; when only one moves, the other is left out.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pose.angles import SIDES, Side, measure, visibility
from pose.holds import find_holds
from pose.landmarks import LandmarkTrack
from pose.repetitions import Criteria, Movement, find_movements
from pose.smoothing import Curve, smooth
from pose.swaps import follow_limb
from pose.view import CameraView

FAINTEST = 0.2
"""Landmark visibility below which an angle is a guess: an elbow outside the picture has been seen to "bend"
by 70.
"""

STILL_LIMB = 0.5
"""A limb that moves less than this fraction of the other one is not exercising."""

TOGETHER = 0.5
"""Correlation from which two limbs move together."""


@dataclass(frozen=True)
class Limb:
    """One limb, or both as one, with its angle over time and the movements found in it.

    Attributes:
        side: What the movements are labelled with.
        measured_on: The sides whose angles make up the curve.
        curve: The primary angle, smoothed.
        movements: In time order; ROM and angles belong to the primary angle.
        trusted: Fraction of the frames in which the limb could be made out, 0..1.
    """

    side: Literal["left", "right", "both"]
    measured_on: tuple[Side, ...]
    curve: Curve
    movements: list[Movement]
    trusted: float


@dataclass(frozen=True, kw_only=True)
class Motion:
    """What to follow: a signal, how its movements are told, and whether the view is square to it.

    `isometric`: a position is held, rather than a movement repeated.
    """

    signal: str
    criteria: Criteria
    square_on: bool
    both_together: bool
    isometric: bool = False


def follow(track: LandmarkTrack, motion: Motion, view: CameraView, side: str | None) -> list[Limb]:
    """The limbs that exercise, each with its movements; empty when none could be made out.

    Args:
        track: The landmarks.
        motion: What to follow.
        view: From where the camera looks.
        side: "left" or "right" to follow that limb; "both" or None to let the movement decide.
    """
    if side == "left" or side == "right":  # noqa: PLR1714 - narrows the type
        return _limbs(track, motion, [(side, (side,))])
    near = nearer_side(track, motion.signal, view)
    if motion.both_together:
        return _limbs(track, motion, [("both", SIDES if near is None else (near,))])
    if motion.isometric:
        # A limb that is kept still all the time would look like the resting one.
        return _limbs(track, motion, [(one, (one,)) for one in SIDES])
    return _as_they_move(track, motion, near)


def _as_they_move(track: LandmarkTrack, motion: Motion, near: Side | None) -> list[Limb]:
    """Both limbs as one, in turns, or the one that moves; `near` is the side nearer the camera."""
    curves = {one: _angle(track, motion.signal, (one,), square_on=motion.square_on) for one in SIDES}
    left, right = curves["left"][0], curves["right"][0]
    if left is None or right is None:
        return _limbs(track, motion, [(one, (one,)) for one in SIDES if curves[one][0] is not None])
    ranges = {"left": _reach(left), "right": _reach(right)}
    mover: Side = "left" if ranges["left"] >= ranges["right"] else "right"
    if min(ranges.values()) < STILL_LIMB * max(ranges.values()):
        return _limbs(track, motion, [(mover, (mover,))])
    if np.corrcoef(left.deg, right.deg)[0, 1] > TOGETHER:
        # From the side the far limb is mostly a guess of the network: only the near one is vouched for.
        return _limbs(track, motion, [("both", SIDES) if near is None else (near, (near,))])
    return _taking_turns(_limbs(track, motion, [(one, (one,)) for one in SIDES]))


def nearer_side(track: LandmarkTrack, signal: str, view: CameraView) -> Side | None:
    """The side that the camera sees better; None from the front, where it sees both."""
    if view.label == "front":
        return None
    seen = {one: float(np.mean(visibility(track, signal, one))) for one in SIDES}
    if abs(seen["left"] - seen["right"]) > 0.1:  # noqa: PLR2004 - a difference that is not chance
        return "left" if seen["left"] > seen["right"] else "right"
    if view.yaw_deg is None:
        return None
    return "left" if view.yaw_deg > 0 else "right"


def angle_of(track: LandmarkTrack, signal: str, sides: tuple[Side, ...], *, square_on: bool) -> Curve | None:
    """The smoothed mean angle of the given sides; None when it cannot be made out."""
    return _angle(track, signal, sides, square_on=square_on)[0]


def _limbs(
    track: LandmarkTrack,
    motion: Motion,
    wanted: list[tuple[Literal["left", "right", "both"], tuple[Side, ...]]],
) -> list[Limb]:
    limbs: list[Limb] = []
    for label, sides in wanted:
        curve, trusted = _angle(track, motion.signal, sides, square_on=motion.square_on)
        if curve is None:
            continue
        find = find_holds if motion.isometric else find_movements
        limbs.append(Limb(label, sides, curve, find(curve, motion.criteria), trusted))
    return limbs


def _taking_turns(limbs: list[Limb]) -> list[Limb]:
    """The limbs without the smaller of any two movements at the same time: the resting limb sways along."""
    every = [movement for limb in limbs for movement in limb.movements]
    return [
        replace(
            limb,
            movements=[
                movement
                for movement in limb.movements
                if not any(other.rom_deg > movement.rom_deg and _overlap(movement, other) for other in every)
            ],
        )
        for limb in limbs
    ]


def _overlap(one: Movement, other: Movement) -> bool:
    shared = min(one.end_s, other.end_s) - max(one.start_s, other.start_s)
    return shared > 0.5 * min(one.end_s - one.start_s, other.end_s - other.start_s)


def _angle(
    track: LandmarkTrack, signal: str, sides: tuple[Side, ...], *, square_on: bool
) -> tuple[Curve | None, float]:
    curves: list[Curve] = []
    trusted_fraction = 0.0
    for side in sides:
        other: Side = "right" if side == "left" else "left"
        angles = {one: measure(track, signal, one, square_on=square_on) for one in (side, other)}
        followed = follow_limb(track.t, angles[side], angles[other]) if len(sides) == 1 else angles[side]
        trusted = visibility(track, signal, side) >= FAINTEST
        trusted_fraction = max(trusted_fraction, float(np.mean(trusted)))
        curve = smooth(track.t, followed, trusted)
        if curve is not None:
            curves.append(curve)
    if not curves:
        return None, trusted_fraction
    mean = np.mean([curve.deg for curve in curves], axis=0)
    known = np.any([curve.known for curve in curves], axis=0)
    return Curve(curves[0].t, mean, known), trusted_fraction


def _reach(curve: Curve) -> float:
    known = curve.deg[curve.known]
    return float(np.ptp(np.percentile(known, (5, 95)))) if known.size else 0.0
