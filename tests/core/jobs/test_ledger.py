"""Queueing, reading, retrying and calling off jobs."""

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import bson
import msgspec
import pytest
from bson.codec_options import CodecOptions
from hypothesis import given
from hypothesis import strategies as st

from core.access import Access, Actor, Transaction
from core.database import Database
from core.errors import Conflict, NotFound
from core.jobs import cancel_job, get_job, list_jobs, retry_job
from core.jobs.documents import Job
from core.jobs.ledger import stored_payload
from core.master_key import MasterKey
from core.mongo import RawDatabase
from tests.core.jobs.conftest import Queue, RunWorker
from tests.core.jobs.observing import ended, result_count
from tests.core.jobs.sample_work import Work


class Anything(msgspec.Struct, frozen=True):
    at: datetime
    day: date
    content: bytes
    numbers: tuple[int, ...]
    share: float
    name: str | None = None


async def test_a_job_is_named_after_its_kind_organization_and_key(
    system: Access, queue: Queue, organization_id: str
) -> None:
    job_id = await queue("sample.plain", "upl_1")

    assert job_id == f"sample.plain:{organization_id}:upl_1"
    assert (await get_job(system, job_id)).state == "queued"


async def test_a_stored_job_has_the_declared_shape(queue: Queue, raw: RawDatabase) -> None:
    job_id = await queue("sample.plain")

    stored = await raw["jobs"].find_one({"_id": job_id})
    assert Job.model_validate(stored).kind == "sample.plain"


async def test_asking_twice_for_the_same_work_is_asking_once(
    system: Access, queue: Queue, raw: RawDatabase, run_worker: RunWorker
) -> None:
    job_id = await queue("sample.plain")
    async with run_worker():
        await ended(system, job_id)

        assert await queue("sample.plain") == job_id

        assert (await get_job(system, job_id)).state == "done"
    assert await result_count(system, job_id) == 1
    assert await raw["jobs"].count_documents({"kind": "sample.plain"}) == 1


async def test_asking_twice_in_one_transaction_leaves_the_transaction_whole(system: Access) -> None:
    async def write(tx: Transaction) -> set[str]:
        return {await tx.enqueue("sample.plain", Work(), key="1") for _ in range(2)}

    assert len(await system.transact(write)) == 1


async def test_asking_from_many_processes_at_once_is_asking_once(
    database: Database, organization_id: str, raw: RawDatabase, master_key: MasterKey
) -> None:
    del database  # made the keys that the others open
    processes = [await Database.open(raw, master_key) for _ in range(6)]

    async def ask(process: Database) -> str:
        async def write(tx: Transaction) -> str:
            return await tx.enqueue("sample.plain", Work(), key="1")

        return await process.as_system(organization_id, "test").transact(write)

    for _ in range(5):
        assert len(set(await asyncio.gather(*map(ask, processes)))) == 1
        assert await raw["jobs"].count_documents({}) == 1
        await raw["jobs"].delete_many({})
    for process in processes:
        await process.close()


async def test_a_change_that_is_taken_back_takes_its_job_along(system: Access, raw: RawDatabase) -> None:
    async def write(tx: Transaction) -> None:
        await tx.enqueue("sample.plain", Work(), key="1")
        raise Conflict("No.")

    with pytest.raises(Conflict):
        await system.transact(write)

    assert await raw["jobs"].count_documents({}) == 0


async def test_a_job_takes_the_payload_it_declared_and_a_key_fit_for_an_address(queue: Queue) -> None:
    with pytest.raises(TypeError, match="takes a Work"):
        await queue("sample.plain", "1", Anything(datetime.now(UTC), date.today(), b"", (), 0.0))  # noqa: DTZ011
    with pytest.raises(ValueError, match="key"):
        await queue("sample.plain", "a/b c")


@given(
    st.builds(
        Anything,
        at=st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0)),
        day=st.dates(),
        content=st.binary(),
        numbers=st.lists(st.integers(-(2**63), 2**63 - 1)).map(tuple),
        share=st.floats(allow_nan=False),
        name=st.none() | st.text(),
    )
)
def test_a_payload_comes_back_as_it_went_in(payload: Anything) -> None:
    options: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)
    encoded = bson.encode(stored_payload(payload))
    raw = bson.decode(encoded, options)  # pyright: ignore[reportUnknownMemberType] - an overload of theirs

    assert msgspec.convert(raw, Anything) == payload


async def test_patients_see_their_own_jobs_and_nobody_elses(
    database: Database, system: Access, organization_id: str
) -> None:
    async def write(tx: Transaction) -> list[str]:
        return [
            await tx.enqueue("sample.plain", Work(), key=key, patient_id=patient)
            for key, patient in (("1", "pat_ann"), ("2", "pat_bob"), ("3", None))
        ]

    own, other, general = await system.transact(write)
    ann = database.access(Actor(organization_id, "patient", "pat_ann"))

    assert (await get_job(ann, own)).patient_id == "pat_ann"
    for hidden in (other, general):
        with pytest.raises(NotFound):
            await get_job(ann, hidden)
    assert [view.id for view in (await list_jobs(ann)).items] == [own]


async def test_other_organizations_do_not_see_a_job(database: Database, queue: Queue) -> None:
    job_id = await queue("sample.plain")
    stranger = database.access(Actor("org_other", "staff", "stf_1"))

    for attempt in (get_job, retry_job, cancel_job):
        with pytest.raises(NotFound):
            await attempt(stranger, job_id)
    assert (await list_jobs(stranger)).items == []


async def test_staff_of_one_location_see_jobs_about_patients_only_if_they_asked_for_them(
    database: Database, organization_id: str
) -> None:
    staff = [
        database.access(Actor(organization_id, "staff", name, location_ids=frozenset({"loc_1"})))
        for name in ("stf_ann", "stf_bob")
    ]

    async def write(tx: Transaction) -> str:
        return await tx.enqueue("sample.plain", Work(), key="1", patient_id="pat_1")

    job_id = await staff[0].transact(write)

    assert (await get_job(staff[0], job_id)).id == job_id
    with pytest.raises(NotFound):
        await get_job(staff[1], job_id)
    assert (await list_jobs(staff[1])).items == []


async def test_lists_are_paged_newest_first(system: Access, queue: Queue) -> None:
    queued = [await queue("sample.plain", f"{number}") for number in range(5)]

    first = await list_jobs(system, limit=3)
    second = await list_jobs(system, limit=3, cursor=first.next_cursor)

    assert [view.id for view in [*first.items, *second.items]] == queued[::-1]
    assert second.next_cursor is None
    assert (await list_jobs(system, state="dead")).items == []
    assert (await list_jobs(system, kind="sample.failing")).items == []


async def test_a_dead_letter_can_be_tried_again_and_who_did_it_is_on_record(
    database: Database, system: Access, queue: Queue, run_worker: RunWorker, raw: RawDatabase
) -> None:
    job_id = await queue("sample.failing")
    administrator = database.access(Actor(system.organization_id, "staff", "stf_admin"))
    async with run_worker():
        assert (await ended(system, job_id)).attempts == 3

    again = await retry_job(administrator, job_id)

    assert (again.state, again.attempts, again.finished_at) == ("queued", 0, None)
    async with run_worker():
        assert (await ended(system, job_id)).attempts == 3
    assert await raw["starts"].count_documents({"job_id": job_id}) == 6
    entry = await raw["audit"].find_one({"document_ids": job_id})
    assert entry is not None
    assert (entry["actor"]["id"], entry["note"]) == ("stf_admin", "queued")


async def test_a_queued_job_can_be_called_off_and_taken_up_again(
    system: Access, queue: Queue, run_worker: RunWorker
) -> None:
    job_id = await queue("sample.plain")

    assert (await cancel_job(system, job_id)).state == "cancelled"
    with pytest.raises(Conflict):
        await cancel_job(system, job_id)
    assert (await retry_job(system, job_id)).state == "queued"
    async with run_worker():
        assert (await ended(system, job_id)).state == "done"
    with pytest.raises(Conflict):
        await retry_job(system, job_id)


async def test_finished_jobs_are_forgotten_one_day_and_dead_ones_are_not(
    system: Access, queue: Queue, run_worker: RunWorker, raw: RawDatabase
) -> None:
    done, dead = await queue("sample.plain"), await queue("sample.failing")
    async with run_worker():
        await ended(system, done)
        await ended(system, dead)

    finished = await raw["jobs"].find_one({"_id": done})
    assert finished is not None
    assert (finished["forget_at"] - finished["finished_at"]).days == 90
    assert await raw["jobs"].count_documents({"_id": dead, "forget_at": {"$exists": True}}) == 0
