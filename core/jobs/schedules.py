"""Work that falls due by the clock: which kind, at what times, and in whose time zone.

    schedule("engagement.evaluate_day", Daily(time(7, 0)), zone="location")

Two plain forms cover what a practice needs; a cron expression could also say "02:30 on the 31st if a Monday",
which nobody reads correctly across a change to summer time. For each organization every slot becomes one job.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from core.jobs.registry import known_kinds

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One time at which scheduled work falls due: the payload of every scheduled job."""

    at: datetime
    """The UTC instant."""
    zone: str
    """IANA name of the time zone that the schedule follows; `UTC` for those that follow none."""
    local_date: date
    """The date in that zone that the slot stands for."""

    @property
    def key(self) -> str:
        """Names the slot within its kind and organization, so that it becomes one job."""
        zone = "" if self.zone == "UTC" else "@" + self.zone.replace("/", "~")
        return f"{self.at:%Y%m%dT%H%M%SZ}{zone}"


@dataclass(frozen=True, slots=True)
class Daily:
    """Once for every calendar date, at this local time of day.

    A time that the clocks skip in spring comes as much later as the clocks were moved; one that they repeat
    in autumn comes the first time only.
    """

    at: time

    def latest(self, now: datetime, zone: str) -> Slot:
        """The slot that fell due last, at `now` or before."""
        info = ZoneInfo(zone)
        today = now.astimezone(info).date()
        # A zone that crossed the date line skipped a whole day, hence three candidates.
        slots = [self._slot(today - timedelta(days=days), info) for days in range(3)]
        return next(slot for slot in slots if slot.at <= now)

    def _slot(self, day: date, info: ZoneInfo) -> Slot:
        # `fold=0` means the first of two, and for a skipped time the offset before the gap (PEP 495).
        at = datetime.combine(day, self.at, tzinfo=info).astimezone(UTC)
        return Slot(at=at, zone=info.key, local_date=day)


@dataclass(frozen=True, slots=True)
class Every:
    """At every whole multiple of an interval since 1970 in UTC, whatever the local clocks do."""

    interval: timedelta

    def latest(self, now: datetime, zone: str) -> Slot:
        """The slot that fell due last, at `now` or before."""
        at = _EPOCH + (now - _EPOCH) // self.interval * self.interval
        return Slot(at=at, zone=zone, local_date=at.astimezone(ZoneInfo(zone)).date())


@dataclass(frozen=True, slots=True)
class Schedule:
    """A kind of job, when it falls due, and by whose clock."""

    kind: str
    when: Daily | Every
    zone: Literal["utc", "location"]


_schedules: list[Schedule] = []


def schedule(kind: str, when: Daily | Every, *, zone: Literal["utc", "location"] = "utc") -> None:
    """Queue a job of `kind` for each organization whenever `when` falls due.

    With `zone="location"` there is one job for each time zone that the organization has a location in.
    After a standstill only the latest missed slot is made up for. The kind must take a `Slot`.
    """
    known = known_kinds().get(kind)
    if known is None or known.payload is not Slot:
        raise ValueError(f"{kind} must be registered with payload=Slot before it is scheduled")
    wanted = Schedule(kind, when, zone)
    if wanted not in _schedules:
        _schedules.append(wanted)


def known_schedules() -> Sequence[Schedule]:
    """Every registered schedule."""
    return tuple(_schedules)
