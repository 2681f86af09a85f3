"""What `If-Match` may say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.etags import etag_of, expected_version
from api.problems import PreconditionRequired
from core.errors import Stale


@given(version=st.integers(1, 10**9))
def test_the_tag_that_was_read_names_its_version(version: int) -> None:
    assert expected_version(etag_of(version)) == version


def test_a_star_accepts_whatever_is_there() -> None:
    assert expected_version("*") is None


def test_without_a_tag_there_is_no_update() -> None:
    with pytest.raises(PreconditionRequired):
        expected_version(None)


@pytest.mark.parametrize("tag", ["", "3", 'W/"3"', '"3", "4"', '"three"', '"-1"', '"99999999999999999999"'])
def test_any_other_tag_is_of_no_document_here(tag: str) -> None:
    with pytest.raises(Stale):
        expected_version(tag)
