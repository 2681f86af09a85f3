"""A made-up body whose joint angles are known: landmark tracks without a camera, a person or a model."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pose.landmarks import LANDMARKS, Floats, LandmarkTrack

WIDTH, HEIGHT, PIXELS_PER_METRE = 480, 848, 300.0
THIGH, SHANK, FOOT, TRUNK, UPPER_ARM, FOREARM = 0.43, 0.42, 0.2, 0.5, 0.3, 0.26
HALF_HIPS, HALF_SHOULDERS = 0.1, 0.18
RATE = 15.0

Angle = float | Floats


def rise_and_fall(
    peaks: Sequence[float],
    *,
    rest: float = 5.0,
    there: float = 1.2,
    hold: float = 0.4,
    back: float = 1.2,
    pause: float = 0.8,
) -> tuple[Floats, Floats]:
    """(T,) seconds and (T,) degrees of smooth movements from `rest` to each peak and back."""
    angle: list[Floats] = [np.full(int(1.0 * RATE), rest)]
    for peak in peaks:
        out, kept, home, wait = (max(1, round(duration * RATE)) for duration in (there, hold, back, pause))
        up = _minimum_jerk(out)
        down = _minimum_jerk(home)
        angle += [
            rest + (peak - rest) * up,
            np.full(kept, peak),
            peak + (rest - peak) * down,
            np.full(wait, rest),
        ]
    degrees = np.concatenate(angle)
    return np.arange(len(degrees)) / RATE, degrees


def stick_figure(
    t: Floats,
    *,
    yaw: float = 90.0,
    knees: tuple[Angle, Angle] = (4.0, 4.0),
    hips: tuple[Angle, Angle] = (2.0, 2.0),
    abduction: tuple[Angle, Angle] = (2.0, 2.0),
    shoulders: tuple[Angle, Angle] = (8.0, 8.0),
    arm_plane: float = 0.0,
    elbows: tuple[Angle, Angle] = (8.0, 8.0),
    lean: Angle = 0.0,
    sideways: Angle = 0.0,
    lying: bool = False,
    feet_planted: bool = True,
    noise_deg: float = 0.0,
    depth: bool = True,
) -> LandmarkTrack:
    """A track of a body with the given angles; pairs are (left, right), degrees, scalars or (T,).

    `yaw` is the heading of the camera: 0 in front, +90 on the body's left. `hips` are thigh against trunk.
    `arm_plane` 0 raises the arms ahead, 90 to the side. `lean` and `sideways` are trunk against the vertical,
    ahead and to the body's left. `lying` is on the back. `feet_planted` keeps the left ankle in its place,
    or else the middle of the hips stays. `noise_deg` is the standard deviation of jitter, as the angle it
    makes of a limb. Without `depth` the track has no world landmarks.
    """
    frames = len(t)

    def series(angle: Angle) -> Floats:
        return np.radians(np.broadcast_to(np.asarray(angle, float), (frames,)))

    up = _direction(series(lean), series(sideways))
    ahead = np.stack([np.zeros(frames), -np.sin(series(lean)), np.cos(series(lean))], axis=1)
    across = np.cross(up, ahead)
    body = np.zeros((frames, LANDMARKS, 3))
    shoulder_middle = up * TRUNK
    for side, sign in ((0, 1.0), (1, -1.0)):
        hip = across * (sign * HALF_HIPS)
        bend, out = series(hips[side]), series(abduction[side])
        thigh = _turn(-up, ahead, bend) * np.cos(out)[:, None] + across * (sign * np.sin(out))[:, None]
        thigh_front = _turn(ahead, up, bend)
        knee = hip + thigh * THIGH
        shank = _turn(thigh, -thigh_front, series(knees[side]))
        ankle = knee + shank * SHANK
        toe = np.cross(across, shank) * -FOOT
        plane = np.radians(arm_plane)
        to_plane = ahead * np.cos(plane) + across * (sign * np.sin(plane))
        shoulder = shoulder_middle + across * (sign * HALF_SHOULDERS)
        arm = _turn(-up, to_plane, series(shoulders[side]))
        elbow = shoulder + arm * UPPER_ARM
        forearm = _turn(arm, _turn(to_plane, up, series(shoulders[side])), series(elbows[side]))
        places = {11: shoulder, 13: elbow, 15: elbow + forearm * FOREARM, 23: hip, 25: knee, 27: ankle}
        places |= {29: ankle - toe * 0.25 + shank * 0.04, 31: ankle + toe * 0.75 + shank * 0.04}
        places |= {7: shoulder_middle + up * 0.25 + across * (sign * 0.07)}
        for index, place in places.items():
            body[:, index + side] = place
    body[:, 0] = shoulder_middle + up * 0.22 + ahead * 0.1
    for index in (1, 2, 3, 4, 5, 6, 9, 10):
        body[:, index] = body[:, 0]
    for index in (17, 19, 21):
        body[:, index], body[:, index + 1] = body[:, 15], body[:, 16]
    if lying:
        body = body @ np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
    turn = -np.radians(yaw)
    heading = np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])
    return _seen(t, body @ heading, yaw, planted=feet_planted and not lying, noise_deg=noise_deg, depth=depth)


def _seen(
    t: Floats, body: Floats, yaw: float, *, planted: bool, noise_deg: float, depth: bool
) -> LandmarkTrack:
    generator = np.random.default_rng(7)
    body = body + generator.normal(0.0, np.radians(noise_deg) * 0.3, body.shape)
    anchor = body[:, 27:28] if planted else np.zeros((len(t), 1, 3))
    floor = np.array([0.0, -0.85 if planted else 0.0, 0.0])
    placed = body - anchor + floor
    image = np.zeros((len(t), LANDMARKS, 4))
    image[:, :, 0] = 0.5 + placed[:, :, 0] * PIXELS_PER_METRE / WIDTH
    image[:, :, 1] = 0.5 - placed[:, :, 1] * PIXELS_PER_METRE / HEIGHT
    image[:, :, 2] = -placed[:, :, 2]
    image[:, :, 3] = _visibility(yaw)
    world = np.concatenate([body * (1.0, -1.0, -1.0), image[:, :, 3:]], axis=2)
    return LandmarkTrack(t=t, image=image, world=world if depth else None, width=WIDTH, height=HEIGHT)


def _visibility(yaw: float) -> Floats:
    """(33,) the far side of the body is harder to see."""
    visible = np.full(LANDMARKS, 0.98)
    if abs(yaw) > 45:
        far = slice(12, None, 2) if yaw > 0 else slice(11, None, 2)
        visible[far] = 0.6
    return visible


def _direction(ahead: Floats, sideways: Floats) -> Floats:
    return np.stack(
        [np.sin(sideways) * np.cos(ahead), np.cos(sideways) * np.cos(ahead), np.sin(ahead)], axis=1
    )


def _turn(start: Floats, towards: Floats, angle: Floats) -> Floats:
    return start * np.cos(angle)[:, None] + towards * np.sin(angle)[:, None]


def _minimum_jerk(frames: int) -> Floats:
    x: NDArray[np.float64] = np.arange(1, frames + 1) / frames
    return x**3 * (10 - 15 * x + 6 * x * x)
