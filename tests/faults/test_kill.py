"""Parts of a running installation are killed at random moments, and no patient notices more than a pause."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pymongo import AsyncMongoClient

from core.mongo import RawDocument, raw_collection
from core.platform import Platform
from identity.authority import Authority
from tests.faults import bookkeeping as books
from tests.faults.footage import make_clip, unlike_others
from tests.faults.installation import Installation, installed
from tests.faults.phones import Phone, Recording, phones
from tests.identity.practice import Practice

pytestmark = pytest.mark.faults

EMAIL = "tess@larkspur.example"
UPLOADS = 40
AT_ONCE = 8
PATIENTS = 4
API_KILLS = 8
WORKER_KILLS = 12
LONGEST_S = 600


@dataclass
class Line:
    """Recordings wait in line: each kill lets some more begin, so that every kill finds work under way."""

    length: int
    planned: dict[str, int]
    """How often each part is to be killed."""
    killed: Counter[str] = field(default_factory=Counter[str])
    moved: asyncio.Condition = field(default_factory=asyncio.Condition)

    def admitted(self) -> int:
        """How many recordings may have begun by now."""
        behind = min(self.killed[part] / kills for part, kills in self.planned.items())
        return AT_ONCE + round((self.length - AT_ONCE) * behind)

    async def turn_of(self, number: int) -> None:
        async with self.moved:
            await self.moved.wait_for(lambda: number < self.admitted())

    async def advance(self, part: str) -> None:
        async with self.moved:
            self.killed[part] += 1
            self.moved.notify_all()


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
                filming = group.create_task(film_all(held, clip, line.turn_of, UPLOADS))
                group.create_task(kill_api(installation, line, random.Random(seed)))  # noqa: S311 - chooses moments
                group.create_task(kill_worker(installation, platform, line, random.Random(seed + 1)))  # noqa: S311 - same
            recordings = filming.result()
            await books.all_analyzed(platform, practice.access, recordings)

            assert line.killed == line.planned
            assert [fault for phone in held for fault in phone.faults] == []
            assert sum(phone.cuts for phone in held) > 0, "no kill hit a phone"
            assert await books.session_count(practice.access) == UPLOADS
            await books.every_recording_is_there(platform, practice.access, recordings)
            count = await books.every_analysis_ended_once(platform, practice.access, recordings)
            assert count > 0
            await books.compliance_follows_the_evidence(therapist, practice.access, recordings, count)
        await books.nobody_holds_anything(platform, practice.access)
        await books.the_audit_log_is_whole(platform, practice.access.organization_id)
        attempts = await attempts_made(platform, practice.access.organization_id)
        assert max(attempts) > 1, "no kill hit an analysis"
        assert installation.decoders_without_parent() == []
    tidied = await books.only_named_blobs_remain(installation, practice.access.organization_id)
    print(  # noqa: T201 - shown when something fails, and with -s
        f"{sum(phone.cuts for phone in held)} requests cut, {sum(attempts)} attempts at {len(attempts)} "
        f"analyses, at most {max(attempts)} at one; {tidied} unfinished objects tidied up"
    )


async def film_all(
    held: list[Phone], clip: bytes, turn_of: Callable[[int], Awaitable[None]], how_many: int
) -> list[Recording]:
    """Every phone films and uploads, several at once, until so many recordings are handed over."""
    numbers = iter(range(how_many))

    async def keep_filming(phone: Phone) -> list[Recording]:
        mine: list[Recording] = []
        for number in numbers:
            await turn_of(number)
            mine.append(await phone.film(unlike_others(clip, number)))
        return mine

    done = await asyncio.gather(*(keep_filming(held[index % len(held)]) for index in range(AT_ONCE)))
    return [recording for some in done for recording in some]


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
