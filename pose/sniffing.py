"""Which container a file really is, from its first bytes: names and declared types are never trusted.

FFmpeg would open a playlist or a concatenation script as if it were a video and follow what it names. So the
demuxer is forced from the magic bytes, and everything that is not a plain video container is refused here.
"""

from typing import Literal

from pose.errors import UnreadableVideo

Container = Literal["mov", "matroska"]

HEAD_BYTES = 4096
"""How many leading bytes `sniff` wants to see."""

_VIDEO_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"skip", b"free", b"styp")
_IMAGE_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis")
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


def sniff(head: bytes) -> Container:
    """The demuxer for a recording.

    Args:
        head: The first `HEAD_BYTES` bytes of the file, or all of a shorter one.

    Raises:
        UnreadableVideo: with the reason, for anything but MP4/MOV/3GP and Matroska/WebM.
    """
    if not head:
        raise UnreadableVideo("empty", "The file is empty.")
    if head[4:8] in _VIDEO_BOXES:
        return _iso_media(head)
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "matroska"
    raise _reason_against(head)


def _iso_media(head: bytes) -> Container:
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    if brand in _IMAGE_BRANDS:
        raise UnreadableVideo("image", "This is a photo, not a video.")
    if brand in _AUDIO_BRANDS:
        raise UnreadableVideo("audio_only", "This is a sound recording without a picture.")
    return "mov"


def _reason_against(head: bytes) -> UnreadableVideo:
    riff = head[8:12] if head.startswith(b"RIFF") else b""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(_IMAGES) or riff == b"WEBP":
        return UnreadableVideo("image", "This is a photo, not a video.")
    if head.startswith(_AUDIO) or riff == b"WAVE":
        return UnreadableVideo("audio_only", "This is a sound recording without a picture.")
    if head.startswith(_ARCHIVES):
        return UnreadableVideo("archive", "This is an archive. Please send the video itself, unpacked.")
    if text.startswith(_PLAYLISTS):
        return UnreadableVideo("playlist", "This is a playlist that points to other files, not a video.")
    if (
        riff == b"AVI "
        or head.startswith((b"\x00\x00\x01\xba", b"FLV", b"0&\xb2u"))
        or head[:1] == b"G" == head[188:189]
    ):
        return UnreadableVideo(
            "unsupported_container", "This kind of video file is not supported. Please send MP4, MOV or WebM."
        )
    return UnreadableVideo("not_a_video", "This is not a video file.")
