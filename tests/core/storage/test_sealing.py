"""Nobody without the key can change, move, shorten or roll back what is stored, and go unnoticed."""

import secrets

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.storage.errors import TamperedObject
from core.storage.sealing import (
    CHUNK_BYTES,
    SEALED_OVERHEAD_BYTES,
    Extent,
    ObjectSeal,
    chunk_count,
    chunk_length,
)

KEY = bytes(range(32))
SEAL = ObjectSeal(KEY, "obj_one")

contents = st.binary(max_size=300)
numbers = st.integers(min_value=0, max_value=2**40)
extents = st.builds(
    Extent,
    size=numbers,
    generations=st.lists(numbers, max_size=6).map(tuple),
    sha256=st.binary(min_size=32, max_size=32),
)


@given(content=contents, index=numbers, generation=numbers)
def test_a_chunk_opens_where_it_was_sealed(content: bytes, index: int, generation: int) -> None:
    sealed = SEAL.seal(index, generation, content)
    assert len(sealed) == len(content) + SEALED_OVERHEAD_BYTES
    assert SEAL.open(index, generation, sealed) == content


@given(content=contents, data=st.data())
def test_one_flipped_bit_is_refused(content: bytes, data: st.DataObject) -> None:
    sealed = bytearray(SEAL.seal(0, 1, content))
    position = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[position // 8] ^= 1 << position % 8
    with pytest.raises(TamperedObject):
        SEAL.open(0, 1, bytes(sealed))


@given(content=contents, data=st.data())
def test_a_shortened_or_lengthened_chunk_is_refused(content: bytes, data: st.DataObject) -> None:
    sealed = SEAL.seal(0, 1, content)
    shorter = sealed[: data.draw(st.integers(0, len(sealed) - 1))]
    longer = sealed + data.draw(st.binary(min_size=1, max_size=8))
    for altered in (shorter, longer):
        with pytest.raises(TamperedObject):
            SEAL.open(0, 1, altered)


@given(content=contents, place=st.tuples(numbers, numbers), other=st.tuples(numbers, numbers))
def test_a_chunk_does_not_open_in_another_place_or_generation(
    content: bytes, place: tuple[int, int], other: tuple[int, int]
) -> None:
    assume(place != other)
    with pytest.raises(TamperedObject):
        SEAL.open(*other, SEAL.seal(*place, content))


@given(content=contents)
def test_a_chunk_does_not_open_in_another_object_or_under_another_key(content: bytes) -> None:
    sealed = SEAL.seal(0, 1, content)
    for other in (ObjectSeal(KEY, "obj_two"), ObjectSeal(secrets.token_bytes(32), "obj_one")):
        with pytest.raises(TamperedObject):
            other.open(0, 1, sealed)


def test_the_same_content_never_looks_the_same() -> None:
    assert len({bytes(SEAL.seal(0, 1, b"knee")) for _ in range(100)}) == 100


@given(extent=extents)
def test_the_ledger_is_vouched_for(extent: Extent) -> None:
    SEAL.verify(extent, SEAL.sign(extent))


@given(extent=extents, other=extents)
def test_another_extent_is_refused(extent: Extent, other: Extent) -> None:
    assume(extent != other)
    with pytest.raises(TamperedObject):
        SEAL.verify(other, SEAL.sign(extent))


@given(extent=extents.filter(lambda extent: len(extent.generations) > 1), data=st.data())
def test_dropped_swapped_and_rolled_back_chunks_are_refused(extent: Extent, data: st.DataObject) -> None:
    mac = SEAL.sign(extent)
    generations = list(extent.generations)
    at = data.draw(st.integers(0, len(generations) - 2))
    swapped = [*generations[:at], generations[at + 1], generations[at], *generations[at + 2 :]]
    rolled_back = [*generations[:at], generations[at] + 1, *generations[at + 1 :]]
    for altered in (generations[:-1], swapped, rolled_back):
        if altered != generations:
            with pytest.raises(TamperedObject):
                SEAL.verify(Extent(extent.size, tuple(altered), extent.sha256), mac)


@given(size=st.integers(min_value=0, max_value=CHUNK_BYTES * 5))
def test_chunks_add_up_to_the_size(size: int) -> None:
    lengths = [chunk_length(size, index) for index in range(chunk_count(size))]
    assert sum(lengths) == size
    assert all(length == CHUNK_BYTES for length in lengths[:-1])
    assert all(length > 0 for length in lengths)
