"""A practice of its own for each test, a clock that the test moves, and background work done on demand."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection

import msgspec
import pytest

from core.access import Access, Transaction
from core.database import Database
from core.ids import new_id
from core.jobs import Worker, list_jobs
from core.master_key import MasterKey
from core.mongo import RawDatabase
from core.platform import Platform
from tests.clinic import Clinic, Clock
from tests.conftest import imported_documents

for _room in ("care", "engagement"):
    importlib.import_module(f"{_room}.jobs")  # registers the room's jobs and subscriptions

WorkOff = Callable[..., Awaitable[None]]
"""`await work_off(("kind", payload), ...)` queues the jobs named, and returns once no job is left."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(raw: RawDatabase, master_key: MasterKey, clock: Clock) -> AsyncIterator[Database]:
    """An empty database whose clock is the test's."""
    database = await Database.open(raw, master_key, clock=clock)
    await database.prepare(imported_documents(), indexes=False)
    yield database
    await database.close()


@pytest.fixture
async def clinic(database: Database) -> Clinic:
    clinic = Clinic(database, new_id("org"))
    await clinic.open()
    return clinic


@pytest.fixture
def work_off(platform: Platform, clinic: Clinic) -> WorkOff:
    """Do all queued background work of the practice with a real worker."""

    async def run(*wanted: tuple[str, msgspec.Struct]) -> None:
        async def write(tx: Transaction) -> None:
            for kind, payload in wanted:
                await tx.enqueue(kind, payload, key=new_id("test"))

        await clinic.system.transact(write)
        stop = asyncio.Event()
        working = asyncio.create_task(Worker(platform, _no_time_zones, concurrency=2).run(stop))
        try:
            while await _waiting(clinic.system):  # noqa: ASYNC110 - the ledger of jobs is what says so
                await asyncio.sleep(0.02)
        finally:
            stop.set()
            await working
        dead = await list_jobs(clinic.system, state="dead")
        assert dead.items == []

    return run


async def _waiting(system: Access) -> bool:
    queued = await list_jobs(system, state="queued", limit=1)
    running = await list_jobs(system, state="running", limit=1)
    return bool(queued.items or running.items)


async def _no_time_zones(access: Access) -> Collection[str]:
    """No schedule runs by itself in these tests."""
    del access
    return ()
