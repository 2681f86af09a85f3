"""Which demuxer reads a recording: forced from its first bytes, so that FFmpeg never guesses."""

from typing import Literal

from core.sniffing import HEAD_BYTES, WHY_NOT, kind_of
from pose.errors import UnreadableVideo

Container = Literal["mov", "matroska"]

__all__ = ["HEAD_BYTES", "Container", "sniff"]


def sniff(head: bytes) -> Container:
    """The demuxer for a recording that begins with `head`, its first `HEAD_BYTES` bytes.

    Raises:
        UnreadableVideo: with the reason, for anything but MP4/MOV/3GP and Matroska/WebM.
    """
    match kind_of(head):
        case "mp4" | "quicktime":
            return "mov"
        case "webm" | "matroska":
            return "matroska"
        case "text":
            raise UnreadableVideo("not_a_video", WHY_NOT["text"])
        case other:
            raise UnreadableVideo(other, WHY_NOT[other])
