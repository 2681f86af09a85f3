"""When nudges go out and in which words, from `data/nudges.yaml`. Pure."""

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from care.exercises import Language
from care.local_time import instant_at


class QuietHours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Local hours in which nothing is sent; they reach over midnight if `starts` is later than `ends`."""

    starts: dt.time
    ends: dt.time
    source: str

    def include(self, time: dt.time) -> bool:
        if self.starts <= self.ends:
            return self.starts <= time < self.ends
        return time >= self.starts or time < self.ends


class TimeOfDay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A local time, and why that one."""

    time: dt.time
    source: str


class Cap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many at most, and why."""

    count: int
    source: str


class Template(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The words of a notification, fit for a locked screen."""

    title: str
    body: str


class NudgeRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that is not decided by the patient's program."""

    as_of: dt.date
    quiet_hours: QuietHours
    evaluate_at: TimeOfDay
    send_at: TimeOfDay
    at_most_in_seven_days: Cap
    templates: dict[Language, Template]


NUDGES = msgspec.yaml.decode((Path(__file__).parent / "data" / "nudges.yaml").read_bytes(), type=NudgeRules)


def send_after(now: dt.datetime, zone: ZoneInfo, rules: NudgeRules = NUDGES) -> dt.datetime:
    """The UTC instant from which a nudge decided at `now` may go out: `send_at` of the patient's day, at once

    when that has passed, and never in the quiet hours.
    """
    local = now.astimezone(zone)
    planned = max(now, instant_at(local.date(), rules.send_at.time, zone))
    if not rules.quiet_hours.include(planned.astimezone(zone).time()):
        return planned
    day = planned.astimezone(zone).date()
    if planned.astimezone(zone).time() >= rules.quiet_hours.starts:
        day += dt.timedelta(days=1)
    return instant_at(day, max(rules.quiet_hours.ends, rules.send_at.time), zone)
