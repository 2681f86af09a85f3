"""Which exercise a recording shows, when nobody said.

A handful of features say in what posture the body is and which joints move how far. Each exercise has a
profile (data/recognition.yaml) of what it looks like; the nearest profile is the guess, and when none is
near the motion is counted all the same on the joint that moves most.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec
import numpy as np

from care.exercises import Exercise
from pose.angles import SIDES, Side, body_of, measure, visibility
from pose.landmarks import ANKLE, ELBOW, HIP, SHOULDER, Floats, LandmarkTrack
from pose.limbs import FAINTEST, Motion, nearer_side
from pose.repetitions import UNSURE_SWING_OF_RANGE, Criteria
from pose.smoothing import smooth
from pose.view import CameraView

LEAST_CONFIDENCE = 0.35
"""Below this no guess is made."""

DESCRIBED = (
    "knee_flexion",
    "hip_flexion",
    "hip_abduction",
    "elbow_flexion",
    "shoulder_elevation",
    "shoulder_external_rotation",
)
"""Signals whose travel describes a motion."""


class Trait(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a feature is usually like, and how far it may stray; beyond `centre` in the `open` direction is
    fine.
    """

    centre: float
    tolerance: float
    open: str = ""


class UnknownMotion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a motion that was not recognised is counted; the fields of `care.exercises.Phases` mean the same.

    `usual_excursion_deg` is a full movement of each signal it may be counted on, to make them comparable.
    """

    usual_excursion_deg: dict[str, float]
    minimum_rom_deg: float
    partial_below_fraction: float
    minimum_repetition_s: float
    maximum_repetition_s: float


class Profiles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Traits by feature, by exercise id; and what to do without any."""

    as_of: dt.date
    source: str
    unknown_motion: UnknownMotion
    profiles: dict[str, dict[str, Trait]]


@dataclass(frozen=True)
class Guess:
    """The most likely exercise; confidence 0..1 is its share among all, times how well it fits."""

    exercise: Exercise
    confidence: float


@cache
def profiles() -> Profiles:
    path = Path(__file__).parent / "data" / "recognition.yaml"
    return msgspec.yaml.decode(path.read_bytes(), type=Profiles)


def recognize(track: LandmarkTrack, view: CameraView, exercises: Iterable[Exercise]) -> Guess | None:
    """The exercise whose profile fits best, or None. A track without depth shows too little to tell."""
    if track.world is None:
        return None
    features = describe(track, view)
    known = profiles().profiles
    fits = {
        one: _fit(features, known[one.id])
        for one in exercises
        if one.id in known and one.motion.kind == "repetitions"
    }
    if not fits:
        return None
    best = max(fits, key=lambda one: fits[one])
    confidence = fits[best] * fits[best] / max(sum(fits.values()), 1e-9)
    return Guess(best, confidence) if confidence >= LEAST_CONFIDENCE else None


def counting_without_exercise(track: LandmarkTrack, view: CameraView) -> Motion:
    """How to count a motion that was not recognised: on the signal that moves furthest for its joint."""
    square_on = view.label != "oblique"
    unknown = profiles().unknown_motion

    def explained(name: str) -> float:
        curves = [_steady(track, name, side, square_on=square_on) for side in SIDES]
        return max(_periodic_reach(curve, track.rate) for curve in curves) / unknown.usual_excursion_deg[name]

    signal = max(unknown.usual_excursion_deg, key=explained)
    side = nearer_side(track, signal, view) or "left"
    angle = _steady(track, signal, side, square_on=square_on)
    return Motion(
        signal=signal,
        criteria=Criteria(
            rest_is_high=_rests_high(angle),
            minimum_rom_deg=unknown.minimum_rom_deg,
            partial_below_fraction=unknown.partial_below_fraction,
            minimum_s=unknown.minimum_repetition_s,
            maximum_s=unknown.maximum_repetition_s,
            swing_of_range=UNSURE_SWING_OF_RANGE,
        ),
        square_on=square_on,
        both_together=False,
    )


def describe(track: LandmarkTrack, view: CameraView) -> dict[str, float]:
    """The features: degrees, or fractions of a leg's length where the name says so."""
    near: tuple[Side, ...] = SIDES if (side := nearer_side(track, "knee_flexion", view)) is None else (side,)
    features: dict[str, float] = {}
    for name in DESCRIBED:
        flat = view.label == ("front" if name == "hip_abduction" else "side")
        angles = {one: _steady(track, name, one, square_on=flat) for one in near}
        mover = max(angles, key=lambda one: _reach(angles[one]))
        angle = angles[mover]
        low, high = np.nanpercentile(angle, (3, 97)) if np.isfinite(angle).any() else (0.0, 0.0)
        features |= {
            f"{name}_reach": float(high - low),
            f"{name}_low": float(low),
            f"{name}_high": float(high),
        }
        opening = angle[np.isfinite(angle)][: max(3, int(0.5 * track.rate))]
        features[f"{name}_start"] = float(np.median(opening)) if opening.size else 0.0
    body = body_of(track)
    up, forward = body.trunk_up, body.forward
    features["trunk_from_vertical"] = float(np.nanmedian(np.degrees(np.arccos(np.clip(up[:, 1], -1, 1)))))
    features["chest_up"] = float(np.nanmedian(forward[:, 1]))
    leg = float(np.nanmedian(np.linalg.norm(body.at(HIP, near[0]) - body.at(ANKLE, near[0]), axis=1)))
    split = np.abs(np.sum((body.at(ANKLE, "left") - body.at(ANKLE, "right")) * forward, axis=1))
    features["feet_split_of_leg"] = float(np.nanmedian(split)) / max(leg, 1e-9)
    features["hip_rise_of_leg"] = _hip_rise(track)
    features["arm_sideways"] = _arm_sideways(track, near)
    return features


def _fit(features: dict[str, float], traits: dict[str, Trait]) -> float:
    """0..1, falling with the squared distance from the profile."""
    strays: list[float] = []
    for name, trait in traits.items():
        away = (features[name] - trait.centre) / trait.tolerance
        if (trait.open == "above" and away > 0) or (trait.open == "below" and away < 0):
            away = 0.0
        strays.append(min(away * away, 16.0))
    return float(np.exp(-0.5 * np.sum(strays) / np.sqrt(len(strays))))


def _steady(track: LandmarkTrack, name: str, side: Side, *, square_on: bool) -> Floats:
    """The smoothed angle where it is known, NaN elsewhere."""
    curve = smooth(
        track.t, measure(track, name, side, square_on=square_on), visibility(track, name, side) >= FAINTEST
    )
    if curve is None:
        return np.full(track.frames, np.nan)
    known = curve.deg.copy()
    known[~curve.known] = np.nan
    return known


def _reach(angle: Floats) -> float:
    return float(np.ptp(np.nanpercentile(angle, (3, 97)))) if np.isfinite(angle).any() else 0.0


def _periodic_reach(angle: Floats, rate: float) -> float:
    """Reach times how well the angle repeats itself: its best correlation with itself a repetition later."""
    if np.isfinite(angle).sum() < 2:  # noqa: PLR2004 - nothing repeats
        return 0.0
    known = np.isfinite(angle)
    whole = np.interp(np.arange(len(angle)), np.flatnonzero(known), angle[known])
    centred: Floats = np.asarray(whole - np.mean(whole), float)
    power = float(np.mean(centred**2))
    shortest, longest = max(1, int(0.8 * rate)), min(len(centred) // 2, int(10 * rate))
    if power < 1e-9 or shortest >= longest:  # noqa: PLR2004 - no movement, or too short to repeat
        return 0.1 * _reach(angle)
    later = np.array(
        [float(np.mean(centred[lag:] * centred[:-lag])) / power for lag in range(shortest, longest)]
    )
    # Nearly constant correlation at short lags is slowness, not repetition: count from the first dip on.
    first_dip = int(np.argmax(later < later.max() * 0.5)) if (later < later.max() * 0.5).any() else 0
    return _reach(angle) * max(0.1, float(later[first_dip:].max()))


def _rests_high(angle: Floats) -> bool:
    """Whether the joint starts and lingers at the high end of its travel."""
    known = angle[np.isfinite(angle)]
    if not known.size:
        return False
    low, high = np.percentile(known, (3, 97))
    height: Floats = np.asarray((known - low) / max(float(high - low), 1e-9), float)
    ends = np.concatenate([height[: max(1, len(height) // 20)], height[-max(1, len(height) // 20) :]])
    lingering = float(np.mean(height > 0.75)) - float(np.mean(height < 0.25))  # noqa: PLR2004 - the outer quarters
    return lingering + float(np.mean(ends)) > 0.5  # noqa: PLR2004 - half-way up


def _hip_rise(track: LandmarkTrack) -> float:
    """How far the hips travel up and down in the picture, as a fraction of the longest leg seen."""
    points = track.pixels()
    hips = (points[:, HIP["left"], 1] + points[:, HIP["right"], 1]) / 2
    legs = np.linalg.norm(
        points[:, [HIP["left"], HIP["right"]]] - points[:, [ANKLE["left"], ANKLE["right"]]], axis=2
    )
    return float(np.ptp(np.nanpercentile(hips, (3, 97)))) / max(float(np.nanpercentile(legs, 95)), 1e-9)


def _arm_sideways(track: LandmarkTrack, near: tuple[Side, ...]) -> float:
    """Plane in which the arm is raised when it is highest: 0 straight ahead, 1 straight to the side."""
    body = body_of(track)
    planes: list[float] = []
    for side in near:
        arm = body.at(ELBOW, side) - body.at(SHOULDER, side)
        elevation = measure(track, "shoulder_elevation", side, square_on=False)
        high = elevation >= np.nanpercentile(elevation, 70)
        out = np.abs(np.sum(arm * body.outward(side), axis=1))[high]
        ahead = np.abs(np.sum(arm * body.forward, axis=1))[high]
        planes.append(float(np.nanmedian(out / np.maximum(out + ahead, 1e-9))))
    return float(np.mean(planes))
