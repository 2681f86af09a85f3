"""Background jobs: look at one, follow it until it ends, and for operators the whole list."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream
from litestar.status_codes import HTTP_200_OK

from api.authorization import needs
from api.dependencies import Given
from api.pagination import DEFAULT_LIMIT, Cursor, Limit
from core.access import Access
from core.jobs import JobState, JobView, ledger, watch
from core.pages import Page
from identity.policy import Permission

EVENT_STREAM = "text/event-stream"
HEARTBEAT_S = 15.0
"""How often a silent stream says that it is still there, so that proxies keep it and we notice who left."""
LONGEST_STREAM_S = 900.0
"""A stream ends after this, like the rights of the token that opened it; whoever still cares asks again."""

_StateFilter = Annotated[
    JobState | None, QueryParameter(name="state", description="Only jobs in this state.")
]
_KindFilter = Annotated[
    str | None,
    QueryParameter(max_length=100, description="Only jobs of this kind, for instance pose.analyze."),
]


class JobController(Controller):
    path = "/jobs"
    tags = ("Jobs",)

    @get("/", opt=needs(Permission.JOBS_OPERATE))
    async def list_jobs(
        self,
        access: Given[Access],
        in_state: _StateFilter = None,
        kind: _KindFilter = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[JobView]:
        """List the organization's jobs, the newest first."""
        return await ledger.list_jobs(access, state=in_state, kind=kind, limit=limit, cursor=cursor)

    @get("/{job_id:str}", opt=needs(Permission.JOB_FOLLOW))
    async def get_job(self, access: Given[Access], job_id: FromPath[str]) -> JobView:
        """Look at a job."""
        return await ledger.get_job(access, job_id)

    @get(
        "/{job_id:str}/events",
        opt=needs(Permission.JOB_FOLLOW),
        media_type=EVENT_STREAM,
        responses={
            HTTP_200_OK: ResponseSpec(
                data_container=str,
                media_type=EVENT_STREAM,
                generate_examples=False,
                description="`progress` events with the job as JSON, and one `end` event in its final state.",
            )
        },
    )
    async def follow_job(
        self, request: Request[Any, Any, Any], access: Given[Access], job_id: FromPath[str]
    ) -> Stream:
        """Follow a job as server-sent events until it ends."""
        await ledger.get_job(access, job_id)
        closing: asyncio.Event = request.app.state.closing
        return Stream(_events(access, job_id, closing), media_type=EVENT_STREAM)

    @post("/{job_id:str}/retry", opt=needs(Permission.JOBS_OPERATE), status_code=HTTP_200_OK)
    async def retry_job(self, access: Given[Access], job_id: FromPath[str]) -> JobView:
        """Queue a dead or cancelled job again, with all its attempts."""
        return await ledger.retry_job(access, job_id)


async def _events(access: Access, job_id: str, closing: asyncio.Event) -> AsyncGenerator[bytes]:
    """The job after each change, heartbeats while nothing changes; over when the job or the server ends."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LONGEST_STREAM_S
    closed = asyncio.create_task(closing.wait())
    async with aclosing(watch(access, job_id)) as changes:
        following = asyncio.create_task(_next(changes))
        try:
            while not closed.done() and loop.time() < deadline:
                await asyncio.wait({following, closed}, timeout=HEARTBEAT_S, return_when="FIRST_COMPLETED")
                if not following.done():
                    if not closed.done():
                        yield b": waiting\n\n"
                    continue
                job = following.result()
                if job is None:
                    return
                name = b"end" if job.is_final else b"progress"
                yield b"event: " + name + b"\ndata: " + msgspec.json.encode(job) + b"\n\n"
                following = asyncio.create_task(_next(changes))
        finally:
            for task in (following, closed):
                task.cancel()
            await asyncio.gather(following, closed, return_exceptions=True)


async def _next(changes: AsyncGenerator[JobView]) -> JobView | None:
    """The job after its next change; None when there will be none."""
    return await anext(changes, None)
