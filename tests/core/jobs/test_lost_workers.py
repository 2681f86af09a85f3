"""Workers that are killed or frozen in the middle of a job: nothing is lost, nothing is done twice."""

import asyncio
import signal

import pytest

from core.access import Access
from core.database import Database
from core.jobs import get_job
from core.jobs.claim import Claim, claim_job, reclaim_abandoned
from core.jobs.lease import Lease, LeaseLost
from core.jobs.registry import known_kinds
from core.mongo import RawDatabase
from tests.core.jobs.conftest import Queue, RunWorker, StartProcess
from tests.core.jobs.observing import begun, ended, result_count, until
from tests.core.jobs.sample_work import Work, results

pytestmark = pytest.mark.faults


async def begin(raw: RawDatabase, job_id: str, attempts: int = 1) -> None:
    async def so_many() -> bool:
        return await begun(raw, job_id) >= attempts

    await until(so_many)


async def process_of_result(system: Access, job_id: str) -> int:
    (result,) = await results.find(system, {"job_id": job_id})
    return result.process


async def test_a_job_whose_worker_was_killed_is_done_by_another_once(
    system: Access, queue: Queue, raw: RawDatabase, start_process: StartProcess, run_worker: RunWorker
) -> None:
    job_id = await queue("sample.short_lease", payload=Work(seconds=1.0))
    doomed = start_process()
    await begin(raw, job_id)
    doomed.send_signal(signal.SIGKILL)
    doomed.wait()

    async with run_worker():
        view = await ended(system, job_id)

    assert (view.state, view.attempts) == ("done", 2)
    assert await process_of_result(system, job_id) != doomed.pid


async def test_a_worker_that_was_frozen_beyond_its_lease_cannot_commit(
    system: Access, queue: Queue, raw: RawDatabase, start_process: StartProcess, run_worker: RunWorker
) -> None:
    job_id = await queue("sample.short_lease", payload=Work(seconds=0.5))
    frozen = start_process(concurrency=1)
    await begin(raw, job_id)
    frozen.send_signal(signal.SIGSTOP)
    async with run_worker():
        view = await ended(system, job_id)
    assert (view.state, view.attempts) == ("done", 2)

    frozen.send_signal(signal.SIGCONT)
    # It has one place only: to take the next job it must have finished with the one it lost.
    after = await queue("sample.plain")
    await ended(system, after)

    assert await process_of_result(system, after) == frozen.pid
    assert await process_of_result(system, job_id) != frozen.pid


async def test_a_job_that_kills_its_workers_ends_as_a_dead_letter(
    system: Access, queue: Queue, raw: RawDatabase, start_process: StartProcess
) -> None:
    job_id = await queue("sample.poison")
    workers = [start_process() for _ in range(3)]
    view = await ended(system, job_id)

    assert (view.state, view.attempts, await begun(raw, job_id)) == ("dead", 2, 2)
    assert view.error == "The worker stopped in the middle of this job."
    assert sorted(worker.poll() or 0 for worker in workers) == [-signal.SIGKILL, -signal.SIGKILL, 0]


async def test_a_worker_process_that_is_told_to_stop_ends_cleanly(
    system: Access, queue: Queue, raw: RawDatabase, start_process: StartProcess
) -> None:
    job_id = await queue("sample.plain", payload=Work(seconds=0.5))
    worker = start_process()
    await begin(raw, job_id)
    worker.send_signal(signal.SIGTERM)

    assert await asyncio.to_thread(worker.wait, 30) == 0
    assert (await get_job(system, job_id)).state == "done"
    assert await result_count(system, job_id) == 1


async def run_out(raw: RawDatabase, claim: Claim) -> None:
    """Let the lease of a claim end without waiting for it."""
    await raw["jobs"].update_one({"_id": claim.job_id}, [{"$set": {"claimable_at": "$$NOW"}}])


async def expire(raw: RawDatabase, claim: Claim, database: Database) -> None:
    """Let the lease of a claim end, and have that noticed."""
    await run_out(raw, claim)
    await reclaim_abandoned(database, [claim.organization_id], known_kinds())


async def test_with_an_old_fencing_token_nothing_can_be_written(
    system: Access, database: Database, queue: Queue, raw: RawDatabase
) -> None:
    job_id = await queue("sample.plain")
    kind = known_kinds()["sample.plain"]
    first = await claim_job(database, system.organization_id, known_kinds(), "first")
    assert first is not None
    await expire(raw, first, database)
    second = await claim_job(database, system.organization_id, known_kinds(), "second")
    assert second is not None
    assert second.fence > first.fence
    before = await raw["jobs"].find_one({"_id": job_id})

    zombie = Lease(system, first, kind)
    zombie.report("still at it", 0.9)
    committed: list[int] = []

    async def commit(_: Access) -> None:
        committed.append(1)

    with pytest.raises(LeaseLost):
        await zombie.complete(commit)
    assert not await zombie.retry("no", 0)
    assert not await zombie.bury("no")
    assert not await zombie.release()
    await asyncio.wait_for(zombie.keep(), 10)

    assert committed == []
    assert await raw["jobs"].find_one({"_id": job_id}) == before
    await Lease(system, second, kind).complete(None)
    assert (await get_job(system, job_id)).state == "done"


async def test_a_lease_that_still_runs_is_not_taken_away(
    system: Access, database: Database, queue: Queue, raw: RawDatabase
) -> None:
    job_id = await queue("sample.plain")
    claim = await claim_job(database, system.organization_id, known_kinds(), "first")
    assert claim is not None

    await reclaim_abandoned(database, [system.organization_id], known_kinds())

    assert (await get_job(system, job_id)).state == "running"
    assert await claim_job(database, system.organization_id, known_kinds(), "second") is None
    await expire(raw, claim, database)
    assert (await get_job(system, job_id)).state == "queued"


async def test_an_abandoned_job_passes_the_count_of_attempts_before_it_is_claimed_again(
    system: Access, database: Database, queue: Queue, raw: RawDatabase
) -> None:
    await queue("sample.refused")  # may be attempted once
    claim = await claim_job(database, system.organization_id, known_kinds(), "first")
    assert claim is not None
    await run_out(raw, claim)

    assert await claim_job(database, system.organization_id, known_kinds(), "second") is None
    await reclaim_abandoned(database, [system.organization_id], known_kinds())
    assert (await get_job(system, claim.job_id)).state == "dead"


async def test_a_place_that_a_dead_worker_held_becomes_free(
    system: Access, database: Database, queue: Queue, raw: RawDatabase
) -> None:
    for number in range(3):
        await queue("sample.in_pairs", str(number))
    claims = [await claim_job(database, system.organization_id, known_kinds(), "doomed") for _ in range(3)]
    held = [claim for claim in claims if claim is not None]
    assert len(held) == 2

    await expire(raw, held[0], database)

    assert await claim_job(database, system.organization_id, known_kinds(), "next") is not None
    assert await claim_job(database, system.organization_id, known_kinds(), "next") is None
