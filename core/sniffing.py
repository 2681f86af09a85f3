"""What a file really is, from its first bytes: names and declared types are never trusted.

This keeps what is no video out of storage and away from the decoder: FFmpeg would open a playlist as if it
were a video and follow what it names. Whether a container that passes holds a readable picture, only decoding
can say.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

HEAD_BYTES = 192
"""How many leading bytes `kind_of` wants to see; fewer only if the file is shorter. A transport stream shows
its sign twice, 188 bytes apart.
"""

VideoKind = Literal["mp4", "quicktime", "webm", "matroska"]
OtherKind = Literal[
    "empty", "image", "audio_only", "archive", "playlist", "text", "unsupported_container", "not_a_video"
]

WHY_NOT: Mapping[OtherKind, str] = MappingProxyType(
    {
        "empty": "The file is empty.",
        "image": "This is a photo, not a video.",
        "audio_only": "This is a sound recording without a picture.",
        "archive": "This is an archive. Please send the video itself, unpacked.",
        "playlist": "This is a text file that points to other files, not a video.",
        "text": "This is a text file, not a video.",
        "unsupported_container": (
            "This kind of video file is not supported, for instance AVI. Please send MP4, MOV or WebM."
        ),
        "not_a_video": "This is not a video. Please send MP4, MOV or WebM.",
    }
)
"""For the person who sent the file: why it is refused."""

_EBML = b"\x1aE\xdf\xa3"
# From before there was an ftyp box.
_QUICKTIME_BOXES = (b"moov", b"mdat", b"wide", b"skip", b"free", b"pnot")
_IMAGE_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif", b"avis")
_AUDIO_BRANDS = (b"M4A ", b"M4B ", b"M4P ")
_IMAGES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")
_ARCHIVES = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x1f\x8b",
    b"7z\xbc\xaf",
    b"Rar!",
    b"BZh",
    b"\xfd7zXZ",
    b"(\xb5/\xfd",
)
_AUDIO = (b"ID3", b"OggS", b"fLaC", b"\xff\xfb", b"\xff\xf3", b"\xff\xf1", b"\xff\xf9")
_PLAYLISTS = (b"#extm3u", b"ffconcat", b"[playlist]", b"<?xml", b"<mpd", b"<smil")
_OTHER_VIDEO = (b"\x00\x00\x01\xba", b"FLV", b"0&\xb2u")  # MPEG program stream, Flash, ASF
_TRANSPORT_PACKET_BYTES = 188
_CONTROL = bytes(byte for byte in range(32) if byte not in b"\t\n\r\f\x1b")


def kind_of(head: bytes) -> VideoKind | OtherKind:
    """The kind of file that begins with `head`: its first `HEAD_BYTES` bytes, or all of a shorter one."""
    if not head:
        return "empty"
    box = head[4:8]
    if box in (b"ftyp", b"styp"):
        return _kind_by_brand(head[8:12])
    if box in _QUICKTIME_BOXES:
        return "quicktime"
    if head.startswith(_EBML):
        return "webm" if b"webm" in head[:64] else "matroska"
    return _kind_by_signature(head)


def _kind_by_brand(brand: bytes) -> VideoKind | OtherKind:
    if brand in _IMAGE_BRANDS:
        return "image"
    if brand in _AUDIO_BRANDS:
        return "audio_only"
    return "quicktime" if brand == b"qt  " else "mp4"


def _kind_by_signature(head: bytes) -> OtherKind:
    riff = head[8:12] if head.startswith(b"RIFF") else b""
    transport_stream = head[:1] == b"G" == head[_TRANSPORT_PACKET_BYTES : _TRANSPORT_PACKET_BYTES + 1]
    signs: tuple[tuple[bool, OtherKind], ...] = (
        (head.startswith(_IMAGES) or riff == b"WEBP", "image"),
        (head.startswith(_AUDIO) or riff == b"WAVE", "audio_only"),
        (head.startswith(_ARCHIVES), "archive"),
        (head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PLAYLISTS), "playlist"),
        (riff == b"AVI " or head.startswith(_OTHER_VIDEO) or transport_stream, "unsupported_container"),
        (head.translate(None, _CONTROL) == head, "text"),
    )
    for found, kind in signs:
        if found:
            return kind
    return "not_a_video"
