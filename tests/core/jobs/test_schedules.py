"""When scheduled work falls due, across summer time, standstills and clocks that jump."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.jobs.schedules import Daily, Every, schedule

MORNING = Daily(time(7, 0))
ZONES = st.sampled_from(sorted(available_timezones()))
INSTANTS = st.integers(315_532_800, 2_145_830_400).map(lambda second: datetime.fromtimestamp(second, UTC))
MINUTES = st.times().map(lambda at: at.replace(second=0, microsecond=0))


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("now", "due", "day"),
    [
        ("2026-11-23T12:30:00+00:00", "2026-11-23T12:00:00+00:00", "2026-11-23"),
        ("2026-11-23T12:00:00+00:00", "2026-11-23T12:00:00+00:00", "2026-11-23"),
        ("2026-11-23T11:59:59+00:00", "2026-11-22T12:00:00+00:00", "2026-11-22"),
        ("2026-07-01T11:30:00+00:00", "2026-07-01T11:00:00+00:00", "2026-07-01"),
    ],
)
def test_seven_in_the_morning_is_by_the_clock_on_the_clinics_wall(now: str, due: str, day: str) -> None:
    slot = MORNING.latest(instant(now), "America/New_York")

    assert (slot.at, slot.local_date) == (instant(due), date.fromisoformat(day))


def test_a_time_that_spring_skips_comes_once_after_the_gap() -> None:
    half_past_two = Daily(time(2, 30))
    before = half_past_two.latest(instant("2026-03-08T06:59:59+00:00"), "America/New_York")
    after = half_past_two.latest(instant("2026-03-08T12:00:00+00:00"), "America/New_York")

    assert before.local_date == date(2026, 3, 7)
    assert after.local_date == date(2026, 3, 8)
    assert after.at.astimezone(ZoneInfo("America/New_York")).time() == time(3, 30)


def test_a_time_that_autumn_repeats_comes_the_first_time_only() -> None:
    half_past_one = Daily(time(1, 30))
    first = half_past_one.latest(instant("2026-11-01T05:45:00+00:00"), "America/New_York")
    second = half_past_one.latest(instant("2026-11-01T06:45:00+00:00"), "America/New_York")

    assert first.at == instant("2026-11-01T05:30:00+00:00")
    assert second == first


def test_a_date_that_a_place_never_had_does_not_stop_its_schedule() -> None:
    # Samoa went from 29 to 31 December 2011 when it changed sides of the date line.
    slots = {
        MORNING.latest(instant("2011-12-29T18:00:00+00:00") + timedelta(hours=hour), "Pacific/Apia").at
        for hour in range(48)
    }

    assert slots == {
        instant("2011-12-29T17:00:00+00:00"),
        instant("2011-12-30T17:00:00+00:00"),
        instant("2011-12-31T17:00:00+00:00"),
    }


@given(INSTANTS, ZONES, MINUTES)
def test_the_latest_daily_slot_lies_within_two_days_and_never_ahead(
    now: datetime, zone: str, at: time
) -> None:
    slot = Daily(at).latest(now, zone)

    assert timedelta(0) <= now - slot.at <= timedelta(hours=48)


@given(INSTANTS, ZONES, MINUTES)
def test_walking_through_a_week_meets_each_date_once(start: datetime, zone: str, at: time) -> None:
    met = [Daily(at).latest(start + timedelta(minutes=15 * step), zone) for step in range(7 * 96)]
    distinct = list(dict.fromkeys(met))

    assert [slot.at for slot in distinct] == sorted({slot.at for slot in met})
    dates = [slot.local_date for slot in distinct]
    assert len(set(dates)) == len(dates)
    assert 6 <= len(dates) <= 9


@given(INSTANTS, ZONES, MINUTES, st.timedeltas(timedelta(0), timedelta(hours=3)))
def test_a_clock_set_back_finds_no_slot_that_is_new(
    now: datetime, zone: str, at: time, back: timedelta
) -> None:
    assert Daily(at).latest(now - back, zone).at <= Daily(at).latest(now, zone).at


@given(INSTANTS, st.integers(1, 10_000))
def test_an_interval_ticks_at_whole_multiples(now: datetime, minutes: int) -> None:
    interval = timedelta(minutes=minutes)
    slot = Every(interval).latest(now, "UTC")

    assert timedelta(0) <= now - slot.at < interval
    assert Every(interval).latest(slot.at, "UTC") == slot


@given(INSTANTS, ZONES)
def test_slots_of_different_zones_are_different_jobs(now: datetime, zone: str) -> None:
    here, greenwich = MORNING.latest(now, zone), MORNING.latest(now, "UTC")

    assert (here.key == greenwich.key) == (zone == "UTC")


def test_only_work_that_takes_a_slot_can_be_scheduled() -> None:
    with pytest.raises(ValueError, match="payload=Slot"):
        schedule("nobody.knows_this", MORNING)
