"""Following background work over HTTP."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import msgspec
import pytest

from core.access import Transaction
from core.jobs import Worker, job
from core.jobs.registry import JobContext
from core.platform import Platform
from tests.api.conftest import Api, Door


class Errand(msgspec.Struct, frozen=True):
    """Payload of the test's own job."""

    fails: bool = False


@job("test.errand", payload=Errand, max_attempts=1)
async def run_errand(context: JobContext, errand: Errand) -> None:
    await context.progress("walking", 0.5)
    await asyncio.sleep(0.05)
    if errand.fails:
        raise RuntimeError("it rained")


async def no_zones(_: object) -> list[str]:
    return []


@pytest.fixture
async def working(platform: Platform) -> AsyncGenerator[asyncio.Event]:
    """A worker that begins once the test says so."""
    begin, stop = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await begin.wait()
        await Worker(platform, no_zones).run(stop)

    worker = asyncio.create_task(work())
    yield begin
    begin.set()
    stop.set()
    await worker


async def queue(door: Door, errand: Errand, key: str = "1") -> str:
    async def write(tx: Transaction) -> str:
        return await tx.enqueue("test.errand", errand, key=key)

    return await door.practice.access.transact(write)


def events(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Name and data of each server-sent event."""
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("event:")]
    return [
        (lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: "))) for lines in blocks
    ]


async def test_a_job_is_followed_from_the_queue_to_its_end(door: Door, working: asyncio.Event) -> None:
    operator = await door.staff("administrator")
    job_id = await queue(door, Errand())
    text = ""
    async with operator.stream("GET", f"/v1/jobs/{job_id}/events") as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for part in answer.aiter_text():
            text += part
            working.set()
    told = events(text)
    assert told[0] == ("progress", told[0][1])
    assert told[0][1]["state"] == "queued"
    assert told[-1][0] == "end"
    assert told[-1][1]["state"] == "done"
    assert [name for name, _ in told].count("end") == 1


async def test_a_stream_ends_when_the_server_closes(api: Api, door: Door) -> None:
    operator = await door.staff("administrator")
    job_id = await queue(door, Errand())
    async with operator.stream("GET", f"/v1/jobs/{job_id}/events") as answer:
        parts = answer.aiter_text()
        assert events(await anext(parts))[0][0] == "progress"
        api.app.state.closing.set()
        assert [part async for part in parts] == []


async def test_a_job_of_nobody_is_not_found_before_the_stream_begins(door: Door) -> None:
    operator = await door.staff("administrator")
    answer = await operator.get("/v1/jobs/test.errand:org_other:1/events")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_dead_job_is_listed_and_tried_again(door: Door, working: asyncio.Event) -> None:
    operator = await door.staff("administrator")
    job_id = await queue(door, Errand(fails=True))
    working.set()
    dead = await _in_state(operator, job_id, "dead")
    assert "RuntimeError" in dead["error"]
    listed = await operator.get("/v1/jobs", params={"state": "dead"})
    assert [each["id"] for each in listed.json()["items"]] == [job_id]
    again = await operator.post(f"/v1/jobs/{job_id}/retry")
    assert again.status_code == 200
    assert again.json()["state"] == "queued"


async def test_a_job_that_is_queued_is_not_retried(door: Door) -> None:
    operator = await door.staff("administrator")
    refused = await operator.post(f"/v1/jobs/{await queue(door, Errand())}/retry")
    assert refused.status_code == 409


async def test_pages_of_jobs_lead_from_one_to_the_next(door: Door) -> None:
    operator = await door.staff("administrator")
    queued = [await queue(door, Errand(), key=str(number)) for number in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        parameters = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await operator.get("/v1/jobs", params=parameters)).json()
        seen += [each["id"] for each in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == queued[::-1]


async def test_only_operators_list_jobs(door: Door) -> None:
    therapist = await door.staff("therapist")
    assert (await therapist.get("/v1/jobs")).status_code == 403


async def _in_state(client: httpx.AsyncClient, job_id: str, state: str) -> dict[str, Any]:
    while True:
        found = (await client.get(f"/v1/jobs/{job_id}")).json()
        if found["state"] == state:
            return found
        await asyncio.sleep(0.05)
