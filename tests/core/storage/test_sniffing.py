"""Whatever a file is called, only what is a video by its content is taken in; the reason is said."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.storage.errors import UnsupportedContent
from core.storage.sniffing import HEAD_BYTES, video_type


def box(kind: bytes, brand: bytes = b"") -> bytes:
    return (b"\0\0\0\x18" + kind + brand).ljust(HEAD_BYTES, b"\0")


def ebml(document: bytes) -> bytes:
    return b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84" + document


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (box(b"ftyp", b"isom"), "video/mp4"),
        (box(b"ftyp", b"mp42"), "video/mp4"),
        (box(b"ftyp", b"3gp5"), "video/mp4"),
        (box(b"ftyp", b"qt  "), "video/quicktime"),
        (box(b"moov"), "video/quicktime"),
        (box(b"wide"), "video/quicktime"),
        (ebml(b"webm"), "video/webm"),
        (ebml(b"matroska"), "video/x-matroska"),
    ],
)
def test_videos_are_known_by_their_content(head: bytes, media_type: str) -> None:
    assert video_type(head) == media_type


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"", "empty"),
        (b"PK\x03\x04\x14\0\0\0", "archive"),
        (b"\x1f\x8b\x08", "archive"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "photo"),
        (b"\x89PNG\r\n\x1a\n", "photo"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "photo"),
        (box(b"ftyp", b"heic"), "photo"),
        (box(b"ftyp", b"M4A "), "sound"),
        (b"ID3\x04\0", "sound"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "sound"),
        (b"RIFF\x10\0\0\0AVI LIST", "AVI"),
        (b"#EXTM3U\nhttp://example.org/a.ts\n", "text"),
        (b"My knee hurts when I climb stairs.\r\n", "text"),
        (b"%PDF-1.7\n\x00\x01", "not a video"),
        (b"\x7fELF\x02\x01\x01\0", "not a video"),
    ],
)
def test_everything_else_is_refused_with_its_reason(head: bytes, reason: str) -> None:
    with pytest.raises(UnsupportedContent, match=reason):
        video_type(head)


@given(head=st.binary(max_size=HEAD_BYTES))
def test_any_bytes_are_either_a_video_or_refused(head: bytes) -> None:
    with contextlib.suppress(UnsupportedContent):
        assert video_type(head).startswith("video/")
