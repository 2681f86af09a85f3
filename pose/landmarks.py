"""The landmark track: where 33 points of one body are in every analysed frame."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from pose.errors import UnreadableTrack

Floats = NDArray[np.float64]

LANDMARKS = 33
ASSUMED_RATE = 30.0
"""Frames per second assumed for a track that carries no timestamps."""

MAX_TRACK_FRAMES = 200_000

NOSE = 0
EAR = {"left": 7, "right": 8}
SHOULDER = {"left": 11, "right": 12}
ELBOW = {"left": 13, "right": 14}
WRIST = {"left": 15, "right": 16}
HIP = {"left": 23, "right": 24}
KNEE = {"left": 25, "right": 26}
ANKLE = {"left": 27, "right": 28}
HEEL = {"left": 29, "right": 30}
TOE = {"left": 31, "right": 32}


@dataclass(frozen=True, kw_only=True)
class LandmarkTrack:
    """Landmarks of one person over time; T frames in time order.

    Attributes:
        t: (T,) seconds since the first frame, strictly increasing.
        image: (T, 33, 4) x and y as fractions of the picture's width and height (y down), z in the scale of x
            (smaller is nearer the camera), visibility 0..1. NaN where nobody was found.
        world: (T, 33, 4) metres about the middle of the hips, x to the picture's right, y down, z away from
            the camera, visibility; None when unknown.
        width, height: The picture in pixels; None when unknown, and then no image angle can be trusted.
        timed: False when `t` was assumed, not measured.
    """

    t: Floats
    image: Floats
    world: Floats | None = None
    width: int | None = None
    height: int | None = None
    timed: bool = True

    def __post_init__(self) -> None:
        frames = len(self.t)
        if self.image.shape != (frames, LANDMARKS, 4):
            raise UnreadableTrack(f"'image' must have the shape ({frames}, 33, 4), not {self.image.shape}.")
        if self.world is not None and self.world.shape != self.image.shape:
            raise UnreadableTrack(f"'world' must have the shape {self.image.shape}, not {self.world.shape}.")
        if not np.all(np.isfinite(self.t)) or np.any(np.diff(self.t) <= 0):
            raise UnreadableTrack("'t' must increase from frame to frame.")

    @property
    def frames(self) -> int:
        return len(self.t)

    @property
    def present(self) -> NDArray[np.bool_]:
        """(T,) whether a person was found in each frame."""
        return np.asarray(np.isfinite(self.image[:, :, :2]).all(axis=(1, 2)))

    @property
    def measurable(self) -> bool:
        """Whether the picture's proportions survived, so that angles in degrees mean something."""
        return self.world is not None or (self.width is not None and self.height is not None)

    @property
    def rate(self) -> float:
        """Median sampling rate, frames per second."""
        return float(1.0 / np.median(np.diff(self.t))) if self.frames > 1 else 0.0

    def pixels(self) -> Floats:
        """(T, 33, 2) x and y in pixels, y down; in picture fractions when the size is unknown."""
        scale = np.array([self.width or 1, self.height or 1], float)
        return self.image[:, :, :2] * scale

    def save(self, file: str | Path | IO[bytes]) -> None:
        """Writes the track as a compressed .npz that `load` reads back."""
        arrays: dict[str, Any] = {"t": self.t, "image": self.image.astype(np.float32)}
        if self.world is not None:
            arrays["world"] = self.world.astype(np.float32)
        if self.width is not None and self.height is not None:
            arrays |= {"width": self.width, "height": self.height}
        np.savez_compressed(file, **arrays)

    def to_bytes(self) -> bytes:
        buffer = io.BytesIO()
        self.save(buffer)
        return buffer.getvalue()


def load_track(file: str | Path | IO[bytes]) -> LandmarkTrack:
    """Reads a landmark track.

    Args:
        file: An .npz with `image` (T, 33, 4) and optionally `t` (T,), `world` (T, 33, 4), `width`, `height`.

    Raises:
        UnreadableTrack: when it is not such a file. Pickled objects are never loaded.
    """
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays: dict[str, NDArray[Any]] = {
                name: archive[name] for name in ("image", "t", "world", "width", "height") if name in archive
            }
    except (OSError, ValueError, BadZipFile, EOFError, AttributeError, TypeError) as error:
        raise UnreadableTrack("This is not a landmark track (.npz).") from error
    if "image" not in arrays:
        raise UnreadableTrack("The track has no array 'image' of shape (T, 33, 4).")
    image = _numbers(arrays["image"], "image")
    if image.ndim != 3 or image.shape[0] == 0 or image.shape[0] > MAX_TRACK_FRAMES:  # noqa: PLR2004 - T, 33, 4
        raise UnreadableTrack("'image' must have the shape (T, 33, 4) with at least one frame.")
    return LandmarkTrack(
        t=_times(arrays.get("t"), len(image)),
        image=image,
        world=_numbers(arrays["world"], "world") if "world" in arrays else None,
        width=_size(arrays.get("width")),
        height=_size(arrays.get("height")),
        timed="t" in arrays,
    )


def _numbers(array: NDArray[Any], name: str) -> Floats:
    if array.dtype.kind not in "fiu":
        raise UnreadableTrack(f"'{name}' must hold numbers.")
    return array.astype(np.float64)


def _times(array: NDArray[Any] | None, frames: int) -> Floats:
    if array is None:
        return np.arange(frames) / ASSUMED_RATE
    times = _numbers(array, "t")
    if times.shape != (frames,):
        raise UnreadableTrack(f"'t' must have one time for each of the {frames} frames.")
    return times - times[0]


def _size(array: NDArray[Any] | None) -> int | None:
    if array is None or array.size != 1:
        return None
    value = float(_numbers(array, "size").reshape(-1)[0])
    return int(value) if np.isfinite(value) and value > 0 else None
