"""Learning that a job changed, without asking again and again.

One change stream per process serves every listener, however many patients watch their analysis. Where the
database offers none, or while it is away, the listeners are told twice a second to look for themselves.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

from pymongo.errors import PyMongoError

from core.access import Access
from core.database import Database
from core.jobs.documents import job_collection
from core.jobs.ledger import JobView, get_job

POLL_S = 0.5

_CHANGES: list[dict[str, Any]] = [
    {"$match": {"operationType": {"$in": ["insert", "update", "replace"]}}},
    {"$project": {"documentKey": 1, "fullDocument.state": 1, "updateDescription.updatedFields.state": 1}},
]


class JobFeed:
    """Tells listeners in this process that a job may have changed. A signal is a hint to look, not a fact."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._of_job: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._of_queue: set[asyncio.Event] = set()
        self._follower: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def listen(self, signal: asyncio.Event, job_id: str | None = None) -> AsyncGenerator[None]:
        """Set `signal` whenever this job changes, or without `job_id`, whenever any job enters the queue."""
        listeners = self._of_queue if job_id is None else self._of_job[job_id]
        listeners.add(signal)
        if self._follower is None:
            self._follower = asyncio.create_task(self._follow(), name="job-feed")
        try:
            yield
        finally:
            listeners.discard(signal)
            if job_id is not None and not listeners:
                self._of_job.pop(job_id, None)
            await self._rest_if_unheard()

    async def _rest_if_unheard(self) -> None:
        follower = self._follower
        if follower is None or self._of_queue or self._of_job:
            return
        self._follower = None
        follower.cancel()
        with suppress(asyncio.CancelledError):
            await follower

    async def _follow(self) -> None:
        while True:
            with suppress(PyMongoError):
                async with await job_collection(self._database).watch(_CHANGES) as stream:
                    # What changed before the stream was open did not pass through it.
                    self._signal_all()
                    async for change in stream:
                        self._pass_on(change)
            self._signal_all()
            await asyncio.sleep(POLL_S)

    def _pass_on(self, change: Mapping[str, Any]) -> None:
        for signal in self._of_job.get(change["documentKey"]["_id"], ()):
            signal.set()
        updated: Mapping[str, Any] = change.get("updateDescription", {}).get("updatedFields", {})
        if (change.get("fullDocument") or updated).get("state") == "queued":
            for signal in self._of_queue:
                signal.set()

    def _signal_all(self) -> None:
        for signals in (self._of_queue, *self._of_job.values()):
            for signal in signals:
                signal.set()


_feeds: WeakKeyDictionary[Database, JobFeed] = WeakKeyDictionary()


def feed_of(database: Database) -> JobFeed:
    """The feed that all listeners of this database share."""
    return _feeds.setdefault(database, JobFeed(database))


async def watch(access: Access, job_id: str) -> AsyncGenerator[JobView]:
    """The job now, then after every change, and at last in its final state. `NotFound` if there is none.

    Leave it early with `contextlib.aclosing`.
    """
    signal = asyncio.Event()
    latest: JobView | None = None
    async with feed_of(access.database).listen(signal, job_id):
        while latest is None or not latest.is_final:
            signal.clear()
            view = await get_job(access, job_id)
            if view != latest:
                latest = view
                yield view
            if not view.is_final:
                await signal.wait()
