"""Waiting for what workers do, and counting it."""

import asyncio
from collections.abc import Awaitable, Callable

from core.access import Access
from core.jobs import JobView, get_job
from core.mongo import RawDatabase
from tests.core.jobs.sample_work import results


async def until(condition: Callable[[], Awaitable[bool]], *, within_s: float = 30.0) -> None:
    """Wait for `condition`; the test fails if that takes too long."""
    async with asyncio.timeout(within_s):
        while not await condition():  # noqa: ASYNC110 - what is awaited happens in the database
            await asyncio.sleep(0.02)


async def ended(access: Access, job_id: str) -> JobView:
    """The job once it is over."""

    async def over() -> bool:
        return (await get_job(access, job_id)).is_final

    await until(over)
    return await get_job(access, job_id)


async def begun(raw: RawDatabase, job_id: str) -> int:
    """How many attempts at the job have begun."""
    return await raw["starts"].count_documents({"job_id": job_id})


async def result_count(access: Access, job_id: str) -> int:
    """How often the job committed a result."""
    return await results.count(access, {"job_id": job_id})


async def index_keys_read(raw: RawDatabase) -> int:
    """How many index keys the server has read since it started."""
    status = await raw.client.admin.command("serverStatus")
    return status["metrics"]["queryExecutor"]["scanned"]


async def stored_updates(raw: RawDatabase, job_id: str) -> int:
    """How often the job was written to outside transactions, by the server's own log."""
    query = {"ns": f"{raw.name}.jobs", "op": "u", "o2._id": job_id}
    return await raw.client["local"]["oplog.rs"].count_documents(query)
