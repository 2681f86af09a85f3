"""The patient's calendar: which date an instant falls on where the patient is treated, and which week.

Programs, days and weeks are counted in the patient's own dates, never in UTC: a set done at 23:30 belongs to
that evening also when daylight saving time moves the clock. Weeks are ISO 8601 weeks, Monday to Sunday.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.errors import FieldFault, Invalid

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
DAYS_IN_WEEK = 7


def zone_named(name: str, *, pointer: str = "/time_zone") -> ZoneInfo:
    """The IANA time zone of that name; `Invalid` for any other text."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid(
            "The time zone is not known.", [FieldFault(pointer, "is not an IANA name like America/New_York")]
        ) from error


def local_date(instant: dt.datetime, zone: ZoneInfo) -> dt.date:
    """The date on the wall calendar of `zone` at a UTC instant."""
    return instant.astimezone(zone).date()


def utc_offset_min(instant: dt.datetime, zone: ZoneInfo) -> int:
    """Minutes that `zone` is ahead of UTC at that instant (negative in the Americas)."""
    offset = instant.astimezone(zone).utcoffset() or dt.timedelta()
    return round(offset.total_seconds() / 60)


def weekday_of(date: dt.date) -> Weekday:
    return WEEKDAYS[date.weekday()]


def week_start(date: dt.date) -> dt.date:
    """The Monday of the date's week."""
    return date - dt.timedelta(days=date.weekday())


def dates(first: dt.date, last: dt.date) -> Iterator[dt.date]:
    """Every date from `first` through `last`."""
    for day in range((last - first).days + 1):
        yield first + dt.timedelta(days=day)


def instant_at(date: dt.date, time: dt.time, zone: ZoneInfo) -> dt.datetime:
    """The UTC instant at which the clock of `zone` shows `time` on `date`.

    A time that the clock skips in spring becomes the instant it jumps to; one that comes twice in autumn is
    the first of the two.
    """
    return dt.datetime.combine(date, time, tzinfo=zone).astimezone(dt.UTC)
