"""Short recordings, each of its own kind: real enough for the real analysis, and cheap."""

import random
from pathlib import Path

import cv2
import numpy as np

from tests.pose.recordings import pictures_of, write_video

CLIP = "26_sit_to_stand_side.mp4"
ONE_REPETITION_S = 4.5
SIZE = (180, 320)
EVERY_SECOND = 2


def make_clip(path: Path) -> bytes:
    """The first repetition of a committed clip, small."""
    frames = pictures_of(CLIP, until_s=ONE_REPETITION_S)[::EVERY_SECOND]
    small = ((t, np.asarray(cv2.resize(picture, SIZE), np.uint8)) for t, picture in frames)
    return write_video(path, small).read_bytes()


def unlike_others(clip: bytes, seed: int) -> bytes:
    """The same recording with an unused box of noise at its end: other bytes, and more than one chunk."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    noise = rng.randbytes(rng.randrange(700_000, 1_400_000))
    return clip + (len(noise) + 8).to_bytes(4, "big") + b"free" + noise
