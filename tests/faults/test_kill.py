"""Parts of a running installation are killed at random moments, and no patient notices more than a pause."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from pymongo import AsyncMongoClient

from core.mongo import RawDocument, raw_collection
from core.platform import Platform
from identity.authority import Authority
from tests.faults import bookkeeping as books
from tests.faults.filming import Line, film_all
from tests.faults.footage import make_clip
from tests.faults.installation import Installation, installed
from tests.faults.phones import phones
from tests.identity.practice import Practice

pytestmark = pytest.mark.faults

EMAIL = "tess@larkspur.example"
UPLOADS = 40
PATIENTS = 4
API_KILLS = 8
WORKER_KILLS = 12
LONGEST_S = 600


@pytest.fixture
async def installation(
    mongodb_uri: str, mongo_client: AsyncMongoClient[RawDocument]
) -> AsyncGenerator[Installation]:
    """An installation of its own on the test run's MongoDB, which nobody kills here."""
    with tempfile.TemporaryDirectory(prefix="hs-") as folder:
        name = f"faults_{Path(folder).name[-8:]}"
        with installed(Path(folder), mongodb_uri, name) as installation:
            yield installation
        await mongo_client.drop_database(name)


async def test_workers_and_servers_killed_twenty_times_lose_nothing_and_do_nothing_twice(
    installation: Installation, tmp_path: Path
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # noqa: T201 - a failure is repeated with it
    clip = make_clip(tmp_path / "clip.mp4")
    async with asyncio.timeout(LONGEST_S), installation.opened() as platform:
        practice = await Practice.open(Authority.of(platform))
        await practice.hire(EMAIL)
        installation.start("api")
        installation.start("worker")
        await installation.ready()
        async with phones(installation.url, EMAIL, PATIENTS, seed) as (therapist, held):
            line = Line(UPLOADS, {"api": API_KILLS, "worker": WORKER_KILLS})
            async with asyncio.TaskGroup() as group:
                filming = group.create_task(film_all(held, clip, line))
                group.create_task(kill_api(installation, line, random.Random(seed)))  # noqa: S311 - chooses moments
                group.create_task(kill_worker(installation, platform, line, random.Random(seed + 1)))  # noqa: S311 - same
            recordings = filming.result()
            await books.all_analyzed(platform, practice.access, recordings)

            assert line.killed == line.planned
            assert sum(phone.cuts for phone in held) > 0, "no kill hit a phone"
            await books.everything_is_in_order(platform, practice.access, therapist, held, recordings)
        attempts = await attempts_made(platform, practice.access.organization_id)
        assert max(attempts) > 1, "no kill hit an analysis"
        assert installation.decoders_without_parent() == []
    tidied = await books.only_named_blobs_remain(installation, practice.access.organization_id)
    print(  # noqa: T201 - shown when something fails, and with -s
        f"{sum(phone.cuts for phone in held)} requests cut, {sum(attempts)} attempts at {len(attempts)} "
        f"analyses, at most {max(attempts)} at one; {tidied} unfinished objects tidied up"
    )


async def kill_api(installation: Installation, line: Line, rng: random.Random) -> None:
    """Each time soon after it began to answer: the phones that waited for it are in the middle of sending."""
    for _ in range(API_KILLS):
        await installation.ready()
        await asyncio.sleep(rng.uniform(0.0, 1.5))
        installation.kill("api")
        installation.start("api")
        await line.advance("api")
    await installation.ready()


async def kill_worker(installation: Installation, platform: Platform, line: Line, rng: random.Random) -> None:
    """Each time with an analysis under way, at any moment of it."""
    jobs = raw_collection(platform.database, "jobs")
    for _ in range(WORKER_KILLS):
        worker = installation.children["worker"].pid
        busy = {"kind": "pose.analyze", "state": "running", "worker": {"$regex": f"/{worker}/"}}
        while not await jobs.count_documents(busy):
            assert installation.children["worker"].poll() is None, installation.said("worker")
            await asyncio.sleep(0.05)
        await asyncio.sleep(rng.uniform(0.0, 2.0))
        installation.kill("worker")
        installation.start("worker")
        await line.advance("worker")


async def attempts_made(platform: Platform, organization_id: str) -> list[int]:
    """How often each analysis was begun."""
    jobs = raw_collection(platform.database, "jobs")
    query = {"organization_id": organization_id, "kind": "pose.analyze"}
    return [row["attempts"] async for row in jobs.find(query, {"attempts": 1})]
