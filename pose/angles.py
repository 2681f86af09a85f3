"""Anatomical joint angles from landmarks, as named signals.

Degrees; 0 is the anatomical position; flexion, abduction and plantarflexion are positive; left and right stay
apart. A signal is measured in the picture (2-D) when the camera looks square onto the plane of its motion,
and from the world landmarks (3-D) otherwise: on the validation clips 2-D side views are within 3 to 9
degrees, while 3-D takes 20 to 40 degrees off a deep knee bend but still moves with it from any side.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pose.landmarks import (
    ANKLE,
    EAR,
    ELBOW,
    HEEL,
    HIP,
    KNEE,
    NOSE,
    SHOULDER,
    TOE,
    WRIST,
    Floats,
    LandmarkTrack,
)

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")
Landmark = dict[str, int]

ANKLE_TO_BALL_OF_LEG = 0.14
"""Distance from the ankle to the ball of the foot as a fraction of hip to ankle (validation avatars, 0.13
to 0.15).
"""


LEAST_FOREARM_ACROSS = 0.4
"""How much of the forearm must point away from the upper arm's line for its rotation to be seen."""


@dataclass(frozen=True)
class Body:
    """Positions of landmarks over time.

    Attributes:
        points: (T, 33, 2) pixels or (T, 33, 3) metres, x to the picture's right, y up, z towards the camera.
        facing: +1 when the body's front is clockwise from the trunk's upward direction in the picture (a
            person standing and looking to the picture's right), -1 when it is counter-clockwise.
    """

    points: Floats
    facing: float

    def at(self, landmark: Landmark, side: Side) -> Floats:
        return self.points[:, landmark[side]]

    def middle(self, landmark: Landmark) -> Floats:
        return (self.at(landmark, "left") + self.at(landmark, "right")) / 2

    @property
    def flat(self) -> bool:
        return self.points.shape[-1] == 2  # noqa: PLR2004 - two dimensions

    @property
    def trunk_up(self) -> Floats:
        return _unit(self.middle(SHOULDER) - self.middle(HIP))

    def outward(self, side: Side) -> Floats:
        """Unit vector from the middle of the body to one side, square to the trunk."""
        across = (
            self.at(HIP, "left")
            - self.at(HIP, "right")
            + self.at(SHOULDER, "left")
            - self.at(SHOULDER, "right")
        )
        up = self.trunk_up
        return _unit(across - up * _dot(across, up)[:, None]) * (1.0 if side == "left" else -1.0)

    @property
    def forward(self) -> Floats:
        """Unit vector out of the chest; in the picture, square to the trunk on the side the body faces."""
        up = self.trunk_up
        if self.flat:
            return np.stack([up[:, 1], -up[:, 0]], axis=1) * self.facing
        return np.cross(self.outward("left"), up)


@dataclass(frozen=True)
class Signal:
    """A named angle of one side of the body.

    Attributes:
        measure: From positions and a side to (T,) degrees.
        landmarks: What must be visible for it to be trusted.
        deep: Whether it needs 3-D positions in every view.
        flat: Whether it is read from the picture in every view.
    """

    measure: Callable[[Body, Side], Floats]
    landmarks: tuple[Landmark, ...]
    deep: bool = False
    flat: bool = False


def measure(track: LandmarkTrack, name: str, side: Side, *, square_on: bool) -> Floats:
    """(T,) degrees of a signal, NaN where nobody was found.

    Args:
        track: The landmarks.
        name: One of `SIGNALS`.
        side: Side of the body.
        square_on: Whether the camera looks square onto the plane of the motion; then 2-D, else 3-D.
    """
    signal = SIGNALS[name]
    flat = track.world is None or signal.flat or (square_on and not signal.deep)
    return signal.measure(_flat(track) if flat else body_of(track), side)


def visibility(track: LandmarkTrack, name: str, side: Side) -> Floats:
    """(T,) visibility 0..1 of the least visible landmark of a signal; 0 where nobody was found."""
    points = [track.image[:, landmark[side], 3] for landmark in SIGNALS[name].landmarks]
    return np.nan_to_num(np.min(points, axis=0), nan=0.0)


def body_of(track: LandmarkTrack) -> Body:
    """The body in space. Raises ValueError for a track without depth."""
    if track.world is None:
        raise ValueError("this track has no depth")
    return Body(track.world[:, :, :3] * (1.0, -1.0, -1.0), 1.0)


def _flat(track: LandmarkTrack) -> Body:
    return Body(track.pixels() * (1.0, -1.0), _facing(track))


def _facing(track: LandmarkTrack) -> float:
    """Which way the body faces in the picture, over the whole recording; see `Body.facing`."""
    picture = Body(track.pixels() * (1.0, -1.0), 1.0)
    if track.world is not None:
        ahead = body_of(track).forward[:, :2]
    else:
        ahead = picture.points[:, NOSE] - picture.middle(EAR)
    agreement = _dot(ahead, picture.forward)
    agreement = agreement[np.isfinite(agreement)]
    return -1.0 if agreement.size and np.median(agreement) < 0 else 1.0


def _unit(vectors: Floats) -> Floats:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _dot(one: Floats, other: Floats) -> Floats:
    return np.sum(one * other, axis=-1)


def _between(one: Floats, other: Floats) -> Floats:
    return np.degrees(np.arccos(np.clip(_dot(_unit(one), _unit(other)), -1.0, 1.0)))


def _bend(body: Body, side: Side, chain: tuple[Landmark, Landmark, Landmark]) -> Floats:
    """How far a joint is bent away from straight."""
    above, joint, below = (body.at(landmark, side) for landmark in chain)
    return 180.0 - _between(above - joint, below - joint)


def _knee_flexion(body: Body, side: Side) -> Floats:
    return _bend(body, side, (HIP, KNEE, ANKLE))


def _elbow_flexion(body: Body, side: Side) -> Floats:
    return _bend(body, side, (SHOULDER, ELBOW, WRIST))


def _hip_flexion(body: Body, side: Side) -> Floats:
    """Thigh against trunk; negative in hyperextension."""
    thigh = body.at(KNEE, side) - body.at(HIP, side)
    return np.degrees(np.arctan2(_dot(thigh, body.forward), -_dot(thigh, body.trunk_up)))


def _hip_abduction(body: Body, side: Side) -> Floats:
    """Thigh against trunk, away from the other leg."""
    thigh = body.at(KNEE, side) - body.at(HIP, side)
    return np.degrees(np.arctan2(_dot(thigh, body.outward(side)), -_dot(thigh, body.trunk_up)))


def _plantarflexion(body: Body, side: Side) -> Floats:
    """Foot against shank; 0 when they are square."""
    return (
        _between(body.at(KNEE, side) - body.at(ANKLE, side), body.at(TOE, side) - body.at(HEEL, side)) - 90.0
    )


def _heel_rise(body: Body, side: Side) -> Floats:
    """How far the foot has tipped over its ball, from how far the hips have risen above standing level.

    The hips show a heel raise from any direction and far more quietly than the small foot does.
    """
    hips = body.middle(HIP)[:, 1]
    leg = np.nanmedian(np.linalg.norm(body.at(HIP, side) - body.at(ANKLE, side), axis=-1))
    rise = (hips - np.nanpercentile(hips, 10)) / max(float(leg) * ANKLE_TO_BALL_OF_LEG, 1e-9)
    return np.degrees(np.arcsin(np.clip(rise, -1.0, 1.0)))


def _shoulder_elevation(body: Body, side: Side) -> Floats:
    """Upper arm against trunk, in whatever plane it is raised."""
    return _between(body.at(ELBOW, side) - body.at(SHOULDER, side), -body.trunk_up)


def _shoulder_external_rotation(body: Body, side: Side) -> Floats:
    """Forearm about the hanging upper arm: 0 straight ahead, positive outwards; unknown while the arm is
    straight.
    """
    forearm = _unit(body.at(WRIST, side) - body.at(ELBOW, side))
    out, ahead = _dot(forearm, body.outward(side)), _dot(forearm, body.forward)
    angle = np.degrees(np.arctan2(out, ahead))
    angle[np.hypot(out, ahead) < LEAST_FOREARM_ACROSS] = np.nan
    return angle


def _trunk_flexion(body: Body, _side: Side) -> Floats:
    """Trunk against the vertical, forwards positive."""
    up = body.trunk_up
    if body.flat:
        return np.degrees(np.arctan2(up[:, 0] * body.facing, up[:, 1]))
    level = body.forward * (1.0, 0.0, 1.0)
    return np.degrees(np.arctan2(_dot(up, _unit(level)), up[:, 1]))


def _trunk_lateral_lean(body: Body, side: Side) -> Floats:
    """Trunk against the vertical, towards the given side positive."""
    up = body.trunk_up
    level = body.outward(side) * ((1.0, 0.0) if body.flat else (1.0, 0.0, 1.0))
    return np.degrees(np.arctan2(_dot(up, _unit(level)), up[:, 1]))


def _knee_valgus(body: Body, side: Side) -> Floats:
    """Frontal-plane projection angle of the knee, inwards positive."""
    outward, up = body.outward(side), body.trunk_up
    thigh = body.at(KNEE, side) - body.at(HIP, side)
    shank = body.at(ANKLE, side) - body.at(KNEE, side)
    return np.degrees(
        np.arctan2(_dot(shank, outward), -_dot(shank, up))
        - np.arctan2(_dot(thigh, outward), -_dot(thigh, up))
    )


def _shoulder_hike(body: Body, side: Side) -> Floats:
    """How far the line of the shoulders rises towards the given side."""
    other: Side = "right" if side == "left" else "left"
    line = body.at(SHOULDER, side) - body.at(SHOULDER, other)
    return np.degrees(np.arctan2(_dot(line, body.trunk_up), np.abs(_dot(line, body.outward(side)))))


def _single_leg_support(body: Body, side: Side) -> Floats:
    """How far the other foot is off the floor: the angle at which the line of the ankles rises, seen from a
    leg's length away. It is 0 on both feet and about 30 when the free foot is at mid-shank.
    """
    other: Side = "right" if side == "left" else "left"
    lift = body.at(ANKLE, other)[:, 1] - body.at(ANKLE, side)[:, 1]
    leg = np.linalg.norm(body.at(HIP, side) - body.at(ANKLE, side), axis=-1)
    return np.degrees(np.arcsin(np.clip(lift / np.maximum(leg, 1e-9), -1.0, 1.0)))


SIGNALS: dict[str, Signal] = {
    "knee_flexion": Signal(_knee_flexion, (HIP, KNEE, ANKLE)),
    "hip_flexion": Signal(_hip_flexion, (SHOULDER, HIP, KNEE)),
    "hip_abduction": Signal(_hip_abduction, (HIP, KNEE)),
    "ankle_plantarflexion": Signal(_plantarflexion, (KNEE, ANKLE, TOE)),
    "heel_rise": Signal(_heel_rise, (HIP, ANKLE), flat=True),
    "elbow_flexion": Signal(_elbow_flexion, (SHOULDER, ELBOW, WRIST)),
    "shoulder_elevation": Signal(_shoulder_elevation, (HIP, SHOULDER, ELBOW)),
    "shoulder_external_rotation": Signal(_shoulder_external_rotation, (SHOULDER, ELBOW, WRIST), deep=True),
    "shoulder_hike": Signal(_shoulder_hike, (SHOULDER,)),
    "trunk_flexion": Signal(_trunk_flexion, (SHOULDER, HIP)),
    "trunk_lateral_lean": Signal(_trunk_lateral_lean, (SHOULDER, HIP)),
    "knee_valgus": Signal(_knee_valgus, (HIP, KNEE, ANKLE)),
    "single_leg_support": Signal(_single_leg_support, (HIP, ANKLE)),
}
"""Every signal by the name that exercises use for it."""
