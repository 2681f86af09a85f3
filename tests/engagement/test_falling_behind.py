"""When a patient is reminded, and above all when not."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from care.prescriptions import Prescription
from care.program_versions import ProgramVersion
from engagement.compliance import Work
from engagement.falling_behind import Standing, standing
from tests.engagement.programs import MONDAY, prescription, version, work, works


def at_the_end_of(day: int, rx: Prescription, done: list[Work]) -> Standing:
    versions: list[ProgramVersion] = [version(rx)]
    return standing("prg_1", versions, done, MONDAY + dt.timedelta(days=day))


def test_a_missed_day_puts_the_program_behind() -> None:
    found = at_the_end_of(0, prescription(per_week=7), [])
    assert found.behind
    assert found.missed_prescription_ids == ["rx_1"]


def test_a_day_done_does_not() -> None:
    assert not at_the_end_of(0, prescription(per_week=7), [work(MONDAY, 30)]).behind


def test_a_day_reported_in_full_does_not() -> None:
    assert not at_the_end_of(0, prescription(per_week=7), [work(MONDAY, 30, "self_report")]).behind


def test_whoever_missed_monday_but_did_tuesday_is_left_alone() -> None:
    found = at_the_end_of(1, prescription(per_week=7), [work(MONDAY + dt.timedelta(days=1), 30)])
    assert found.score == 0.5
    assert not found.behind


def test_a_rest_day_after_a_missed_day_brings_no_second_reminder() -> None:
    assert not at_the_end_of(1, prescription(days=("monday", "thursday")), []).behind


def test_one_missed_day_in_a_week_otherwise_done_is_not_falling_behind() -> None:
    done = [work(MONDAY + dt.timedelta(days=day), 30) for day in range(6)]
    found = at_the_end_of(6, prescription(per_week=7), done)
    assert found.missed_prescription_ids == ["rx_1"]
    assert not found.behind


def test_who_chooses_the_days_may_rest_at_the_start_of_the_week() -> None:
    three_a_week = prescription(per_week=3)
    assert [at_the_end_of(day, three_a_week, []).behind for day in range(4)] == [False, False, True, True]


def test_a_program_that_is_over_asks_for_nothing() -> None:
    ended = version(prescription(per_week=7), end=MONDAY)
    assert not standing("prg_1", [ended], [], MONDAY + dt.timedelta(days=1)).behind


@given(st.integers(1, 7), st.lists(works, max_size=10), works, st.integers(0, 13))
def test_doing_more_never_puts_anyone_behind(per_week: int, done: list[Work], more: Work, day: int) -> None:
    rx = prescription(per_week=per_week)
    if not at_the_end_of(day, rx, done).behind:
        assert not at_the_end_of(day, rx, [*done, more]).behind
