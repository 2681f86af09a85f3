"""The audit chain as pure logic: whatever is done to stored entries, it shows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.audit_chain import (
    BrokenChain,
    Link,
    check_entry,
    check_head,
    genesis,
    sealed_entry,
    sealed_head,
)

KEY = b"k" * 32
ORGANIZATION = "org_a"

CONTENTS = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - BSON holds UTC
            "action": st.sampled_from(["insert", "update", "delete", "read", "event"]),
            "document_ids": st.lists(st.text("abc_019", max_size=8), max_size=3),
            "note": st.none() | st.text(max_size=20),
        }
    ),
    min_size=1,
    max_size=8,
)


def chain(contents: list[dict[str, Any]], organization_id: str = ORGANIZATION) -> tuple[list[bytes], Link]:
    end = genesis(KEY, organization_id)
    entries: list[bytes] = []
    for content in contents:
        entry, end = sealed_entry(KEY, organization_id, end, content)
        entries.append(bytes(entry.raw))
    return entries, end


def check(entries: list[bytes], key: bytes = KEY) -> Link:
    link = genesis(key, ORGANIZATION)
    for entry in entries:
        link = check_entry(key, ORGANIZATION, link, entry)
    return link


@given(CONTENTS)
def test_what_was_written_is_accepted_and_reads_as_it_was_meant(contents: list[dict[str, Any]]) -> None:
    entries, end = chain(contents)
    assert check(entries) == end
    for seq, (entry, content) in enumerate(zip(entries, contents, strict=True), 1):
        decoded: dict[str, Any] = bson.decode(entry)  # pyright: ignore[reportUnknownMemberType] - partly typed by bson
        assert decoded["seq"] == seq
        assert decoded["note"] == content["note"]
        assert list(decoded)[-2:] == ["previous", "mac"]


@given(CONTENTS, st.data())
def test_one_changed_byte_anywhere_is_noticed(contents: list[dict[str, Any]], data: st.DataObject) -> None:
    entries, _ = chain(contents)
    number = data.draw(st.integers(0, len(entries) - 1))
    changed = bytearray(entries[number])
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BrokenChain) as broken:
        check([*entries[:number], bytes(changed), *entries[number + 1 :]])
    assert broken.value.seq == number + 1


@given(CONTENTS.filter(lambda contents: len(contents) > 1), st.data())
def test_a_removed_entry_is_noticed_where_it_stood(
    contents: list[dict[str, Any]], data: st.DataObject
) -> None:
    entries, _ = chain(contents)
    number = data.draw(st.integers(0, len(entries) - 2))
    with pytest.raises(BrokenChain, match="missing") as broken:
        check(entries[:number] + entries[number + 1 :])
    assert broken.value.seq == number + 1


@given(CONTENTS.filter(lambda contents: len(contents) > 1), st.data())
def test_entries_in_another_order_are_noticed(contents: list[dict[str, Any]], data: st.DataObject) -> None:
    entries, _ = chain(contents)
    shuffled = data.draw(st.permutations(entries).filter(lambda order: order != entries))
    with pytest.raises(BrokenChain):
        check(shuffled)


@given(CONTENTS, CONTENTS)
def test_an_entry_from_another_history_does_not_fit(
    contents: list[dict[str, Any]], others: list[dict[str, Any]]
) -> None:
    entries, end = chain(contents)
    foreign, _ = chain([*contents[:-1], {"note": "another"}, *others])
    with pytest.raises(BrokenChain):
        check_entry(KEY, ORGANIZATION, end, foreign[len(entries)])


def test_another_organizations_entry_does_not_fit() -> None:
    entries, _ = chain([{"note": "theirs"}], "org_b")
    with pytest.raises(BrokenChain):
        check(entries)


def test_who_lacks_the_key_cannot_write_an_entry() -> None:
    entries, _ = chain([{"note": "forged"}])
    with pytest.raises(BrokenChain):
        check(entries, key=b"x" * 32)


def test_instants_survive_with_their_time_zone() -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 5000, tzinfo=UTC)
    entries, _ = chain([{"at": at}])
    decoded: dict[str, Any] = bson.decode(entries[0])  # pyright: ignore[reportUnknownMemberType] - partly typed by bson
    assert decoded["at"].replace(tzinfo=UTC) == at


@given(st.integers(0, 2**40), st.binary(min_size=32, max_size=32), st.data())
def test_the_head_cannot_be_moved(seq: int, mac: bytes, data: st.DataObject) -> None:
    head = sealed_head(KEY, ORGANIZATION, Link(seq, mac))
    assert check_head(KEY, ORGANIZATION, head) == Link(seq, mac)
    moved = data.draw(
        st.sampled_from(
            [
                {"seq": seq + 1},
                {"seq": str(seq)},
                {"mac": bytes(32) if any(mac) else b"\x01" * 32},
                {"signature": None},
                {"signature": head["mac"]},
            ]
        )
    )
    with pytest.raises(BrokenChain):
        check_head(KEY, ORGANIZATION, head | moved)
    with pytest.raises(BrokenChain):
        check_head(KEY, "org_b", head)
