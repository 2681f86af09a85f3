"""Scheduled work becomes jobs, once for each organization, time zone and slot."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime, time, timedelta

import pytest

from core.access import Access, Transaction
from core.clock import utc_now
from core.database import Database
from core.errors import NotFound
from core.jobs import Daily, Every, get_job
from core.jobs.scheduler import Scheduler, take_tick
from core.jobs.schedules import Schedule
from core.mongo import RawDatabase
from tests.core.jobs.conftest import Queue, RunWorker
from tests.core.jobs.observing import ended

MORNING = [Schedule("sample.morning", Daily(time(7, 0)), "location")]
QUARTERLY = [Schedule("sample.morning", Every(timedelta(minutes=15)), "utc")]
ZONES = {"org_east": ["America/New_York"], "org_both": ["America/New_York", "America/Los_Angeles"]}

SetClock = Callable[[str], None]


async def zones_of(access: Access) -> Collection[str]:
    return ZONES[access.organization_id]


@pytest.fixture
async def clinics(database: Database) -> None:
    """Two organizations that have stored something."""

    async def nothing(_: Transaction) -> None:
        return None

    for organization_id in ZONES:
        await database.as_system(organization_id, "test").transact(nothing)


@pytest.fixture
def set_clock(database: Database) -> SetClock:
    def set_to(text: str) -> None:
        database.clock = lambda: datetime.fromisoformat(text).replace(tzinfo=UTC)

    return set_to


async def queued(raw: RawDatabase) -> list[str]:
    return sorted([row["_id"] async for row in raw["jobs"].find()])


@pytest.mark.usefixtures("clinics")
async def test_each_organization_gets_a_job_for_each_of_its_time_zones(
    database: Database, raw: RawDatabase, set_clock: SetClock
) -> None:
    set_clock("2026-11-23T15:30")
    await Scheduler(database, zones_of).tick(MORNING)

    assert await queued(raw) == [
        "sample.morning:org_both:20261123T120000Z@America~New_York",
        "sample.morning:org_both:20261123T150000Z@America~Los_Angeles",
        "sample.morning:org_east:20261123T120000Z@America~New_York",
    ]


@pytest.mark.usefixtures("clinics")
async def test_two_workers_make_one_job_of_one_slot(
    database: Database, raw: RawDatabase, set_clock: SetClock
) -> None:
    set_clock("2026-11-23T15:30")
    for _ in range(2):
        await Scheduler(database, zones_of).tick(QUARTERLY)

    assert await queued(raw) == [
        "sample.morning:org_both:20261123T153000Z",
        "sample.morning:org_east:20261123T153000Z",
    ]


@pytest.mark.usefixtures("clinics")
async def test_a_clock_that_is_set_back_and_forth_makes_no_second_job(
    database: Database, raw: RawDatabase, set_clock: SetClock
) -> None:
    scheduler = Scheduler(database, zones_of)
    for now in ("2026-11-23T15:31", "2026-11-23T15:10", "2026-11-23T15:29", "2026-11-23T15:32"):
        set_clock(now)
        await scheduler.tick(QUARTERLY)

    assert len(await queued(raw)) == 2


@pytest.mark.usefixtures("clinics")
async def test_after_a_standstill_only_the_latest_slot_is_made_up_for(
    database: Database, raw: RawDatabase, set_clock: SetClock
) -> None:
    scheduler = Scheduler(database, zones_of)
    for now in ("2026-11-02T12:00", "2026-11-23T12:00"):
        set_clock(now)
        await scheduler.tick(MORNING[:1])

    days = {job_id.split(":")[2] for job_id in await queued(raw) if "org_east" in job_id}
    assert days == {"20261102T120000Z@America~New_York", "20261123T120000Z@America~New_York"}


@pytest.mark.usefixtures("clinics")
async def test_trouble_in_one_organization_does_not_keep_the_others_waiting(
    database: Database, raw: RawDatabase, set_clock: SetClock
) -> None:
    async def no_zones_in_one(access: Access) -> Collection[str]:
        if access.organization_id == "org_both":
            raise NotFound("There is no such organization.")
        return await zones_of(access)

    set_clock("2026-11-23T15:30")
    await Scheduler(database, no_zones_in_one).tick(MORNING)

    assert [job_id.split(":")[1] for job_id in await queued(raw)] == ["org_east"]


async def test_one_worker_at_a_time_looks_for_due_schedules(database: Database) -> None:
    assert await take_tick(database)
    assert not await take_tick(database)


async def test_a_slot_reaches_its_handler(
    database: Database, system: Access, queue: Queue, run_worker: RunWorker
) -> None:
    slot = Daily(time(7, 0)).latest(utc_now(), "Europe/Berlin")
    job_id = await queue("sample.morning", slot.key, slot)
    async with run_worker():
        assert (await ended(system, job_id)).state == "done"
    assert (await get_job(system, job_id)).id.endswith("@Europe~Berlin")
    del database
