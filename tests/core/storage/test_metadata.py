"""`Upload-Metadata`: what clients write is read back, and nonsense is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.storage.metadata import format_metadata, parse_metadata

keys = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=20)


@given(metadata=st.dictionaries(keys, st.text(max_size=40), max_size=8))
def test_metadata_survives_its_header(metadata: dict[str, str]) -> None:
    assert parse_metadata(format_metadata(metadata)) == metadata


def test_a_key_may_stand_alone() -> None:
    assert parse_metadata("filename a25lZS5tcDQ=, is_confidential") == {
        "filename": "knee.mp4",
        "is_confidential": "",
    }


def test_no_metadata_is_fine() -> None:
    assert parse_metadata("") == {}


@pytest.mark.parametrize(
    "header", ["filename !!!", "filename /w==", "a YQ==,a Yg==", "ключ YQ==", "a " + "A" * 5000]
)
def test_what_cannot_be_read_is_refused(header: str) -> None:
    with pytest.raises(Invalid):
        parse_metadata(header)
