"""Whatever a file is called, its content says what it is, and why it is refused."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.sniffing import HEAD_BYTES, WHY_NOT, OtherKind, VideoKind, kind_of


def box(kind: bytes, brand: bytes = b"") -> bytes:
    return (b"\0\0\0\x18" + kind + brand).ljust(HEAD_BYTES, b"\0")


def ebml(document: bytes) -> bytes:
    return b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84" + document


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (box(b"ftyp", b"isom"), "mp4"),
        (box(b"ftyp", b"mp42"), "mp4"),
        (box(b"ftyp", b"3gp5"), "mp4"),
        (box(b"styp", b"msdh"), "mp4"),
        (box(b"ftyp", b"qt  "), "quicktime"),
        (box(b"moov"), "quicktime"),
        (box(b"wide"), "quicktime"),
        (ebml(b"webm"), "webm"),
        (ebml(b"matroska"), "matroska"),
        (b"", "empty"),
        (b"PK\x03\x04\x14\0\0\0", "archive"),
        (b"\x1f\x8b\x08", "archive"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image"),
        (b"\x89PNG\r\n\x1a\n", "image"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image"),
        (box(b"ftyp", b"heic"), "image"),
        (box(b"ftyp", b"M4A "), "audio_only"),
        (b"ID3\x04\0", "audio_only"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "audio_only"),
        (b"RIFF\x10\0\0\0AVI LIST", "unsupported_container"),
        (b"G" + bytes(187) + b"G" + bytes(187), "unsupported_container"),
        (b"#EXTM3U\nhttp://example.org/a.ts\n", "playlist"),
        (b"\xef\xbb\xbfffconcat version 1.0\nfile /etc/passwd\n", "playlist"),
        (b"My knee hurts when I climb stairs.\r\n", "text"),
        (b"%PDF-1.7\n\x00\x01", "not_a_video"),
        (b"\x7fELF\x02\x01\x01\0", "not_a_video"),
    ],
)
def test_a_file_is_known_by_its_content(head: bytes, kind: str) -> None:
    assert kind_of(head) == kind


@given(head=st.binary(max_size=HEAD_BYTES))
def test_any_bytes_are_either_a_video_or_refused_with_a_reason(head: bytes) -> None:
    kind = kind_of(head)
    assert kind in get_args(VideoKind) or kind in WHY_NOT


def test_every_refusal_has_its_reason() -> None:
    assert set(WHY_NOT) == set(get_args(OtherKind))
