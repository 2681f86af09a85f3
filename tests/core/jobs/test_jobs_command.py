"""`homestretch jobs`, as an operator types it."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from core.access import Access
from core.jobs import JobView
from tests.core.jobs.conftest import REPOSITORY, Queue, RunWorker
from tests.core.jobs.observing import ended

Command = Callable[..., Awaitable[tuple[int, str, str]]]


class Listing(msgspec.Struct):
    items: list[JobView]


@pytest.fixture
def homestretch(process_environment: dict[str, str]) -> Command:
    """Run a command line; returns exit status, stdout and stderr."""

    async def run(*arguments: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "api.cli",
            *arguments,
            cwd=REPOSITORY,
            env=process_environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return await process.wait(), out.decode(), err.decode()

    return run


async def test_an_operator_finds_a_dead_letter_and_has_it_tried_again(
    system: Access, queue: Queue, run_worker: RunWorker, homestretch: Command
) -> None:
    dead, waiting = await queue("sample.failing"), await queue("later.version")
    async with run_worker():
        await ended(system, dead)

    status, out, _ = await homestretch("jobs", "dead", "--json")
    assert status == 0
    assert [view.id for view in msgspec.json.decode(out, type=Listing).items] == [dead]

    status, out, _ = await homestretch("jobs", "retry", dead, "--json")
    assert status == 0
    assert msgspec.json.decode(out, type=JobView).state == "queued"

    status, out, _ = await homestretch("jobs", "list", "--state", "queued", "--json")
    assert {dead, waiting} <= {view.id for view in msgspec.json.decode(out, type=Listing).items}

    status, out, _ = await homestretch("jobs", "cancel", waiting)
    assert status == 0
    assert "cancelled" in out


async def test_a_job_that_does_not_exist_is_bad_input_with_a_reason(homestretch: Command) -> None:
    for job_id in ("nothing", "sample.plain:org_nobody:1"):
        status, out, err = await homestretch("jobs", "show", job_id)

        assert (status, out) == (2, "")
        assert err.splitlines()[-1].startswith("homestretch: There is no such job")
