"""Decoded frames as upright pictures of a working size."""

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""(height, width, 3) RGB."""


def quarter_turns(frame: VideoFrame) -> int:
    """How often the stored picture must be turned by 90 degrees, counter-clockwise, to stand upright."""
    return (frame.rotation // 90) % 4


def upright(frame: VideoFrame, long_side: int) -> Picture:
    """The picture as it was seen, its longer side at most `long_side` pixels and both sides even."""
    scale = min(1.0, long_side / max(frame.width, frame.height))
    width, height = (max(2, round(side * scale / 2) * 2) for side in (frame.width, frame.height))
    pixels = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA").to_ndarray()
    return np.ascontiguousarray(np.rot90(pixels, quarter_turns(frame))).astype(np.uint8, copy=False)
