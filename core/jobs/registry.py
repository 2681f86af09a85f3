"""Which kinds of job exist, and how each is to be run.

    @job("pose.analyze", payload=AnalyzeVideo, max_attempts=8, lease_s=20, timeout_s=900)
    async def analyze(context: JobContext, payload: AnalyzeVideo) -> Commit | None:
        analysis = await ...                 # slow work, outside any transaction
        await context.progress("angles", 0.8)

        async def commit(tx: Transaction) -> None:
            await analyses.insert(tx, analysis)

        return commit                        # written together with the end of the job, or not at all

A job may be started more than once: a worker can die after any instruction. What a handler returns is
committed exactly once; whatever else it does must bear repetition.
"""

import random
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from core.access import Access, Transaction

if TYPE_CHECKING:
    from core.platform import Platform

Payload = TypeVar("Payload", bound=msgspec.Struct)

Commit = Callable[[Transaction], Awaitable[None]]
"""The writes that make a job's result durable."""

_KIND = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


class Report(Protocol):
    """Takes note of how far the work has come."""

    def __call__(self, stage: str, fraction: float) -> None: ...


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a handler is given besides its payload."""

    access: Access
    """The system, acting for the organization that the job belongs to."""
    platform: "Platform"
    job_id: str
    attempt: int
    """1 for the first."""
    report: Report

    async def progress(self, stage: str, fraction: float) -> None:
        """Say what is being done and which share of the whole is behind (0 to 1).

        Cheap enough for a loop: what is said too quickly is thinned out before it is stored.
        """
        self.report(stage, fraction)


Handler = Callable[[JobContext, Payload], Awaitable[Commit | None]]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter, in seconds: retries of many jobs do not arrive all at once."""

    first_s: float = 2.0
    longest_s: float = 600.0

    def delay_s(self, attempt: int, rng: random.Random) -> float:
        """How long to wait after the failure of `attempt` (1 for the first)."""
        ceiling = min(self.longest_s, self.first_s * 2.0 ** min(attempt - 1, 32))
        return rng.uniform(0.0, ceiling)


@dataclass(frozen=True, slots=True)
class JobKind:
    """How jobs of one kind are run. Durations are in seconds."""

    name: str
    payload: type[msgspec.Struct]
    handler: Callable[[JobContext, Any], Awaitable[Commit | None]]
    max_attempts: int
    lease_s: float
    timeout_s: float
    concurrency_per_tenant: int | None
    backoff: Backoff


_kinds: dict[str, JobKind] = {}


def job(
    kind: str,
    *,
    payload: type[Payload],
    max_attempts: int = 5,
    lease_s: float = 30.0,
    timeout_s: float = 600.0,
    concurrency_per_tenant: int | None = None,
    backoff: Backoff | None = None,
) -> Callable[[Handler[Payload]], Handler[Payload]]:
    """Register a handler for a kind of job, named `<room>.<what it does>`.

    `max_attempts` counts every start, those that killed their worker included. A worker that falls silent for
    `lease_s` loses the job to another one. `timeout_s` bounds one attempt. With `concurrency_per_tenant`, at
    most so many jobs of this kind run at a time for one organization.
    """
    if not _KIND.fullmatch(kind):
        raise ValueError(f"a kind of job is named <room>.<what it does>, not {kind!r}")
    if min(max_attempts, lease_s, timeout_s, concurrency_per_tenant or 1) <= 0:
        raise ValueError(f"the limits of {kind} must be positive")

    def register(handler: Handler[Payload]) -> Handler[Payload]:
        if kind in _kinds:
            raise ValueError(f"{kind} has a handler already")
        _kinds[kind] = JobKind(
            name=kind,
            payload=payload,
            handler=handler,
            max_attempts=max_attempts,
            lease_s=lease_s,
            timeout_s=timeout_s,
            concurrency_per_tenant=concurrency_per_tenant,
            backoff=backoff or Backoff(),
        )
        return handler

    return register


def known_kinds() -> Mapping[str, JobKind]:
    """Every registered kind, by name."""
    return MappingProxyType(_kinds)
