"""What the picture itself says against an analysis: darkness, a moving camera, several people."""

from dataclasses import dataclass, field
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from pose.landmarks import Floats
from pose.pictures import Picture

DARK_LEVEL = 28.0
"""Mean brightness (0..255) under which nobody can be made out; a dim living room measures about 60."""

CAMERA_WANDERS = 0.06
"""Travel of the background, as a fraction of the picture's longer side, that is worth a warning."""

CAMERA_MOVES = 0.35
"""Travel beyond which joint angles of a person cannot be told from the movement of the camera."""

_LOOK_EVERY_S = 0.19
_LOOK_LONG_SIDE = 240
_PERSON_MARGIN = 0.05
_FIELDS = 5
_FEWEST_FIELDS = 5
_AGREEING_FIELDS = 0.7
_SIMILAR_SIZE = 0.6
_SAME_PERSON_OVERLAP = 0.4


@dataclass
class SceneWatch:
    """Looks at a picture a few times a second and remembers brightness and how the background travelled."""

    brightness: list[float] = field(default_factory=list[float])
    _path: list[Floats] = field(default_factory=lambda: [np.zeros(2)])
    _last: NDArray[np.uint8] | None = None
    _last_t: float = -1e9

    def look(self, picture: Picture, person: Floats | None, t: float) -> None:
        """Takes in a picture.

        Args:
            picture: (height, width, 3) RGB.
            person: (33, 4) image landmarks of the followed person, kept out of the background; None if
                nobody.
            t: Seconds.
        """
        if t - self._last_t < _LOOK_EVERY_S:
            return
        self._last_t = t
        scale = _LOOK_LONG_SIDE / max(picture.shape[:2])
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
        self.brightness.append(float(grey.mean()))
        if self._last is not None:
            step = _background_step(self._last, grey, person)
            self._path.append(self._path[-1] + step)
        self._last = grey

    @property
    def dark(self) -> bool:
        return bool(self.brightness) and float(np.median(self.brightness)) < DARK_LEVEL

    @property
    def camera_travel(self) -> float:
        """How far the background wandered, as a fraction of the picture's longer side."""
        path = np.array(self._path)
        return float(np.hypot(*np.ptp(path, axis=0)) / _LOOK_LONG_SIDE)


def _background_step(before: NDArray[np.uint8], now: NDArray[np.uint8], person: Floats | None) -> Floats:
    """(2,) shift in pixels of the background between two pictures; zeros when it is too plain to tell.

    A moving camera moves the whole background alike; a shadow on the wall or a clock moves a corner of it.
    So the picture is divided into fields, and most fields must agree.
    """
    height, width = before.shape
    mask = np.full((height, width), 255, np.uint8)
    if person is not None:
        margin = _PERSON_MARGIN * max(height, width)
        left, top = np.floor(person[:, :2].min(axis=0) * (width, height) - margin).astype(int)
        right, bottom = np.ceil(person[:, :2].max(axis=0) * (width, height) + margin).astype(int)
        mask[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = 0
    # Despite its stub, OpenCV answers None when there is no corner.
    corners = cast("NDArray[np.float32] | None", cv2.goodFeaturesToTrack(before, 120, 0.02, 6, mask=mask))
    if corners is None:
        return np.zeros(2)
    found, tracked, _ = cv2.calcOpticalFlowPyrLK(before, now, corners, np.empty_like(corners))
    good = tracked.reshape(-1) == 1
    places = corners.reshape(-1, 2)[good]
    shifts = (found - corners).reshape(-1, 2)[good]
    fields = (places // (np.array([width, height]) / _FIELDS)).astype(int) @ np.array([1, _FIELDS])
    by_field = np.array([np.median(shifts[fields == field], axis=0) for field in np.unique(fields)]).reshape(
        -1, 2
    )
    if len(by_field) < _FEWEST_FIELDS:
        return np.zeros(2)
    shift = np.median(by_field, axis=0)
    agreeing = np.linalg.norm(by_field - shift, axis=1) < 1.0 + 0.1 * np.linalg.norm(shift)
    return shift.astype(float) if agreeing.mean() >= _AGREEING_FIELDS else np.zeros(2)


def is_crowded(people: list[Floats]) -> bool:
    """Whether a second person of similar size is in the picture.

    Someone small in the background does not count, nor the same body found twice.
    """
    boxes = sorted((_box(person) for person in people), key=_area, reverse=True)
    return any(
        _height(other) >= _SIMILAR_SIZE * _height(boxes[0])
        and _overlap(boxes[0], other) < _SAME_PERSON_OVERLAP
        for other in boxes[1:]
    )


def _box(person: Floats) -> Floats:
    return np.concatenate([person[:, :2].min(axis=0), person[:, :2].max(axis=0)])


def _height(box: Floats) -> float:
    return float(box[3] - box[1])


def _area(box: Floats) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


def _overlap(one: Floats, other: Floats) -> float:
    """Shared area as a fraction of the smaller box."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    return float(np.prod(np.maximum(sides, 0.0)) / max(min(_area(one), _area(other)), 1e-9))
