"""The compliance formula: what a therapist may rely on when reading a percentage."""

import datetime as dt
import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from care.program_versions import ProgramVersion, succeeded_by
from engagement.compliance import ProgramCompliance, Work
from engagement.compliance_rules import RULES
from tests.engagement.programs import MONDAY, SUNDAY, compliance, prescription, programs, version, work, works

# --- a day --------------------------------------------------------------------------------------------------


def test_a_filmed_dose_done_in_full_counts_whole() -> None:
    result = compliance([version(prescription(per_week=7))], [work(MONDAY, 30)], through=MONDAY)
    (week,) = result.weeks
    assert week.days[0].score == 1.0
    assert week.days[0].kind == "scheduled"
    assert week.days[0].doses[0].session_ids == [f"ses-video-rx_1-{MONDAY}-30"]


def test_half_of_the_repetitions_is_half_a_dose() -> None:
    result = compliance([version(prescription(per_week=7))], [work(MONDAY, 15)], through=MONDAY)
    assert result.score == 0.5
    assert result.completion == 0.5


def test_a_report_counts_less_than_a_film_and_still_reaches_the_usual_threshold() -> None:
    result = compliance(
        [version(prescription(per_week=7))], [work(MONDAY, 30, "self_report")], through=MONDAY
    )
    assert result.score == 0.8
    assert result.completion == 1.0
    assert result.keeps_up is True


def test_the_same_set_reported_and_filmed_counts_once_at_the_better_evidence() -> None:
    done = [work(MONDAY, 10), work(MONDAY, 10, "self_report")]
    result = compliance([version(prescription(per_week=7))], done, through=MONDAY)
    (dose,) = result.weeks[0].days[0].doses
    assert dose.credit == round(10 / 30, 4)
    assert [(part.grade, part.repetitions) for part in dose.grades] == [("video", 10.0)]


def test_reported_sets_beyond_the_filmed_one_count_at_the_weight_of_a_report() -> None:
    done = [work(MONDAY, 10), work(MONDAY, 30, "self_report")]
    result = compliance([version(prescription(per_week=7))], done, through=MONDAY)
    (dose,) = result.weeks[0].days[0].doses
    assert [(part.grade, part.repetitions) for part in dose.grades] == [
        ("video", 10.0),
        ("self_report", 20.0),
    ]
    assert dose.credit == round((10 + 20 * 0.8) / 30, 4)


def test_two_filmed_sets_add_up() -> None:
    done = [work(MONDAY, 10, source="clip 1"), work(MONDAY, 10, source="clip 2")]
    assert compliance([version(prescription(per_week=7))], done, through=MONDAY).score == round(20 / 30, 4)


def test_doing_more_than_prescribed_of_one_exercise_does_not_make_up_for_another() -> None:
    program = [version(prescription(per_week=7), prescription(id="rx_2", per_week=7))]
    assert compliance(program, [work(MONDAY, 90)], through=MONDAY).score == 0.5


def test_a_hold_counts_by_the_time_held_and_not_beyond_what_was_asked() -> None:
    balance = prescription(sets=1, repetitions=3, hold_s=20, per_week=7)
    halfway = compliance([version(balance)], [work(MONDAY, 3, hold_s=10)], through=MONDAY)
    too_long = compliance([version(balance)], [work(MONDAY, 3, hold_s=60)], through=MONDAY)
    unmeasured = compliance([version(balance)], [work(MONDAY, 3, "self_report")], through=MONDAY)
    assert halfway.score == 0.5
    assert too_long.score == 1.0
    assert unmeasured.completion == 1.0


def test_a_rest_day_has_no_score_and_lowers_none() -> None:
    program = [version(prescription(days=("monday",)))]
    result = compliance(program, [work(MONDAY, 30)])
    tuesday = result.weeks[0].days[1]
    assert (tuesday.kind, tuesday.score) == ("rest", None)
    assert result.score == 1.0


# --- a week -------------------------------------------------------------------------------------------------


def test_days_the_patient_chooses_freely_make_a_full_week() -> None:
    program = [version(prescription(per_week=3))]
    chosen = [MONDAY + dt.timedelta(days=day) for day in (1, 2, 5)]
    result = compliance(program, [work(day, 30) for day in chosen])
    assert result.score == 1.0
    assert result.prescribed_doses == 3
    assert result.weeks[0].parts[0].counted_dates == chosen
    assert [day.kind for day in result.weeks[0].days].count("chosen") == 3
    assert [day.score for day in result.weeks[0].days if day.kind == "rest"] == [None] * 4


def test_a_fourth_day_where_three_are_prescribed_adds_nothing() -> None:
    program = [version(prescription(per_week=3))]
    days = [work(MONDAY + dt.timedelta(days=day), 30) for day in range(4)]
    result = compliance(program, days)
    assert result.credited_doses == 3.0


def test_a_missed_day_can_be_made_up_for_within_the_week() -> None:
    program = [version(prescription(days=("monday", "wednesday")))]
    tuesday, wednesday = MONDAY + dt.timedelta(days=1), MONDAY + dt.timedelta(days=2)
    result = compliance(program, [work(tuesday, 30), work(wednesday, 30)])
    assert result.score == 1.0
    assert result.weeks[0].days[0].score == 0.0


def test_last_weeks_extra_work_does_not_carry_over() -> None:
    program = [version(prescription(days=("monday",)))]
    extra = [work(MONDAY, 30), work(MONDAY + dt.timedelta(days=1), 30)]
    result = compliance(program, extra, through=SUNDAY + dt.timedelta(days=7))
    assert [week.score for week in result.weeks] == [1.0, 0.0]


def test_an_unfinished_week_asks_for_an_even_share_only() -> None:
    program = [version(prescription(per_week=5))]
    by_tuesday = compliance(program, [], through=MONDAY + dt.timedelta(days=1))
    assert by_tuesday.prescribed_doses == 2
    assert compliance(program, []).prescribed_doses == 5


def test_a_program_that_begins_on_thursday_asks_for_its_share_of_that_week() -> None:
    thursday = MONDAY + dt.timedelta(days=3)
    named = [version(prescription(days=("monday", "friday")), start=thursday)]
    assert compliance(named, []).prescribed_doses == 1
    chosen = [version(prescription(per_week=5), start=thursday)]
    assert compliance(chosen, []).prescribed_doses == 3
    assert compliance(chosen, []).weeks[0].days[0].kind == "outside"


def test_nothing_is_asked_before_a_program_begins_or_after_it_ends() -> None:
    ended = [version(prescription(per_week=7), end=MONDAY)]
    result = compliance(ended, [work(SUNDAY, 30)])
    assert result.prescribed_doses == 1
    assert result.credited_doses == 0.0


# --- revisions ----------------------------------------------------------------------------------------------


def test_a_revision_in_mid_week_leaves_the_days_before_it_as_they_were_prescribed() -> None:
    thursday = MONDAY + dt.timedelta(days=3)
    first = version(prescription(sets=1, per_week=7))
    harder = version(prescription(sets=3, per_week=7), number=2, start=thursday)
    versions = succeeded_by([first], harder)
    result = compliance(versions, [work(MONDAY, 10), work(thursday, 10)])
    days = result.weeks[0].days
    assert days[0].doses[0].version == 1
    assert days[0].score == 1.0
    assert days[3].doses[0].version == 2
    assert days[3].score == round(1 / 3, 4)


def test_changing_from_three_to_five_days_in_mid_week_asks_for_a_share_of_each() -> None:
    thursday = MONDAY + dt.timedelta(days=3)
    versions = succeeded_by(
        [version(prescription(per_week=3))], version(prescription(per_week=5), number=2, start=thursday)
    )
    assert compliance(versions, []).prescribed_doses == 5  # 3 x 3/7 + 4 x 5/7 = 4.1, rounded up


def test_an_exercise_taken_out_is_asked_for_only_while_it_was_prescribed() -> None:
    thursday = MONDAY + dt.timedelta(days=3)
    both = version(prescription(per_week=7), prescription(id="rx_2", per_week=7))
    one = version(prescription(per_week=7), number=2, start=thursday)
    result = compliance(succeeded_by([both], one), [])
    assert {part.prescription_id: part.prescribed_doses for part in result.weeks[0].parts} == {
        "rx_1": 7,
        "rx_2": 3,
    }


def test_every_result_names_its_formula_and_the_sessions_behind_it() -> None:
    result = compliance([version(prescription(per_week=7))], [work(MONDAY, 30)], through=MONDAY)
    assert result.formula == RULES.formula
    assert result.weeks[0].parts[0].session_ids == [f"ses-video-rx_1-{MONDAY}-30"]


# --- what holds for every program ---------------------------------------------------------------------------

three_weeks = MONDAY + dt.timedelta(days=20)


def scores(result: ProgramCompliance) -> list[float]:
    weeks = result.weeks
    every = [result.score, result.completion]
    every += [score for week in weeks for score in (week.score, week.completion)]
    every += [day.score for week in weeks for day in week.days]
    every += [dose.credit for week in weeks for day in week.days for dose in day.doses]
    return [-1.0 if score is None else score for score in every]


@given(programs(), st.lists(works, max_size=12))
def test_every_ratio_lies_between_nothing_and_everything(
    program: list[ProgramVersion], done: list[Work]
) -> None:
    result = compliance(program, done, through=three_weeks)
    assert all(score == -1.0 or 0 <= score <= 1 for score in scores(result))
    assert result.credited_doses <= result.completed_doses <= result.prescribed_doses


@given(programs(), st.lists(works, max_size=12), works)
def test_doing_more_never_lowers_any_ratio(
    program: list[ProgramVersion], done: list[Work], more: Work
) -> None:
    before = compliance(program, done, through=three_weeks)
    after = compliance(program, [*done, more], through=three_weeks)
    assert all(new >= old for old, new in zip(scores(before), scores(after), strict=True))


@given(programs(), st.lists(works, max_size=12), st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_of_the_evidence_matters(
    program: list[ProgramVersion], done: list[Work], shuffling: random.Random
) -> None:
    again = [*done, *done[: len(done) // 2]]
    shuffling.shuffle(again)
    assert compliance(program, again, through=three_weeks) == compliance(program, done, through=three_weeks)


@given(programs(), st.lists(works, max_size=12))
def test_a_program_is_the_sum_of_its_weeks(program: list[ProgramVersion], done: list[Work]) -> None:
    result = compliance(program, done, through=three_weeks)
    assert result.prescribed_doses == sum(week.prescribed_doses for week in result.weeks)
    assert abs(result.credited_doses - sum(week.credited_doses for week in result.weeks)) < 0.001


@given(st.integers(1, 7))
def test_an_even_pace_never_asks_for_less_later_in_the_week(per_week: int) -> None:
    program = [version(prescription(per_week=per_week))]
    asked = [
        compliance(program, [], through=MONDAY + dt.timedelta(days=day)).prescribed_doses for day in range(7)
    ]
    assert all(later >= sooner for sooner, later in pairwise(asked))
    assert asked[-1] == per_week
