"""What is known about a recording apart from the body in it."""

from msgspec import Struct


class VideoFacts(Struct, frozen=True):
    """The recording as it plays: seconds, frames per second, frames, degrees.

    `width` and `height` are pixels after rotation, None where a landmark track does not tell.
    """

    duration_s: float
    fps: float
    width: int | None
    height: int | None
    frames: int
    rotation_deg: int


class Caveat(Struct, frozen=True):
    """Something the reader of a result must know: a stable code and a plain sentence."""

    code: str
    message: str
