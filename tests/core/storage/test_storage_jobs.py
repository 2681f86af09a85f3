"""What a worker does for the storage by itself, with nobody asking."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from core.access import Access, Transaction
from core.clock import utc_now
from core.jobs import Every, Worker
from core.jobs.schedules import Slot, known_schedules
from core.platform import Platform
from core.storage import jobs, uploads
from tests.core.storage.clips import PURPOSE, clip, sending


async def no_time_zones(_: Access) -> list[str]:
    return []


def test_tidying_up_is_scheduled() -> None:
    scheduled = {each.kind: each.when for each in known_schedules()}
    assert scheduled[jobs.TIDY] == Every(timedelta(minutes=15))


async def test_what_was_not_finished_in_time_leaves_nothing_behind(
    platform: Platform, system: Access, tmp_path: Path
) -> None:
    upload = await uploads.begin(
        system,
        platform.storage,
        purpose=PURPOSE,
        length=5000,
        metadata_header="",
        max_bytes=5000,
    )
    await uploads.append(system, platform.storage, upload.id, offset=0, body=sending(clip(5000)[:3000]))
    stored = tmp_path / "objects"
    assert any(path.is_file() for path in stored.rglob("*"))
    platform.database.clock = lambda: utc_now() + uploads.UNFINISHED_LIFETIME + timedelta(minutes=1)

    async def fall_due(tx: Transaction) -> None:
        slot = Slot(at=utc_now(), zone="UTC", local_date=utc_now().date())
        await tx.enqueue(jobs.TIDY, slot, key=slot.key)

    await system.transact(fall_due)
    stop = asyncio.Event()
    working = asyncio.create_task(Worker(platform, no_time_zones).run(stop))
    async with asyncio.timeout(60):
        while any(path.is_file() for path in stored.rglob("*")):  # noqa: ASYNC110 - a folder tells nobody
            await asyncio.sleep(0.02)
    stop.set()
    await working
    assert (await uploads.uploads.get(system, upload.id)).state == "expired"
