"""Watching a job while it runs."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from core.access import Access, Actor
from core.database import Database
from core.errors import NotFound
from core.jobs import JobView, cancel_job, watch
from core.jobs.documents import job_collection
from core.mongo import RawDatabase
from tests.core.jobs.conftest import Queue, RunWorker
from tests.core.jobs.observing import ended, stored_updates
from tests.core.jobs.sample_work import Work


async def seen(access: Access, job_id: str) -> list[JobView]:
    async with asyncio.timeout(30):
        return [view async for view in watch(access, job_id)]


async def test_a_watcher_sees_progress_grow_until_the_job_is_done(
    system: Access, queue: Queue, run_worker: RunWorker
) -> None:
    job_id = await queue("sample.steps", payload=Work(seconds=2.0))
    watching = asyncio.create_task(seen(system, job_id))
    async with run_worker():
        views = await watching

    assert [views[0].state, views[-1].state] == ["queued", "done"]
    fractions = [view.progress.fraction for view in views if view.progress is not None]
    assert fractions == sorted(fractions)
    assert len(set(fractions)) >= 3
    assert {view.progress.stage for view in views if view.progress is not None} == {"counting"}


async def test_every_watcher_of_a_job_is_served(system: Access, queue: Queue, run_worker: RunWorker) -> None:
    jobs = [await queue("sample.plain", str(number), Work(seconds=0.2)) for number in range(3)]
    watching = [asyncio.create_task(seen(system, job_id)) for job_id in jobs for _ in range(5)]
    async with run_worker():
        views = await asyncio.gather(*watching)

    assert all(sequence[-1].state == "done" for sequence in views)


async def test_without_change_streams_a_watcher_looks_for_itself(
    system: Access, queue: Queue, run_worker: RunWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    class WithoutStreams:
        def __init__(self, database: Database) -> None:
            self._collection = job_collection(database)

        async def watch(self, _: Any) -> None:  # noqa: ANN401 - whatever a change stream is asked for
            raise OperationFailure("The $changeStream stage is only supported on replica sets", 40573)

    monkeypatch.setattr("core.jobs.feed.job_collection", WithoutStreams)
    job_id = await queue("sample.plain", payload=Work(seconds=0.2))
    watching = asyncio.create_task(seen(system, job_id))
    async with run_worker():
        assert (await watching)[-1].state == "done"


async def test_a_watcher_hears_that_the_job_was_called_off(system: Access, queue: Queue) -> None:
    job_id = await queue("sample.plain")
    async with aclosing(watch(system, job_id)) as views:
        assert (await anext(views)).state == "queued"
        await cancel_job(system, job_id)
        async with asyncio.timeout(10):
            assert (await anext(views)).state == "cancelled"
        assert await anext(views, None) is None


async def test_a_job_that_is_over_is_shown_once(system: Access, queue: Queue) -> None:
    job_id = await queue("sample.plain")
    await cancel_job(system, job_id)

    assert [view.state for view in await seen(system, job_id)] == ["cancelled"]


async def test_nobody_watches_what_they_may_not_see(database: Database, system: Access, queue: Queue) -> None:
    job_id = await queue("sample.plain")
    patient = database.access(Actor(system.organization_id, "patient", "pat_1"))

    with pytest.raises(NotFound):
        await seen(patient, job_id)


async def test_progress_that_is_told_too_often_is_thinned_out(
    system: Access, queue: Queue, run_worker: RunWorker, raw: RawDatabase
) -> None:
    job_id = await queue("sample.chatty")
    async with run_worker():
        view = await ended(system, job_id)

    assert view.progress is not None
    assert view.progress.fraction == 1999 / 2000
    assert 1 <= await stored_updates(raw, job_id) < 20
