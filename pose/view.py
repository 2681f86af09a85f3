"""From where the camera looks at the body."""

from dataclasses import dataclass

import numpy as np

from care.exercises import View as ViewLabel
from pose.landmarks import HIP, SHOULDER, LandmarkTrack

FRONT_BELOW_DEG = 25.0
SIDE_FROM_DEG = 65.0


@dataclass(frozen=True)
class CameraView:
    """The camera's heading about the body's long axis.

    Attributes:
        yaw_deg: 0 in front of the body, +90 on its left, -90 on its right, ±180 behind; None when unknown.
        label: The view as exercises name it; a view from behind counts as front, since it shows the same
            plane.
    """

    yaw_deg: float | None
    label: ViewLabel


def estimate_view(track: LandmarkTrack) -> CameraView:
    """The usual view of the recording, from the lines through both shoulders and both hips in 3-D.

    A track without depth gets the oblique view, which promises nothing.
    """
    if track.world is None:
        return CameraView(None, "oblique")
    world = track.world[track.present]
    if not len(world):
        return CameraView(None, "oblique")
    across = sum(
        (world[:, pair["left"], :3] - world[:, pair["right"], :3] for pair in (HIP, SHOULDER)),
        start=np.zeros((len(world), 3)),
    )
    headings = np.arctan2(-across[:, 2], across[:, 0])
    yaw = float(np.degrees(np.angle(np.median(np.cos(headings)) + 1j * np.median(np.sin(headings)))))
    turned = min(abs(yaw), 180.0 - abs(yaw))
    label: ViewLabel = (
        "front" if turned < FRONT_BELOW_DEG else "oblique" if turned < SIDE_FROM_DEG else "side"
    )
    return CameraView(yaw, label)
