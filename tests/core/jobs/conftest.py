"""Workers for the tests: in this process, and as processes of their own that can be stopped and killed."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from core.access import Access, Transaction
from core.database import Database
from core.jobs import Worker
from core.master_key import MasterKey
from core.platform import Platform
from core.settings import Settings
from tests.core.jobs.sample_work import Work, no_time_zones

REPOSITORY = Path(__file__).parents[3]

RunWorker = Callable[..., AbstractAsyncContextManager[None]]
StartProcess = Callable[..., "subprocess.Popen[bytes]"]
Queue = Callable[..., Awaitable[str]]


@pytest.fixture
def run_worker(platform: Platform) -> RunWorker:
    """Run a worker in this process for as long as the context lasts."""

    @asynccontextmanager
    async def run(*, concurrency: int = 8, grace_s: float = 10.0) -> AsyncGenerator[None]:
        stop = asyncio.Event()
        worker = Worker(platform, no_time_zones, concurrency=concurrency, grace_s=grace_s)
        running = asyncio.create_task(worker.run(stop))
        try:
            yield
        finally:
            stop.set()
            await running

    return run


@pytest.fixture
def process_environment(
    settings: Settings, database: Database, master_key: MasterKey, tmp_path: Path
) -> dict[str, str]:
    """What other processes must be told to work on the test's database."""
    del database  # its keys must exist before another process looks for them
    master_key.write(settings.master_key_path)
    assert settings.mongodb_uri is not None
    return {name: value for name, value in os.environ.items() if not name.startswith("HOMESTRETCH_")} | {
        "HOMESTRETCH_DATA": str(tmp_path),
        "HOMESTRETCH_MONGODB_URI": settings.mongodb_uri.reveal(),
        "HOMESTRETCH_MONGODB_DATABASE": settings.mongodb_database,
    }


@pytest.fixture
def start_process(process_environment: dict[str, str]) -> Iterator[StartProcess]:
    """Start worker processes on the test's database; all are gone when the test ends."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*, concurrency: int = 2, grace_s: float = 10.0) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.core.jobs.sample_work", str(concurrency), str(grace_s)]
        process = subprocess.Popen(command, cwd=REPOSITORY, env=process_environment)  # noqa: S603 - our own program
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait()


@pytest.fixture
def queue(system: Access) -> Queue:
    """Queue one job for the test's organization, or for another's, and return its id."""

    async def put(
        kind: str, key: str = "1", payload: msgspec.Struct | None = None, *, access: Access = system
    ) -> str:
        async def write(tx: Transaction) -> str:
            return await tx.enqueue(kind, payload or Work(), key=key)

        return await access.transact(write)

    return put
