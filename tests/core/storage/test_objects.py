"""Objects: written once, read by ranges, hidden from others, gone when deleted, guarded against tampering."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.access import Access, Actor, Transaction
from core.clock import utc_now
from core.database import Database
from core.errors import Conflict, Locked, NotFound
from core.keys import SealBroken
from core.mongo import raw_collection
from core.storage import uploads
from core.storage.errors import TamperedObject
from core.storage.objects import REMOVE_BLOBS, ObjectStorage
from core.storage.sealing import CHUNK_BYTES
from tests.core.storage.clips import LOCATION, PATIENT, clip

CONTENT = clip(CHUNK_BYTES * 2 + 12_345)


async def stored(system: Access, storage: ObjectStorage, content: bytes = CONTENT) -> str:
    object_id = await storage.write(
        system, content, patient_id=PATIENT, location_id=LOCATION, content_type="video/mp4"
    )
    await system.transact(lambda tx: storage.keep(tx, object_id))
    return object_id


async def alter(database: Database, object_id: str, change: dict[str, Any]) -> None:
    """Change the ledger behind everyone's back."""
    outcome = await raw_collection(database, "stored_objects").update_one({"_id": object_id}, change)
    assert outcome.modified_count == 1


def blobs(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("size", [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
async def test_what_was_written_is_read_back(system: Access, storage: ObjectStorage, size: int) -> None:
    content = clip(size)
    object_id = await stored(system, storage, content)
    assert await storage.read(system, object_id) == content
    assert b"".join([part async for part in storage.stream(system, object_id)]) == content
    assert (await storage.open(system, object_id)).content_type == "video/mp4"


def _near(border: int, distance: int) -> int:
    return max(0, border + distance)


borders = st.sampled_from([0, CHUNK_BYTES, 2 * CHUNK_BYTES, len(CONTENT)])
places = st.one_of(st.integers(0, len(CONTENT) + 10), st.builds(_near, borders, st.integers(-3, 3)))


@given(ranges=st.lists(st.tuples(places, places), min_size=1, max_size=20))
@settings(max_examples=10)
async def test_any_range_is_that_range(
    system: Access, storage: ObjectStorage, ranges: list[tuple[int, int]]
) -> None:
    reader = await storage.open(system, await stored(system, storage))
    for start, length in ranges:
        assert await reader.read_range(start, length) == CONTENT[start : start + length]


async def test_nothing_on_disk_shows_the_content(
    system: Access, storage: ObjectStorage, store_folder: Path
) -> None:
    marker = b"The patient's left knee, filmed from the side"
    await stored(system, storage, clip(5000) + marker * 3)
    files = blobs(store_folder)
    assert files
    assert all(
        marker not in path.read_bytes() and b"ftyp" not in path.read_bytes() for path in files.values()
    )


async def test_an_object_is_not_readable_before_it_is_kept(system: Access, storage: ObjectStorage) -> None:
    object_id = await storage.write(
        system, CONTENT, patient_id=PATIENT, location_id=LOCATION, content_type="video/mp4"
    )
    with pytest.raises(NotFound):
        await storage.read(system, object_id)


async def test_an_object_that_is_never_kept_is_removed(
    system: Access, database: Database, storage: ObjectStorage
) -> None:
    object_id = await storage.write(
        system, CONTENT, patient_id=PATIENT, location_id=LOCATION, content_type="video/mp4"
    )
    await uploads.tidy(system, storage)
    await system.transact(lambda tx: storage.keep(tx, object_id))
    abandoned = await storage.write(
        system, CONTENT, patient_id=PATIENT, location_id=LOCATION, content_type="video/mp4"
    )
    database.clock = lambda: utc_now() + timedelta(days=2)
    await uploads.tidy(system, storage)
    assert await storage.read(system, object_id) == CONTENT
    with pytest.raises(Conflict):
        await system.transact(lambda tx: storage.keep(tx, abandoned))


async def test_a_deleted_object_is_gone_key_first(
    system: Access, database: Database, storage: ObjectStorage, store_folder: Path
) -> None:
    object_id = await stored(system, storage)
    await system.transact(lambda tx: storage.delete(tx, object_id))
    with pytest.raises(NotFound):
        await storage.read(system, object_id)
    ledger = await raw_collection(database, "stored_objects").find_one({"_id": object_id})
    assert ledger is not None
    assert ledger["wrapped_key"] is None
    job = await raw_collection(database, "jobs").find_one({"kind": REMOVE_BLOBS})
    assert job is not None
    assert blobs(store_folder)
    await storage.remove_blobs(system.organization_id, job["payload"]["object_id"])
    assert not blobs(store_folder)


async def test_only_those_who_may_see_the_patient_reach_the_object(
    system: Access, database: Database, storage: ObjectStorage
) -> None:
    object_id = await stored(system, storage)
    organization = system.organization_id
    may = [
        Actor(organization, "patient", PATIENT),
        Actor(organization, "staff", "stf_1", location_ids=frozenset({LOCATION})),
        Actor(organization, "staff", "stf_2"),
    ]
    may_not = [
        Actor(organization, "patient", "pat_other"),
        Actor(organization, "staff", "stf_3", location_ids=frozenset({"loc_south"})),
        Actor("org_other", "staff", "stf_4"),
        Actor.system("org_other", "job"),
    ]
    for actor in may:
        assert await storage.read(database.access(actor), object_id, 0, 4) == CONTENT[:4]
    for actor in may_not:
        with pytest.raises(NotFound):
            await storage.read(database.access(actor), object_id, 0, 4)
        access = database.access(actor)
        with pytest.raises(NotFound):
            await access.transact(lambda tx: storage.delete(tx, object_id))


async def test_reading_by_a_person_is_in_the_audit_log(
    system: Access, database: Database, storage: ObjectStorage
) -> None:
    object_id = await stored(system, storage)
    therapist = Actor(system.organization_id, "staff", "stf_1", roles=frozenset({"therapist"}))
    await storage.read(database.access(therapist), object_id)
    entry = await raw_collection(database, "audit").find_one({"action": "read", "actor.id": "stf_1"})
    assert entry is not None
    assert (entry["document_ids"], entry["patient_id"]) == ([object_id], PATIENT)


def _cut_last(folder: Path) -> None:
    list(blobs(folder).values())[-1].unlink()


def _swap_first_two(folder: Path) -> None:
    first, second, *_ = blobs(folder).values()
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)


def _flip_a_bit(folder: Path) -> None:
    path = next(iter(blobs(folder).values()))
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("attack", [_cut_last, _swap_first_two, _flip_a_bit])
async def test_altered_chunks_are_noticed(
    system: Access, storage: ObjectStorage, store_folder: Path, attack: Callable[[Path], None]
) -> None:
    object_id = await stored(system, storage)
    attack(store_folder)
    with pytest.raises(TamperedObject):
        await storage.read(system, object_id)


@pytest.mark.parametrize(
    "change",
    [
        {"$set": {"size": CHUNK_BYTES, "generations": [2]}},
        {"$set": {"size": len(CONTENT) - 1}},
        {"$inc": {"generations.0": 1}},
        {"$set": {"sha256": b"\0" * 32}},
        {"$unset": {"mac": ""}},
    ],
    ids=["shortened", "resized", "rolled back", "another digest", "unvouched"],
)
async def test_an_altered_ledger_is_noticed(
    system: Access, database: Database, storage: ObjectStorage, change: dict[str, Any]
) -> None:
    object_id = await stored(system, storage)
    await alter(database, object_id, change)
    with pytest.raises(TamperedObject):
        await storage.read(system, object_id)


async def test_another_objects_chunks_and_ledger_do_not_pass(
    system: Access, database: Database, storage: ObjectStorage
) -> None:
    one = await stored(system, storage, clip(1000, seed=1))
    other = await stored(system, storage, clip(1000, seed=2))
    ledgers = raw_collection(database, "stored_objects")
    foreign = await ledgers.find_one({"_id": other}, {"_id": 0})
    assert foreign is not None
    await ledgers.update_one({"_id": one}, {"$set": foreign})
    with pytest.raises(SealBroken):
        await storage.read(system, one)


async def test_a_holder_that_was_overtaken_changes_nothing(
    system: Access, database: Database, storage: ObjectStorage
) -> None:
    """A server that froze past its lease wakes up after another one has finished the object."""

    async def begin(tx: Transaction) -> str:
        return await storage.create(tx, patient_id=PATIENT, location_id=LOCATION, expires_at=utc_now())

    object_id = await system.transact(begin)
    frozen = storage.extend(system, object_id)
    writer = await frozen.__aenter__()
    await writer.take(b"from the frozen server")
    await alter(database, object_id, {"$set": {"writer_until": utc_now() - timedelta(seconds=1)}})
    async with storage.extend(system, object_id) as successor:
        await successor.take(b"from its successor")
        await successor.finish()
        with pytest.raises(Locked, match="took over"):
            await writer.finish()
    await frozen.__aexit__(None, None, None)
    async with storage.extend(system, object_id) as reader:
        _, first = await reader.read_back()
    assert first == b"from its successor"
