"""The landmark network behind a typed face: an RGB picture in, 33 points out."""

import sys
import types
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from pose.landmarks import LANDMARKS, Floats
from pose.pictures import Picture

Untyped: TypeAlias = Any
"""mediapipe and its objects: it ships no types."""


class Landmarker:
    """One MediaPipe pose landmarker.

    Args:
        bundle: Path of the `.task` bundle.
        people: How many people to look for.
        follows: True tracks one body from picture to picture, which must then come with rising times;
            False looks at each picture anew.
    """

    def __init__(self, bundle: str, *, people: int = 1, follows: bool = True) -> None:
        self._mediapipe = _import_mediapipe()
        vision = self._mediapipe.tasks.vision
        mode = vision.RunningMode.VIDEO if follows else vision.RunningMode.IMAGE
        options = vision.PoseLandmarkerOptions(
            base_options=self._mediapipe.tasks.BaseOptions(model_asset_path=bundle),
            running_mode=mode,
            num_poses=people,
        )
        self._network = vision.PoseLandmarker.create_from_options(options)

    def follow(self, picture: Picture, milliseconds: int) -> tuple[Floats, Floats] | None:
        """Image and world landmarks, each (33, 4), of the followed person; None when nobody is there."""
        found = self._network.detect_for_video(self._image(picture), milliseconds)
        if not found.pose_landmarks:
            return None
        return _points(found.pose_landmarks[0]), _points(found.pose_world_landmarks[0])

    def find(self, picture: Picture) -> list[Floats]:
        """Image landmarks, each (33, 4), of everybody in one picture."""
        return [_points(person) for person in self._network.detect(self._image(picture)).pose_landmarks]

    def close(self) -> None:
        self._network.close()

    def _image(self, picture: Picture) -> Untyped:
        return self._mediapipe.Image(
            image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture)
        )


def _points(landmarks: Untyped) -> Floats:
    points = [(point.x, point.y, point.z, point.visibility) for point in landmarks]
    return np.array(points, np.float64).reshape(LANDMARKS, 4)


def _import_mediapipe() -> Untyped:
    """Imports mediapipe without its plotting.

    Its drawing module loads matplotlib.pyplot, which costs a third of a second and wants to write a font
    cache: nothing is plotted in the process that runs the model, so an empty module stands in meanwhile.
    """
    absent: list[str] = []
    for name in ("matplotlib", "matplotlib.pyplot"):
        if name not in sys.modules:
            sys.modules[name] = types.ModuleType(name)
            absent.append(name)
    load: Callable[[str], Untyped] = __import__
    try:
        return load("mediapipe")
    finally:
        for name in absent:
            del sys.modules[name]
