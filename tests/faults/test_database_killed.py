"""The database is killed in the middle of everything: what was acknowledged was in its journal."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from core.embedded_mongo import running_mongod
from core.settings import Settings
from identity.authority import Authority
from tests.faults import bookkeeping as books
from tests.faults.filming import Line, film_all
from tests.faults.footage import make_clip
from tests.faults.installation import installed
from tests.faults.phones import phones
from tests.identity.practice import Practice

pytestmark = pytest.mark.faults

EMAIL = "tess@larkspur.example"
UPLOADS = 12
PATIENTS = 2
KILLS = 3
LONGEST_S = 400


class MortalDatabase:
    """A MongoDB that can be killed and comes back under the same address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = AsyncExitStack()
        self.uri = ""

    async def start(self) -> None:
        self.uri = await self._stack.enter_async_context(
            running_mongod(Settings(data=self._folder), own=True)
        )

    async def kill(self) -> None:
        """SIGKILL: what is not in the journal is lost."""
        process = int((self._folder / "mongo" / "mongod.lock").read_text())
        os.kill(process, signal.SIGKILL)
        while _exists(process):  # noqa: ASYNC110 - the event loop buries it
            await asyncio.sleep(0.05)
        await self.close()

    async def close(self) -> None:
        await self._stack.aclose()


def _exists(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


@pytest.fixture
async def folder() -> AsyncGenerator[Path]:
    with tempfile.TemporaryDirectory(prefix="hs-") as name:  # short enough for a socket
        yield Path(name)


@asynccontextmanager
async def mortal_database(folder: Path) -> AsyncGenerator[MortalDatabase]:
    database = MortalDatabase(folder)
    await database.start()
    try:
        yield database
    finally:
        await database.close()


@pytest.mark.skipif(sys.platform != "linux", reason="finds the server's process in /proc")
async def test_a_database_killed_amid_uploads_and_analyses_keeps_what_was_acknowledged(
    folder: Path, tmp_path: Path
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # noqa: T201 - a failure is repeated with it
    clip = make_clip(tmp_path / "clip.mp4")
    async with asyncio.timeout(LONGEST_S), mortal_database(folder) as database:
        with installed(folder, database.uri, "homestretch") as installation:
            async with installation.opened() as platform:
                practice = await Practice.open(Authority.of(platform))
                await practice.hire(EMAIL)
                installation.start("api")
                installation.start("worker")
                await installation.ready()
                async with phones(installation.url, EMAIL, PATIENTS, seed) as (therapist, held):
                    line = Line(UPLOADS, {"database": KILLS})
                    async with asyncio.TaskGroup() as group:
                        filming = group.create_task(film_all(held, clip, line))
                        group.create_task(kill_database(database, line, random.Random(seed)))  # noqa: S311 - chooses moments
                    recordings = filming.result()
                    await books.all_analyzed(platform, practice.access, recordings)
                    await books.everything_is_in_order(platform, practice.access, therapist, held, recordings)
            # Nobody had to start anything again.
            assert {part: child.poll() for part, child in installation.children.items()} == {
                "api": None,
                "worker": None,
            }
            await books.only_named_blobs_remain(installation, practice.access.organization_id)


async def kill_database(database: MortalDatabase, line: Line, rng: random.Random) -> None:
    for _ in range(KILLS):
        await asyncio.sleep(rng.uniform(1.0, 4.0))
        await database.kill()
        await database.start()
        await line.advance("database")
