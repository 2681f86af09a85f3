"""What kind of file content really is, from its first bytes: names and declared types are never trusted.

This keeps files that are no video out of storage. Whether a container that passes holds a readable picture,
and how long it lasts, only decoding can say: that is the analysis's to check.
"""

from core.storage.errors import UnsupportedContent

HEAD_BYTES = 64
"""How many leading bytes `video_type` wants to see; fewer only if the file is shorter."""

_EBML = b"\x1aE\xdf\xa3"
_QUICKTIME_BRAND = b"qt  "
_QUICKTIME_BOXES = (b"moov", b"mdat", b"wide", b"skip", b"free", b"pnot")  # from before there was an ftyp box
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
_CONTROL = bytes(byte for byte in range(32) if byte not in b"\t\n\r\f\x1b")

_PHOTO = "This is a photo, not a video."
_SOUND = "This is a sound recording, not a video."
_OTHER = "This is not a video. Please send MP4, MOV or WebM."


def video_type(head: bytes) -> str:
    """The media type of a video: `video/mp4`, `video/quicktime`, `video/webm` or `video/x-matroska`.

    Raises:
        UnsupportedContent: for anything else, naming what it looks like.
    """
    kind = head[4:8]
    if kind == b"ftyp":
        return _iso_media(head[8:12])
    if kind in _QUICKTIME_BOXES:
        return "video/quicktime"
    if head.startswith(_EBML):
        return "video/webm" if b"webm" in head[:HEAD_BYTES] else "video/x-matroska"
    raise UnsupportedContent(_reason_against(head))


def _iso_media(brand: bytes) -> str:
    if brand in _IMAGE_BRANDS:
        raise UnsupportedContent(_PHOTO)
    if brand in _AUDIO_BRANDS:
        raise UnsupportedContent(_SOUND)
    return "video/quicktime" if brand == _QUICKTIME_BRAND else "video/mp4"


def _reason_against(head: bytes) -> str:
    form = head[8:12] if head.startswith(b"RIFF") else b""
    reasons = (
        (not head, "The file is empty."),
        (head.startswith(_IMAGES) or form == b"WEBP", _PHOTO),
        (head.startswith(_AUDIO) or form == b"WAVE", _SOUND),
        (head.startswith(_ARCHIVES), "This is an archive. Please send the video itself, unpacked."),
        (form == b"AVI ", "AVI files are not supported. Please send MP4, MOV or WebM."),
        (head.translate(None, _CONTROL) == head, "This is a text file, not a video."),
    )
    return next((reason for found, reason in reasons if found), _OTHER)
