"""A patient's clip arrives whole, whatever the network, the phone and the server do meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.access import Access, Actor, Transaction
from core.clock import utc_now
from core.database import Database
from core.errors import Conflict, Invalid, Locked, NotFound
from core.mongo import raw_collection
from core.storage import uploads
from core.storage.documents import Upload
from core.storage.errors import (
    ChecksumMismatch,
    OffsetMismatch,
    SenderGone,
    TooLarge,
    UnsupportedContent,
    UploadGone,
)
from core.storage.metadata import format_metadata
from core.storage.objects import ObjectStorage
from core.storage.sealing import CHUNK_BYTES
from core.storage.uploads import Checksum, UploadStatus
from tests.core.storage.clips import LOCATION, PATIENT, PURPOSE, clip, completed, in_parts, sending

pytestmark = pytest.mark.usefixtures("nothing_completed")


@pytest.fixture
def nothing_completed() -> None:
    completed.clear()


@pytest.fixture
def patient(system: Access, database: Database) -> Access:
    return database.access(Actor(system.organization_id, "patient", PATIENT, roles=frozenset({"patient"})))


async def announce(access: Access, storage: ObjectStorage, length: int, **metadata: str) -> UploadStatus:
    return await uploads.begin(
        access,
        storage,
        purpose=PURPOSE,
        length=length,
        metadata_header=format_metadata(metadata),
        max_bytes=50 * CHUNK_BYTES,
    )


async def content_of(access: Access, storage: ObjectStorage, upload_id: str) -> bytes:
    upload = await uploads.uploads.get(access, upload_id)
    assert upload.state == "complete"
    return await storage.read(access, upload.object_id)


def blobs(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_clip_sent_at_once_is_complete(patient: Access, storage: ObjectStorage) -> None:
    content = clip(2 * CHUNK_BYTES + 77)
    upload = await announce(patient, storage, len(content))
    done = await uploads.append(
        patient, storage, upload.id, offset=0, body=sending(*in_parts(content, [65_536] * 40))
    )
    assert (done.state, done.offset, done.expires_at) == ("complete", len(content), None)
    assert done.job_id == f"job_for_{upload.id}"
    assert completed == [upload.id]
    assert await content_of(patient, storage, upload.id) == content
    record = await uploads.uploads.get(patient, upload.id)
    assert (record.content_type, record.patient_id, record.location_id) == ("video/mp4", PATIENT, LOCATION)
    stored = await uploads.objects.get(patient, record.object_id)
    assert stored.sha256 == hashlib.sha256(content).digest()


CLIP = clip(2 * CHUNK_BYTES + CHUNK_BYTES // 2)
sizes = st.one_of(
    st.integers(1, len(CLIP)),
    st.sampled_from([1, 63, 64, 262_144, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1]),
)


@given(history=st.lists(st.tuples(sizes, st.booleans()), min_size=1, max_size=8))
@settings(max_examples=25)
async def test_any_parts_and_cuts_give_the_same_bytes(
    patient: Access, storage: ObjectStorage, history: list[tuple[int, bool]]
) -> None:
    """Parts of any size, some connections lost after any byte: the phone asks for the offset and goes on."""
    upload = await announce(patient, storage, len(CLIP))
    offset = 0
    for size, lost in [*history, (len(CLIP), False)]:
        part = CLIP[offset : offset + size]
        if part:
            await send(patient, storage, upload.id, offset=offset, part=part, lost=lost)
            standing = await uploads.status(patient, storage, upload.id)
            assert standing.offset == offset + len(part)
            offset = standing.offset
    assert completed.count(upload.id) == 1
    assert await content_of(patient, storage, upload.id) == CLIP


async def send(
    access: Access, storage: ObjectStorage, upload_id: str, *, offset: int, part: bytes, lost: bool
) -> None:
    """Send a part over a connection that is lost after it, or is not."""
    with pytest.raises(SenderGone) if lost else contextlib.nullcontext():
        await uploads.append(access, storage, upload_id, offset=offset, body=sending(part, lost=lost))


async def test_what_arrived_before_the_connection_was_lost_is_kept(
    patient: Access, storage: ObjectStorage, store_folder: Path
) -> None:
    content = clip(900_000)
    upload = await announce(patient, storage, len(content))
    body = sending(content[:150_000], content[150_000:300_000], lost=True)
    with pytest.raises(SenderGone):
        await uploads.append(patient, storage, upload.id, offset=0, body=body)
    assert (await uploads.status(patient, storage, upload.id)).offset == 300_000
    await uploads.append(patient, storage, upload.id, offset=300_000, body=sending(content[300_000:]))
    assert await content_of(patient, storage, upload.id) == content
    # The partial chunk was replaced by the full one, not kept beside it.
    assert len(blobs(store_folder)) == 1


async def test_a_silent_connection_is_given_up_and_what_arrived_is_kept(
    patient: Access, storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "IDLE_LIMIT_S", 0.05)
    silence = asyncio.Event()

    async def stalling():  # noqa: ANN202 - an async generator of bytes
        yield clip(100_000)
        await silence.wait()

    upload = await announce(patient, storage, 500_000)
    with pytest.raises(SenderGone):
        await uploads.append(patient, storage, upload.id, offset=0, body=stalling())
    assert (await uploads.status(patient, storage, upload.id)).offset == 100_000


async def test_a_wrong_offset_names_the_right_one(patient: Access, storage: ObjectStorage) -> None:
    content = clip(1000)
    upload = await announce(patient, storage, 1000)
    await uploads.append(patient, storage, upload.id, offset=0, body=sending(content[:400]))
    for offset in (0, 399, 401):
        with pytest.raises(OffsetMismatch) as mismatch:
            await uploads.append(patient, storage, upload.id, offset=offset, body=sending(b"x"))
        assert mismatch.value.offset == 400
    await uploads.append(patient, storage, upload.id, offset=400, body=sending(content[400:]))
    with pytest.raises(OffsetMismatch) as repeated:
        await uploads.append(patient, storage, upload.id, offset=400, body=sending(content[400:]))
    assert repeated.value.offset == 1000
    assert completed == [upload.id]


async def test_two_requests_at_once_never_mix(patient: Access, storage: ObjectStorage) -> None:
    content = clip(300_000)
    upload = await announce(patient, storage, len(content))
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slowly():  # noqa: ANN202 - an async generator of bytes
        yield content[:1000]
        arrived.set()
        await go_on.wait()
        yield content[1000:]

    first = asyncio.create_task(uploads.append(patient, storage, upload.id, offset=0, body=slowly()))
    await arrived.wait()
    with pytest.raises(Locked):
        await uploads.append(patient, storage, upload.id, offset=0, body=sending(b"x" * 1000))
    assert (await uploads.status(patient, storage, upload.id)).offset == 0
    go_on.set()
    assert (await first).state == "complete"
    assert await content_of(patient, storage, upload.id) == content


async def test_a_dead_servers_hold_ends_by_itself(
    patient: Access, database: Database, storage: ObjectStorage
) -> None:
    content = clip(CHUNK_BYTES + 5000)
    upload = await announce(patient, storage, len(content))
    await uploads.append(patient, storage, upload.id, offset=0, body=sending(content[:CHUNK_BYTES]))
    ledgers = raw_collection(database, "stored_objects")
    ahead = utc_now() + timedelta(seconds=60)
    await ledgers.update_one({}, {"$set": {"writer_until": ahead}})
    with pytest.raises(Locked):
        await uploads.append(
            patient, storage, upload.id, offset=CHUNK_BYTES, body=sending(content[CHUNK_BYTES:])
        )
    await ledgers.update_one({}, {"$set": {"writer_until": utc_now() - timedelta(milliseconds=1)}})
    await uploads.append(patient, storage, upload.id, offset=CHUNK_BYTES, body=sending(content[CHUNK_BYTES:]))
    assert await content_of(patient, storage, upload.id) == content


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
async def test_a_part_with_its_checksum_counts(
    patient: Access, storage: ObjectStorage, algorithm: str
) -> None:
    content = clip(CHUNK_BYTES + 400_000)
    upload = await announce(patient, storage, len(content))
    half = len(content) // 2
    for offset, part in ((0, content[:half]), (half, content[half:])):
        checksum = Checksum(
            "sha1" if algorithm == "sha1" else "sha256", hashlib.new(algorithm, part).digest()
        )
        await uploads.append(
            patient, storage, upload.id, offset=offset, body=sending(part), checksum=checksum
        )
    assert await content_of(patient, storage, upload.id) == content


async def test_of_a_damaged_part_nothing_counts(
    patient: Access, storage: ObjectStorage, store_folder: Path
) -> None:
    content = clip(3 * CHUNK_BYTES)
    upload = await announce(patient, storage, len(content))
    start = 500_000
    await uploads.append(patient, storage, upload.id, offset=0, body=sending(content[:start]))
    before = blobs(store_folder)
    checksum = Checksum("sha1", hashlib.sha1(content[start:]).digest())  # noqa: S324 - the protocol's
    damaged = bytearray(content[start:])
    damaged[1_700_000] ^= 1
    with pytest.raises(ChecksumMismatch):
        await uploads.append(
            patient, storage, upload.id, offset=start, body=sending(bytes(damaged)), checksum=checksum
        )
    assert (await uploads.status(patient, storage, upload.id)).offset == start
    assert blobs(store_folder) == before
    with pytest.raises(SenderGone):
        await uploads.append(
            patient,
            storage,
            upload.id,
            offset=start,
            body=sending(content[start:2_000_000], lost=True),
            checksum=checksum,
        )
    assert (await uploads.status(patient, storage, upload.id)).offset == start
    assert blobs(store_folder) == before
    await uploads.append(
        patient, storage, upload.id, offset=start, body=sending(content[start:]), checksum=checksum
    )
    assert await content_of(patient, storage, upload.id) == content


async def test_more_bytes_than_announced_are_refused(patient: Access, storage: ObjectStorage) -> None:
    upload = await announce(patient, storage, 1000)
    with pytest.raises(TooLarge):
        await uploads.append(patient, storage, upload.id, offset=0, body=sending(clip(1001)))
    assert (await uploads.status(patient, storage, upload.id)).offset == 0


async def test_limits_hold_at_the_announcement(patient: Access, storage: ObjectStorage) -> None:
    with pytest.raises(TooLarge):
        await announce(patient, storage, 50 * CHUNK_BYTES + 1)
    with pytest.raises(Invalid):
        await announce(patient, storage, 0)
    with pytest.raises(Invalid):
        await uploads.begin(patient, storage, purpose="no_such", length=1, metadata_header="", max_bytes=10)


NOT_A_VIDEO = {
    "archive": b"PK\x03\x04" + bytes(2000),
    "photo": b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(2000),
    "text": b"My knee hurts on stairs. " * 100,
}


@pytest.mark.parametrize("kind", NOT_A_VIDEO)
async def test_what_is_no_video_is_refused_and_destroyed(
    patient: Access, database: Database, storage: ObjectStorage, kind: str
) -> None:
    content = NOT_A_VIDEO[kind]
    upload = await announce(patient, storage, len(content), filename="squats.mp4", filetype="video/mp4")
    for _ in range(2):  # a client that missed the answer hears it again
        with pytest.raises(UnsupportedContent, match=kind):
            await uploads.append(patient, storage, upload.id, offset=0, body=sending(content[:500]))
    with pytest.raises(UploadGone):
        await uploads.status(patient, storage, upload.id)
    ledger = await raw_collection(database, "stored_objects").find_one({})
    assert ledger is not None
    assert (ledger["state"], ledger["wrapped_key"]) == ("deleted", None)
    assert completed == []


async def test_a_few_bytes_at_a_time_are_judged_once_they_tell(
    patient: Access, storage: ObjectStorage
) -> None:
    content = NOT_A_VIDEO["archive"]
    upload = await announce(patient, storage, len(content))
    await uploads.append(patient, storage, upload.id, offset=0, body=sending(content[:2]))
    await uploads.append(patient, storage, upload.id, offset=2, body=sending(content[2:190]))
    with pytest.raises(UnsupportedContent):
        await uploads.append(patient, storage, upload.id, offset=190, body=sending(content[190:200]))


async def test_a_tiny_file_that_is_no_video_is_refused_at_its_end(
    patient: Access, storage: ObjectStorage
) -> None:
    upload = await announce(patient, storage, 5)
    with pytest.raises(UnsupportedContent, match="text"):
        await uploads.append(patient, storage, upload.id, offset=0, body=sending(b"hello"))
    assert completed == []


async def test_a_terminated_upload_is_gone(patient: Access, storage: ObjectStorage) -> None:
    upload = await announce(patient, storage, 1000)
    await uploads.append(patient, storage, upload.id, offset=0, body=sending(clip(500)))
    await uploads.terminate(patient, storage, upload.id)
    with pytest.raises(UploadGone):
        await uploads.status(patient, storage, upload.id)
    with pytest.raises(UploadGone):
        await uploads.append(patient, storage, upload.id, offset=500, body=sending(b"x"))
    with pytest.raises(UploadGone):
        await uploads.terminate(patient, storage, upload.id)


async def test_terminating_stops_the_request_that_is_sending(patient: Access, storage: ObjectStorage) -> None:
    upload = await announce(patient, storage, 1000)
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slowly():  # noqa: ANN202 - an async generator of bytes
        yield clip(500)
        arrived.set()
        await go_on.wait()

    sender = asyncio.create_task(uploads.append(patient, storage, upload.id, offset=0, body=slowly()))
    await arrived.wait()
    await uploads.terminate(patient, storage, upload.id)
    go_on.set()
    with pytest.raises(Locked):
        await sender
    with pytest.raises(UploadGone):
        await uploads.status(patient, storage, upload.id)


async def test_a_complete_upload_cannot_be_given_up(patient: Access, storage: ObjectStorage) -> None:
    upload = await announce(patient, storage, 1000)
    await uploads.append(patient, storage, upload.id, offset=0, body=sending(clip(1000)))
    with pytest.raises(Conflict):
        await uploads.terminate(patient, storage, upload.id)
    assert await content_of(patient, storage, upload.id) == clip(1000)


async def test_an_upload_not_finished_in_time_expires(
    patient: Access, system: Access, database: Database, storage: ObjectStorage
) -> None:
    upload = await announce(patient, storage, 1000)
    await uploads.append(patient, storage, upload.id, offset=0, body=sending(clip(500)))
    whole = await announce(patient, storage, 1000)
    await uploads.append(patient, storage, whole.id, offset=0, body=sending(clip(1000)))
    await uploads.tidy(system, storage)
    assert (await uploads.status(patient, storage, upload.id)).offset == 500
    database.clock = lambda: utc_now() + uploads.UNFINISHED_LIFETIME + timedelta(seconds=1)
    with pytest.raises(UploadGone):  # also before anyone has tidied up
        await uploads.append(patient, storage, upload.id, offset=500, body=sending(b"x"))
    await uploads.tidy(system, storage)
    with pytest.raises(UploadGone):
        await uploads.status(patient, storage, upload.id)
    assert (await uploads.uploads.get(system, upload.id)).state == "expired"
    assert await content_of(patient, storage, whole.id) == clip(1000)


async def dies_before_completing(access: Access, storage: ObjectStorage, content: bytes) -> UploadStatus:
    """All bytes are acknowledged, then the server dies before it completes the upload."""
    upload = await announce(access, storage, len(content))
    object_id = (await uploads.uploads.get(access, upload.id)).object_id
    async with storage.extend(access, object_id) as writer:
        await writer.take(content)
        await writer.finish()
    return upload


async def test_asking_for_the_offset_completes_what_a_dead_server_left(
    patient: Access, storage: ObjectStorage
) -> None:
    content = clip(CHUNK_BYTES + 10)
    upload = await dies_before_completing(patient, storage, content)
    for _ in range(3):
        standing = await uploads.status(patient, storage, upload.id)
        assert (standing.state, standing.job_id) == ("complete", f"job_for_{upload.id}")
    assert completed == [upload.id]
    assert await content_of(patient, storage, upload.id) == content


async def test_tidying_completes_what_nobody_asks_about(
    patient: Access, system: Access, storage: ObjectStorage
) -> None:
    upload = await dies_before_completing(patient, storage, clip(5000))
    refused = await dies_before_completing(patient, storage, b"no video")
    await uploads.tidy(system, storage)
    await uploads.tidy(system, storage)
    assert completed == [upload.id]
    assert (await uploads.uploads.get(system, refused.id)).state == "refused"


async def test_several_asking_at_once_complete_it_once(patient: Access, storage: ObjectStorage) -> None:
    upload = await dies_before_completing(patient, storage, clip(CHUNK_BYTES))
    await asyncio.gather(*(uploads.status(patient, storage, upload.id) for _ in range(8)))
    assert set(completed) == {upload.id}
    assert (await uploads.status(patient, storage, upload.id)).job_id == f"job_for_{upload.id}"


async def test_a_failing_takeover_leaves_the_upload_to_be_completed_later(
    patient: Access, storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_: Transaction, __: Upload) -> str | None:
        raise RuntimeError("a bug in the room that takes the upload over")

    content = clip(5000)
    upload = await announce(patient, storage, len(content))
    with monkeypatch.context() as patched:
        patched.setitem(uploads._complete_handlers, PURPOSE, fails)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - no other way to make it fail once
        with pytest.raises(RuntimeError):
            await uploads.append(patient, storage, upload.id, offset=0, body=sending(content))
    assert (await uploads.status(patient, storage, upload.id)).state == "complete"
    assert completed == [upload.id]
    assert await content_of(patient, storage, upload.id) == content


async def test_blobs_of_a_crash_between_storing_and_acknowledging_are_swept(
    patient: Access, storage: ObjectStorage, store_folder: Path
) -> None:
    content = clip(CHUNK_BYTES + 10)
    upload = await announce(patient, storage, len(content))
    object_id = (await uploads.uploads.get(patient, upload.id)).object_id
    await storage.blobs.put(f"{patient.organization_id}/{object_id}/0.1", b"of a server that died")
    await uploads.append(patient, storage, upload.id, offset=0, body=sending(content))
    assert len(blobs(store_folder)) == 2
    assert await content_of(patient, storage, upload.id) == content


async def test_nobody_else_reaches_an_upload(
    patient: Access, database: Database, storage: ObjectStorage
) -> None:
    upload = await announce(patient, storage, 1000)
    organization = patient.organization_id
    strangers = [
        Actor(organization, "patient", "pat_other"),
        Actor(organization, "staff", "stf_1", location_ids=frozenset({"loc_south"})),
        Actor("org_other", "staff", "stf_2"),
    ]
    for actor in strangers:
        access = database.access(actor)
        with pytest.raises(NotFound):
            await uploads.status(access, storage, upload.id)
        with pytest.raises(NotFound):
            await uploads.append(access, storage, upload.id, offset=0, body=sending(clip(10)))
        with pytest.raises(NotFound):
            await uploads.terminate(access, storage, upload.id)
    assert (await uploads.status(patient, storage, upload.id)).offset == 0


async def test_a_patient_cannot_upload_for_another(patient: Access, storage: ObjectStorage) -> None:
    with pytest.raises(NotFound):
        await announce(patient, storage, 1000, patient="pat_other")


async def test_file_names_are_not_stored_in_the_clear(
    patient: Access, database: Database, storage: ObjectStorage
) -> None:
    upload = await announce(patient, storage, 1000, filename="Anna Kowalska knee.mp4")
    raw = await raw_collection(database, "uploads").find_one({"_id": upload.id})
    assert raw is not None
    assert "filename" not in str(raw["metadata_header"])
    assert "filename" in (await uploads.status(patient, storage, upload.id)).metadata_header


async def test_a_batch_of_bytes_makes_one_audit_entry_not_hundreds(
    patient: Access, database: Database, storage: ObjectStorage
) -> None:
    content = clip(4 * CHUNK_BYTES)
    upload = await announce(patient, storage, len(content))
    for offset in range(0, len(content), 262_144):
        await uploads.append(
            patient, storage, upload.id, offset=offset, body=sending(content[offset : offset + 262_144])
        )
    entries = await raw_collection(database, "audit").find({}).to_list()
    assert len(entries) < 10
    assert {entry["collection"] for entry in entries} <= {"uploads", "stored_objects"}
