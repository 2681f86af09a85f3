"""What a worker does with jobs that succeed, fail, take too long or are called off."""

import asyncio
import logging
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from pymongo.errors import AutoReconnect

from core.access import Access, Transaction
from core.database import Database
from core.jobs import Backoff, Worker, cancel_job, get_job, job
from core.jobs.claim import Outlook, look_ahead
from core.jobs.lease import describe
from core.mongo import RawDatabase
from core.platform import Platform
from tests.core.jobs.conftest import Queue, RunWorker
from tests.core.jobs.observing import begun, ended, result_count, until
from tests.core.jobs.sample_work import Work, no_time_zones


async def test_a_job_and_its_result_end_together(
    system: Access, queue: Queue, run_worker: RunWorker, raw: RawDatabase
) -> None:
    job_id = await queue("sample.plain")
    async with run_worker():
        view = await ended(system, job_id)

    assert (view.state, view.attempts, view.error) == ("done", 1, None)
    assert view.started_at is not None
    assert view.finished_at is not None
    assert view.created_at <= view.started_at <= view.finished_at
    assert await result_count(system, job_id) == 1
    # The result is in the audit log under the name of the work that wrote it.
    entry = await raw["audit"].find_one({"collection": "results"})
    assert entry is not None
    assert entry["actor"]["id"] == "sample.plain"


async def test_two_workers_do_two_hundred_jobs_once_each(
    queue: Queue, run_worker: RunWorker, raw: RawDatabase
) -> None:
    jobs = [await queue("sample.plain", str(number)) for number in range(200)]
    async with run_worker(concurrency=10), run_worker(concurrency=10):

        async def all_done() -> bool:
            return await raw["jobs"].count_documents({"_id": {"$in": jobs}, "state": "done"}) == 200

        await until(all_done, within_s=60)

    assert await raw["starts"].count_documents({}) == 200
    assert sorted(await raw["results"].distinct("job_id")) == sorted(jobs)
    assert await raw["results"].count_documents({}) == 200


async def test_a_failed_attempt_is_repeated(system: Access, queue: Queue, run_worker: RunWorker) -> None:
    job_id = await queue("sample.second_time_lucky")
    async with run_worker():
        view = await ended(system, job_id)

    assert (view.state, view.attempts, view.error) == ("done", 2, None)


async def test_what_keeps_failing_becomes_a_dead_letter_that_quotes_no_data(
    system: Access, queue: Queue, run_worker: RunWorker, raw: RawDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = await queue("sample.failing")
    with caplog.at_level(logging.DEBUG):
        async with run_worker():
            view = await ended(system, job_id)

    assert (view.state, await begun(raw, job_id)) == ("dead", 3)
    assert view.error is not None
    assert view.error.startswith("LookupError in tests/core/jobs/sample_work.py, line ")
    assert "Jane" not in caplog.text


def test_an_error_from_elsewhere_is_known_by_its_kind_only() -> None:
    assert describe(LookupError("Jane Doe")) == "LookupError"


async def test_a_fault_of_ours_is_told_in_its_own_words(
    system: Access, queue: Queue, run_worker: RunWorker
) -> None:
    job_id = await queue("sample.refused")
    async with run_worker():
        view = await ended(system, job_id)

    assert (view.state, view.error) == ("dead", "episode-closed: The episode is closed.")


async def test_a_result_that_fails_half_way_leaves_nothing_behind(
    system: Access, queue: Queue, run_worker: RunWorker
) -> None:
    job_id = await queue("sample.half_commit")
    async with run_worker():
        view = await ended(system, job_id)

    assert view.state == "dead"
    assert await result_count(system, job_id) == 0


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("sample.too_long", "It took longer than 0.2 seconds."),
        ("sample.gives_itself_up", "The handler gave itself up."),
    ],
)
async def test_an_attempt_that_does_not_end_properly_has_failed(
    system: Access, queue: Queue, run_worker: RunWorker, kind: str, error: str
) -> None:
    job_id = await queue(kind)
    async with run_worker():
        view = await ended(system, job_id)

    assert (view.state, view.error) == ("dead", error)


async def test_a_payload_that_a_handler_cannot_read_is_a_dead_letter(
    system: Access, queue: Queue, run_worker: RunWorker, raw: RawDatabase
) -> None:
    job_id = await queue("sample.refused")
    await raw["jobs"].update_one({"_id": job_id}, {"$set": {"payload": {"seconds": "Jane Doe"}}})
    async with run_worker():
        view = await ended(system, job_id)

    assert view.state == "dead"
    assert view.error is not None
    assert "Jane" not in view.error


async def test_a_kind_that_nobody_here_knows_stays_queued(
    system: Access, queue: Queue, run_worker: RunWorker
) -> None:
    unknown = await queue("later.version")
    known = await queue("sample.plain")
    async with run_worker():
        await ended(system, known)
        view = await get_job(system, unknown)

    assert (view.state, view.attempts) == ("queued", 0)


async def test_a_running_job_that_is_called_off_stops_and_commits_nothing(
    system: Access, queue: Queue, run_worker: RunWorker, raw: RawDatabase
) -> None:
    before = REGISTRY.get_sample_value(
        "homestretch_jobs_ended_total", {"kind": "sample.short_lease", "outcome": "lost"}
    )
    job_id = await queue("sample.short_lease", payload=Work(seconds=60))
    async with run_worker():

        async def started() -> bool:
            return await begun(raw, job_id) == 1

        await until(started)
        await cancel_job(system, job_id)

        async def stopped() -> bool:
            lost = REGISTRY.get_sample_value(
                "homestretch_jobs_ended_total", {"kind": "sample.short_lease", "outcome": "lost"}
            )
            return lost == (before or 0) + 1

        await until(stopped)
    assert (await get_job(system, job_id)).state == "cancelled"
    assert await result_count(system, job_id) == 0


async def test_a_job_can_ask_for_further_jobs(
    system: Access, queue: Queue, run_worker: RunWorker, organization_id: str
) -> None:
    caller = await queue("sample.calls_others")
    async with run_worker():
        await ended(system, caller)
        assert (await ended(system, f"sample.plain:{organization_id}:called")).state == "done"


async def test_a_worker_that_is_told_to_stop_lets_its_jobs_end(
    platform: Platform, system: Access, queue: Queue, raw: RawDatabase
) -> None:
    job_id = await queue("sample.plain", payload=Work(seconds=0.5))
    later = await queue("sample.plain", "2")
    stop = asyncio.Event()
    running = asyncio.create_task(Worker(platform, no_time_zones, concurrency=1, grace_s=30).run(stop))

    async def started() -> bool:
        return await begun(raw, job_id) == 1

    await until(started)
    stop.set()
    await running

    assert (await get_job(system, job_id)).state == "done"
    assert (await get_job(system, later)).attempts == 0


async def test_what_does_not_end_in_time_goes_to_another_worker_at_once(
    platform: Platform, system: Access, queue: Queue, raw: RawDatabase, run_worker: RunWorker
) -> None:
    job_id = await queue("sample.in_pairs", payload=Work(seconds=3))
    stop = asyncio.Event()
    running = asyncio.create_task(Worker(platform, no_time_zones, grace_s=0).run(stop))

    async def started() -> bool:
        return (await get_job(system, job_id)).state == "running"

    await until(started)
    stop.set()
    await running

    released = await raw["jobs"].find_one({"_id": job_id})
    assert released is not None
    assert (released["state"], released["attempts"]) == ("queued", 0)
    assert "slot" not in released
    async with run_worker():
        view = await ended(system, job_id)
    # A lease of this kind lasts 30 seconds: the second worker did not have to wait for its end.
    assert (view.state, view.attempts) == ("done", 1)
    assert await result_count(system, job_id) == 1


async def test_a_long_job_keeps_its_lease(
    system: Access, queue: Queue, run_worker: RunWorker, raw: RawDatabase
) -> None:
    job_id = await queue("sample.short_lease", payload=Work(seconds=2.5))
    async with run_worker(), run_worker():
        view = await ended(system, job_id)

    assert (view.state, view.attempts, await begun(raw, job_id)) == ("done", 1, 1)


async def test_a_job_keeps_its_lease_while_it_waits_for_its_turn_to_write(
    system: Access, queue: Queue, run_worker: RunWorker, raw: RawDatabase
) -> None:
    job_id = await queue("sample.short_lease")

    async def long_write(_: Transaction) -> None:
        await asyncio.sleep(2.5)

    # Writes of one organization take turns within a process.
    writing = asyncio.create_task(system.transact(long_write))
    async with run_worker(), run_worker():
        view = await ended(system, job_id)
    await writing

    assert (view.state, view.attempts, await begun(raw, job_id)) == ("done", 1, 1)


async def test_a_worker_outlives_a_database_that_goes_away_for_a_while(
    system: Access, queue: Queue, run_worker: RunWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    absences = iter(range(3))

    async def at_first_unreachable(database: Database) -> Outlook:
        if next(absences, None) is not None:
            raise AutoReconnect("connection closed")
        return await look_ahead(database)

    monkeypatch.setattr("core.jobs.worker.look_ahead", at_first_unreachable)
    job_id = await queue("sample.plain")
    async with run_worker():
        assert (await ended(system, job_id)).state == "done"


async def test_a_handler_gets_the_reach_of_its_own_organization(
    database: Database, queue: Queue, run_worker: RunWorker
) -> None:
    organizations = [database.as_system(f"org_{letter}", "test") for letter in "ab"]
    jobs = [await queue("sample.plain", access=access) for access in organizations]
    async with run_worker():
        for access, job_id in zip(organizations, jobs, strict=True):
            await ended(access, job_id)

    for access, job_id in zip(organizations, jobs, strict=True):
        assert await result_count(access, job_id) == 1


def test_a_kind_has_one_handler_and_sensible_limits() -> None:
    with pytest.raises(ValueError, match="handler already"):
        job("sample.plain", payload=Work)(_do_nothing)
    with pytest.raises(ValueError, match="positive"):
        job("sample.never", payload=Work, max_attempts=0)
    with pytest.raises(ValueError, match="<room>"):
        job("nameless", payload=Work)


async def _do_nothing(_: object, __: Work) -> None:
    return None


@given(st.integers(1, 10_000), st.integers())
def test_retries_wait_longer_each_time_but_never_beyond_the_longest(attempt: int, seed: int) -> None:
    backoff = Backoff(first_s=2.0, longest_s=600.0)
    rng = random.Random(seed)  # noqa: S311 - no secret

    assert 0 <= backoff.delay_s(attempt, rng) <= min(600.0, 2.0 * 2 ** min(attempt - 1, 20))
