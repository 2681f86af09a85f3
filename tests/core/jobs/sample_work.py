"""Kinds of job for the tests, and, run as a program, a worker that ends when it is told to."""

import asyncio
import os
import signal
import sys
from typing import ClassVar

import msgspec

from core.access import Access, Transaction
from core.documents import TenantDocument
from core.errors import Conflict
from core.jobs import DOCUMENTS as JOB_DOCUMENTS
from core.jobs import Backoff, Commit, JobContext, Slot, Worker, job
from core.mongo import raw_collection
from core.platform import open_platform
from core.repository import Repository
from core.settings import load_settings

AT_ONCE = Backoff(first_s=0.0, longest_s=0.0)


class Result(TenantDocument):
    """What a job left behind. One for each commit, so that a second commit would show."""

    id_prefix: ClassVar[str] = "res"
    health_data: ClassVar[bool] = False

    job_id: str
    process: int

    class Settings(TenantDocument.Settings):
        name = "results"


DOCUMENTS = [*JOB_DOCUMENTS, Result]
results = Repository(Result)


class Work(msgspec.Struct, frozen=True):
    """How long the work takes, in seconds."""

    seconds: float = 0.0


def leave_result(context: JobContext) -> Commit:
    async def commit(tx: Transaction) -> None:
        result = Result(
            id=results.new_id(),
            organization_id=tx.organization_id,
            job_id=context.job_id,
            process=os.getpid(),
        )
        await results.insert(tx, result)

    return commit


async def note_start(context: JobContext) -> None:
    """Written outside any transaction: attempts that are lost later show, too."""
    starts = raw_collection(context.access.database, "starts")
    await starts.insert_one({"job_id": context.job_id, "process": os.getpid(), "attempt": context.attempt})


@job("sample.plain", payload=Work, backoff=AT_ONCE)
async def plain(context: JobContext, payload: Work) -> Commit:
    await note_start(context)
    await asyncio.sleep(payload.seconds)
    return leave_result(context)


@job("sample.short_lease", payload=Work, max_attempts=10, lease_s=1.0, backoff=AT_ONCE)
async def short_lease(context: JobContext, payload: Work) -> Commit:
    await note_start(context)
    await asyncio.sleep(payload.seconds)
    return leave_result(context)


@job("sample.in_pairs", payload=Work, concurrency_per_tenant=2, backoff=AT_ONCE)
async def in_pairs(context: JobContext, payload: Work) -> Commit:
    running = raw_collection(context.access.database, "running")
    organization = {"_id": context.access.organization_id}
    await running.update_one(organization, {"$inc": {"now": 1}}, upsert=True)
    seen = await running.find_one(organization) or {}
    await running.update_one(organization, {"$max": {"most": seen["now"]}})
    await asyncio.sleep(payload.seconds)
    await running.update_one(organization, {"$inc": {"now": -1}})
    return leave_result(context)


@job("sample.poison", payload=Work, max_attempts=2, lease_s=0.5)
async def poison(context: JobContext, _: Work) -> None:
    await note_start(context)
    os.kill(os.getpid(), signal.SIGKILL)


@job("sample.failing", payload=Work, max_attempts=3, backoff=AT_ONCE)
async def failing(context: JobContext, _: Work) -> None:
    await note_start(context)
    raise LookupError("Jane Doe, born 1970-01-01, is not in the list")


@job("sample.refused", payload=Work, max_attempts=1)
async def refused(_: JobContext, __: Work) -> None:
    raise Conflict("The episode is closed.", code="episode-closed")


@job("sample.second_time_lucky", payload=Work, backoff=AT_ONCE)
async def second_time_lucky(context: JobContext, _: Work) -> Commit:
    if context.attempt == 1:
        raise RuntimeError("not yet")
    return leave_result(context)


@job("sample.too_long", payload=Work, max_attempts=1, timeout_s=0.2)
async def too_long(context: JobContext, _: Work) -> Commit:
    await asyncio.sleep(60)
    return leave_result(context)


@job("sample.gives_itself_up", payload=Work, max_attempts=1)
async def gives_itself_up(_: JobContext, __: Work) -> None:
    raise asyncio.CancelledError


@job("sample.half_commit", payload=Work, max_attempts=1)
async def half_commit(context: JobContext, _: Work) -> Commit:
    async def commit(tx: Transaction) -> None:
        await leave_result(context)(tx)
        raise RuntimeError("after the first write")

    return commit


@job("sample.steps", payload=Work, lease_s=3.0)
async def steps(context: JobContext, payload: Work) -> Commit:
    for step in range(10):
        await context.progress("counting", step / 10)
        await asyncio.sleep(payload.seconds / 10)
    return leave_result(context)


@job("sample.chatty", payload=Work)
async def chatty(context: JobContext, _: Work) -> None:
    for step in range(2000):
        await context.progress("talking", step / 2000)
        await asyncio.sleep(0)


@job("sample.morning", payload=Slot)
async def morning(context: JobContext, _: Slot) -> Commit:
    return leave_result(context)


@job("sample.calls_others", payload=Work)
async def calls_others(_: JobContext, __: Work) -> Commit:
    async def commit(tx: Transaction) -> None:
        await tx.enqueue("sample.plain", Work(), key="called")

    return commit


async def no_time_zones(_: Access) -> list[str]:
    return []


async def work_until_told() -> None:
    """A worker process as `homestretch run worker` starts one, with the kinds above."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with open_platform(load_settings(), DOCUMENTS) as platform:
        worker = Worker(platform, no_time_zones, concurrency=int(sys.argv[1]), grace_s=float(sys.argv[2]))
        await worker.run(stop)


if __name__ == "__main__":
    asyncio.run(work_until_told())
