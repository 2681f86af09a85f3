"""How organizations share the workers."""

import asyncio
from collections import Counter

import pytest

from core.access import Access, Transaction
from core.database import Database
from core.jobs.claim import Claim, claim_job, look_ahead
from core.jobs.registry import known_kinds
from core.mongo import RawDatabase
from tests.core.jobs.conftest import Queue, RunWorker
from tests.core.jobs.observing import ended, index_keys_read
from tests.core.jobs.sample_work import Work

CROWD = 600


@pytest.fixture
async def crowded(database: Database) -> Access:
    """An organization with a long queue."""
    access = database.as_system("org_crowded", "test")

    async def write(tx: Transaction) -> None:
        for number in range(CROWD):
            await tx.enqueue("sample.plain", Work(), key=str(number))

    await access.transact(write)
    return access


async def test_a_long_queue_of_one_organization_does_not_delay_another(
    crowded: Access, database: Database, queue: Queue, run_worker: RunWorker, raw: RawDatabase
) -> None:
    small = database.as_system("org_small", "test")
    jobs = [await queue("sample.plain", str(number), access=small) for number in range(5)]
    async with run_worker(concurrency=1):
        for job_id in jobs:
            await ended(small, job_id)

    order = [row["job_id"].split(":")[1] async for row in raw["starts"].find().sort("_id", 1)]
    served = order[: max(index for index, name in enumerate(order) if name == "org_small") + 1]
    assert Counter(served)["org_crowded"] <= len(jobs) + 1
    assert crowded.organization_id in served


async def test_finding_whose_turn_it_is_costs_the_same_however_long_the_queues_are(
    crowded: Access, database: Database, queue: Queue, raw: RawDatabase
) -> None:
    del crowded
    await queue("sample.plain", access=database.as_system("org_small", "test"))
    before = await index_keys_read(raw)
    outlook = await look_ahead(database)

    assert sorted(outlook.ready) == ["org_crowded", "org_small"]
    assert outlook.overdue_s > 0
    assert await index_keys_read(raw) - before < CROWD / 10


async def test_claiming_costs_the_same_however_long_the_queue_is(
    crowded: Access, database: Database, raw: RawDatabase
) -> None:
    before = await index_keys_read(raw)
    claim = await claim_job(database, crowded.organization_id, known_kinds(), "test")

    assert isinstance(claim, Claim)
    assert await index_keys_read(raw) - before < CROWD / 10


async def test_limited_kinds_run_no_more_at_a_time_than_they_may(
    system: Access, queue: Queue, run_worker: RunWorker, raw: RawDatabase
) -> None:
    jobs = [await queue("sample.in_pairs", str(number), Work(seconds=0.05)) for number in range(20)]
    async with run_worker(), run_worker(), run_worker():
        for job_id in jobs:
            await ended(system, job_id)

    counted = await raw["running"].find_one({"_id": system.organization_id})
    assert counted is not None
    assert counted["most"] == 2


async def test_a_full_kind_does_not_hold_up_the_others(
    system: Access, queue: Queue, run_worker: RunWorker
) -> None:
    for number in range(5):
        await queue("sample.in_pairs", str(number), Work(seconds=60))
    quick = await queue("sample.plain")
    async with run_worker(grace_s=0):
        assert (await ended(system, quick)).state == "done"


async def test_workers_that_claim_at_the_same_moment_never_get_the_same_job(
    system: Access, database: Database, queue: Queue
) -> None:
    for number in range(30):
        await queue("sample.plain", str(number))

    claims = await asyncio.gather(
        *(claim_job(database, system.organization_id, known_kinds(), f"worker {n}") for n in range(40))
    )

    taken = [claim.job_id for claim in claims if claim is not None]
    assert len(taken) == len(set(taken)) == 30


async def test_a_worker_that_waits_takes_what_arrives(
    system: Access, queue: Queue, run_worker: RunWorker
) -> None:
    async with run_worker():
        for number in range(3):
            job_id = await queue("sample.plain", str(number))
            assert (await ended(system, job_id)).state == "done"
