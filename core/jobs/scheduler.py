"""Turning schedules into jobs, once, however many workers try and however the clock jumps."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime

import structlog
from pymongo.errors import PyMongoError

from core.access import Access, Transaction
from core.database import Database
from core.errors import HomestretchError
from core.jobs.lease import describe
from core.jobs.schedules import Schedule, Slot, known_schedules
from core.mongo import raw_collection

TimeZones = Callable[[Access], Awaitable[Collection[str]]]
"""The IANA time zones in which an organization has locations."""

TICK_S = 20.0

_log = structlog.stdlib.get_logger("homestretch.jobs")


class Scheduler:
    """Queues scheduled jobs as their slots fall due.

    The id of such a job is made of its slot. So a slot that is found due twice, by two workers or by one
    whose clock was set back, is still one job.
    """

    def __init__(self, database: Database, time_zones: TimeZones) -> None:
        self._database = database
        self._time_zones = time_zones
        self._latest: dict[tuple[str, str, str], datetime] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Look every few seconds until `stop`. Among all workers, one looks at a time."""
        while not stop.is_set():
            try:
                if await take_tick(self._database):
                    await self.tick(known_schedules())
            except PyMongoError as error:
                _log.warning("scheduler_tick_failed", error=describe(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), TICK_S)

    async def tick(self, schedules: Sequence[Schedule]) -> None:
        """Queue whatever has fallen due in every organization."""
        if not schedules:
            return
        for organization_id in await self._database.directory.organizations():
            access = self._database.as_system(organization_id, "scheduler")
            try:
                await self._tick(access, schedules)
            except HomestretchError as error:
                # One organization's trouble must not keep the others waiting.
                _log.warning("scheduling_failed", organization_id=organization_id, error=describe(error))

    async def _tick(self, access: Access, schedules: Sequence[Schedule]) -> None:
        now = access.now()
        places: Collection[str] = ()
        if any(schedule.zone == "location" for schedule in schedules):
            places = await self._time_zones(access)
        for schedule in schedules:
            for zone in sorted(places) if schedule.zone == "location" else ("UTC",):
                slot = schedule.when.latest(now, zone)
                series = (access.organization_id, schedule.kind, zone)
                known = self._latest.get(series)
                if known is not None and slot.at <= known:
                    continue

                async def write(tx: Transaction, kind: str = schedule.kind, due: Slot = slot) -> None:
                    await tx.enqueue(kind, due, key=due.key)

                await access.transact(write)
                self._latest[series] = slot.at


async def take_tick(database: Database) -> bool:
    """Whether the caller is to look for due schedules now: one worker, once in `TICK_S` seconds."""
    later = {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": round(TICK_S * 1000)}}
    result = await raw_collection(database, "schedules").update_one(
        {"_id": "tick"},
        [{"$set": {"next_at": {"$cond": [{"$gt": ["$next_at", "$$NOW"]}, "$next_at", later]}}}],
        upsert=True,
    )
    return result.modified_count == 1 or result.upserted_id is not None
