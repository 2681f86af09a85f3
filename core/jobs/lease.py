"""Holding a claimed job: keep the lease alive, store progress, and end the job while the fence still stands.

Every write here is conditional on the fencing token of the claim. A worker that was paused, cut off or simply
too slow finds its token void and changes nothing.
"""

import asyncio
import traceback
from pathlib import Path
from typing import Any

from pymongo.errors import PyMongoError

import core
from core.access import Access, Transaction
from core.errors import HomestretchError
from core.jobs.claim import Claim
from core.jobs.documents import job_collection
from core.jobs.ledger import forget_at
from core.jobs.registry import Commit, JobKind

PROGRESS_S = 0.5
"""Progress is stored at most this often."""
_LONGEST_BEAT_S = 5.0
"""Bounds how long a job that was called off keeps running."""
_OUR_CODE = Path(core.__file__).parent.parent


class LeaseLost(Exception):
    """The job is no longer ours: somebody else took it over, or it was called off."""


class Lease:
    """Our hold on one job."""

    def __init__(self, access: Access, claim: Claim, kind: JobKind) -> None:
        self._access = access
        self._claim = claim
        self._kind = kind
        self._jobs = job_collection(access.database)
        self._progress: dict[str, Any] | None = None
        self._reported = asyncio.Event()
        self._written_at = 0.0
        self._held = {
            "_id": claim.job_id,
            "organization_id": claim.organization_id,
            "state": "running",
            "fence": claim.fence,
        }

    def report(self, stage: str, fraction: float) -> None:
        """Take note of progress; `keep` stores it."""
        self._progress = {"stage": stage, "fraction": min(max(fraction, 0.0), 1.0)}
        self._reported.set()

    async def keep(self) -> None:
        """Renew the lease until it is lost, then return.

        Also gives up when the database could not be reached for as long as the lease lasts: by then another
        worker may have the job.
        """
        loop = asyncio.get_running_loop()
        held_until = loop.time() + self._kind.lease_s
        while True:
            await self._wait_for_beat()
            asked_at = loop.time()
            try:
                async with asyncio.timeout_at(held_until):
                    if not await self._renew():
                        return
                held_until = asked_at + self._kind.lease_s
            except TimeoutError:
                return
            except PyMongoError:
                if loop.time() >= held_until:
                    return

    async def complete(self, commit: Commit | None) -> None:
        """End the job and write its result in one transaction. `LeaseLost` if it is no longer ours."""

        async def write(tx: Transaction) -> None:
            done: dict[str, Any] = {"state": "done", "finished_at": "$$NOW", "forget_at": forget_at()}
            if not await self._change(done, "claimable_at", "slot", "error", tx=tx):
                raise LeaseLost
            if commit is not None:
                await commit(tx)

        await self._access.transact(write)

    async def retry(self, error: str, delay_s: float) -> bool:
        """Give the job back for another attempt in `delay_s` seconds. False if it was no longer ours."""
        again = {"state": "queued", "claimable_at": _in(delay_s), "error": {"$literal": error}}
        return await self._change(again, "slot", "worker")

    async def bury(self, error: str) -> bool:
        """Make the job a dead letter. False if it was no longer ours."""
        dead: dict[str, Any] = {"state": "dead", "finished_at": "$$NOW", "error": {"$literal": error}}
        return await self._change(dead, "claimable_at", "slot")

    async def release(self) -> bool:
        """Give the job back, because this worker ends: the attempt does not count. False if not ours."""
        back = {"state": "queued", "claimable_at": "$$NOW", "attempts": {"$subtract": ["$attempts", 1]}}
        return await self._change(back, "slot", "worker")

    async def _wait_for_beat(self) -> None:
        try:
            async with asyncio.timeout(min(self._kind.lease_s / 3, _LONGEST_BEAT_S)):
                await self._reported.wait()
                await asyncio.sleep(self._written_at + PROGRESS_S - asyncio.get_running_loop().time())
        except TimeoutError:
            pass

    async def _renew(self) -> bool:
        self._reported.clear()
        self._written_at = asyncio.get_running_loop().time()
        return await self._change({"claimable_at": _in(self._kind.lease_s)})

    async def _change(self, values: dict[str, Any], *drop: str, tx: Transaction | None = None) -> bool:
        progress = {} if self._progress is None else {"progress": {"$literal": self._progress}}
        pipeline: list[dict[str, Any]] = [{"$set": {**values, **progress, "updated_at": "$$NOW"}}]
        if drop:
            pipeline.append({"$unset": list(drop)})
        session = None if tx is None else tx.session
        result = await self._jobs.update_one(self._held, pipeline, session=session)
        return result.matched_count == 1


def describe(error: BaseException) -> str:
    """What went wrong, fit for the ledger and the log.

    The text of an unexpected exception may quote what it choked on, a patient's name for instance. So only
    its type and the place in our own code are kept; expected faults have a text that is safe to show.
    """
    if isinstance(error, HomestretchError):
        return f"{error.code}: {error.detail}"
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(_OUR_CODE) and "site-packages" not in path.parts:
            return f"{kind} in {path.relative_to(_OUR_CODE)}, line {frame.lineno} ({frame.name})"
    return kind


def _in(seconds: float) -> dict[str, Any]:
    """The server's expression for an instant that many seconds from now."""
    return {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": round(seconds * 1000)}}
