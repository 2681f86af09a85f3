"""Running jobs: claim as many as fit, watch over each, and leave without losing any."""

import asyncio
import os
import random
import socket
from collections import deque
from contextlib import suppress
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec
import structlog
from opentelemetry import trace
from pymongo.errors import PyMongoError
from structlog.contextvars import bound_contextvars

from core.access import Actor
from core.jobs import metrics
from core.jobs.claim import Claim, claim_job, look_ahead, reclaim_abandoned
from core.jobs.feed import feed_of
from core.jobs.lease import Lease, LeaseLost, describe
from core.jobs.registry import Commit, JobContext, JobKind, known_kinds
from core.jobs.scheduler import Scheduler, TimeZones

if TYPE_CHECKING:
    from core.platform import Platform

_SHORTEST_REST_S = 0.1
_LONGEST_REST_S = 2.0
_STOPPING_S = 5.0
"""How long a handler may take to let go after it was told to."""

_tracer = trace.get_tracer("homestretch.jobs")
_log = structlog.stdlib.get_logger("homestretch.jobs")


class Worker:
    """Runs up to `concurrency` jobs at a time in this process.

    Organizations take turns: each that has work gets one job per round, so that a queue of ten thousand jobs
    delays nobody else. A handler must not block the event loop, else its lease runs out; heavy computation
    belongs in a subprocess.
    """

    def __init__(
        self, platform: "Platform", time_zones: TimeZones, *, concurrency: int = 4, grace_s: float = 20.0
    ) -> None:
        self._platform = platform
        self._database = platform.database
        self._time_zones = time_zones
        self._concurrency = concurrency
        self._grace_s = grace_s
        self._name = f"{socket.gethostname()}/{os.getpid()}/{random.getrandbits(32):08x}"
        self._rng = random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._round: deque[str] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._next_s: float | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set. Then claim nothing more, let running jobs end for `grace_s` seconds, and
        give those that have not ended back, for another worker to take at once.
        """
        scheduler = asyncio.create_task(Scheduler(self._database, self._time_zones).run(stop))
        stopper = asyncio.create_task(self._wake_at(stop))
        try:
            async with feed_of(self._database).listen(self._wake):
                await self._work(stop)
        finally:
            await self._drain()
            for task in (scheduler, stopper):
                task.cancel()
            await asyncio.gather(scheduler, stopper, return_exceptions=True)

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()

    async def _work(self, stop: asyncio.Event) -> None:
        idle_s = _SHORTEST_REST_S
        while not stop.is_set():
            self._wake.clear()
            try:
                claimed = await self._fill(stop)
            except PyMongoError as error:
                _log.warning("claiming_failed", error=describe(error))
                claimed = False
            idle_s = _SHORTEST_REST_S if claimed else min(2 * idle_s, _LONGEST_REST_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._rest_s(idle_s))

    def _rest_s(self, idle_s: float) -> float | None:
        """How long to wait for a sign before looking at the queue again; None for as long as it takes."""
        if len(self._running) == self._concurrency:
            return None
        return idle_s if self._next_s is None else min(idle_s, max(self._next_s, _SHORTEST_REST_S / 10))

    async def _fill(self, stop: asyncio.Event) -> bool:
        """Start jobs until none is left or no place is free. Returns whether any was started."""
        started = False
        while len(self._running) < self._concurrency and not stop.is_set():
            claim = await self._next_claim()
            if claim is None:
                break
            started = True
            task = asyncio.create_task(self._attempt(claim, known_kinds()[claim.kind]), name=claim.job_id)
            self._running.add(task)
            task.add_done_callback(self._ended)
        return started

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # Not even the ledger could be told; the lease ends by itself and the job is taken up again.
            _log.error("attempt_abandoned", job_id=task.get_name(), error=describe(error))

    async def _next_claim(self) -> Claim | None:
        claim = await self._claim_in_round()
        if claim is None:
            await self._begin_round()
            claim = await self._claim_in_round()
        return claim

    async def _claim_in_round(self) -> Claim | None:
        while self._round:
            claim = await claim_job(self._database, self._round.popleft(), known_kinds(), self._name)
            if claim is not None:
                return claim
        return None

    async def _begin_round(self) -> None:
        outlook = await look_ahead(self._database)
        self._next_s = outlook.next_s
        metrics.OVERDUE.set(outlook.overdue_s)
        await reclaim_abandoned(self._database, outlook.ready, known_kinds())
        self._round.extend(outlook.ready)

    async def _attempt(self, claim: Claim, kind: JobKind) -> None:
        """Run one attempt of a job to its end, whatever that is."""
        actor = replace(Actor.system(claim.organization_id, kind.name), request_id=claim.job_id)
        access = self._database.access(actor)
        lease = Lease(access, claim, kind)
        context = JobContext(
            access=access,
            platform=self._platform,
            job_id=claim.job_id,
            attempt=claim.attempt,
            report=lease.report,
        )
        metrics.STARTED.labels(kind.name).inc()
        metrics.RUNNING.labels(kind.name).inc()
        began = perf_counter()
        naming = {"job_id": claim.job_id, "organization_id": claim.organization_id, "attempt": claim.attempt}
        try:
            with (
                bound_contextvars(**naming),
                _tracer.start_as_current_span(kind.name, attributes=naming) as span,
            ):
                outcome = await self._outcome(lease, kind, context, claim)
                span.set_attribute("outcome", outcome)
        finally:
            metrics.RUNNING.labels(kind.name).dec()
            metrics.SECONDS.labels(kind.name).observe(perf_counter() - began)
        metrics.ENDED.labels(kind.name, outcome).inc()

    async def _outcome(self, lease: Lease, kind: JobKind, context: JobContext, claim: Claim) -> str:
        work = asyncio.create_task(_handle(kind, context, claim))
        keeper = asyncio.create_task(lease.keep())
        try:
            await asyncio.wait({work, keeper}, timeout=kind.timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                # The keeper stays: to write the result may mean to wait for one's turn.
                outcome = await self._conclude(lease, kind, claim, work)
                await _let_go(keeper)
                return outcome
            lost = keeper.done()
            await _let_go(work, keeper)
            if lost:
                return _lost()
            return await self._fail(lease, kind, claim, f"It took longer than {kind.timeout_s:g} seconds.")
        except asyncio.CancelledError:
            await _let_go(work, keeper)
            return "released" if await lease.release() else _lost()

    async def _conclude(
        self, lease: Lease, kind: JobKind, claim: Claim, work: "asyncio.Task[Commit | None]"
    ) -> str:
        if work.cancelled():
            return await self._fail(lease, kind, claim, "The handler gave itself up.")
        try:
            await lease.complete(work.result())
        except LeaseLost:
            return _lost()
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is a failed attempt
            return await self._fail(lease, kind, claim, describe(error))
        return "done"

    async def _fail(self, lease: Lease, kind: JobKind, claim: Claim, error: str) -> str:
        spent = claim.attempt >= kind.max_attempts
        if spent:
            ours = await lease.bury(error)
        else:
            ours = await lease.retry(error, kind.backoff.delay_s(claim.attempt, self._rng))
        if not ours:
            return _lost()
        outcome = "dead" if spent else "retried"
        _log.warning("job_failed", outcome=outcome, error=error)
        return outcome

    async def _drain(self) -> None:
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=self._grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


async def _handle(kind: JobKind, context: JobContext, claim: Claim) -> Commit | None:
    payload = msgspec.convert(claim.payload, kind.payload)
    return await kind.handler(context, payload)


def _lost() -> str:
    _log.warning("job_lost")
    return "lost"


async def _let_go(*tasks: "asyncio.Task[object]") -> None:
    """Cancel tasks and wait for them, but not for ever: one that will not stop is held off by its fence."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=_STOPPING_S)
