"""Prescribing and revising home exercise programs."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from care.episodes import EpisodeChanges, NewEpisode, change_episode, get_episode, open_episode
from care.prescriptions import PrescriptionDraft
from care.program_versions import ProgramVersion, succeeded_by, version_on
from care.programs import (
    NewProgram,
    RevisedProgram,
    get_program,
    list_programs,
    prescribe,
    program_history,
    revise,
)
from core.errors import Invalid, NotFound, Stale
from tests.clinic import Clinic, Clock, daily

MONDAY = dt.date(2026, 3, 2)
TODAY = dt.date(2026, 3, 4)


async def pointers_of(clinic: Clinic, *drafts: PrescriptionDraft) -> list[str]:
    patient = await clinic.new_patient()
    with pytest.raises(Invalid) as refused:
        await clinic.new_program(patient.id, *drafts)
    return [fault.pointer for fault in refused.value.faults]


async def test_a_prescribed_program_reads_back_as_prescribed(clinic: Clinic) -> None:
    patient = await clinic.new_patient()
    draft = PrescriptionDraft(
        exercise_id="single_leg_stance",
        sets=1,
        repetitions=3,
        side="left",
        hold_s=20,
        days_of_week=["friday", "monday"],
        notes="Hold on to the counter.",
    )
    program = await clinic.new_program(patient.id, draft, ends_on=dt.date(2026, 4, 26))
    again = await get_program(clinic.patient(patient.id), program.id)
    assert again == program
    (prescription,) = again.prescriptions
    assert prescription.days_of_week == ("monday", "friday")
    assert (prescription.sets, prescription.repetitions, prescription.hold_s) == (1, 3, 20)
    assert (again.revision, again.valid_from, again.ends_on) == (1, MONDAY, dt.date(2026, 4, 26))
    page = await list_programs(clinic.therapist, patient.id, limit=10, cursor=None)
    assert [each.id for each in page.items] == [program.id]


async def test_everything_wrong_with_a_program_is_named_at_once(clinic: Clinic) -> None:
    assert await pointers_of(
        clinic,
        PrescriptionDraft(exercise_id="moonwalk", sets=3, repetitions=10, days_per_week=3),
        PrescriptionDraft(exercise_id="squat", sets=0, repetitions=101, days_per_week=3),
        PrescriptionDraft(exercise_id="squat", sets=3, repetitions=10),
        PrescriptionDraft(
            exercise_id="squat", sets=3, repetitions=10, days_per_week=3, days_of_week=["monday"]
        ),
        PrescriptionDraft(exercise_id="squat", sets=3, repetitions=10, days_of_week=["monday", "monday"]),
        PrescriptionDraft(exercise_id="single_leg_stance", sets=1, repetitions=3, days_per_week=3),
    ) == [
        "/prescriptions/0/exercise_id",
        "/prescriptions/1/sets",
        "/prescriptions/1/repetitions",
        "/prescriptions/2/days_of_week",
        "/prescriptions/3/days_of_week",
        "/prescriptions/4/days_of_week",
        "/prescriptions/5/hold_s",
    ]


async def test_a_program_that_ends_before_it_begins_is_refused(clinic: Clinic) -> None:
    patient = await clinic.new_patient()
    with pytest.raises(Invalid) as refused:
        await clinic.new_program(patient.id, ends_on=MONDAY - dt.timedelta(days=1))
    assert [fault.pointer for fault in refused.value.faults] == ["/ends_on"]


@pytest.mark.parametrize("starts_on", [dt.date.min, dt.date(2025, 3, 2), dt.date(2027, 3, 6), dt.date.max])
async def test_a_program_that_begins_in_another_age_is_refused(clinic: Clinic, starts_on: dt.date) -> None:
    patient = await clinic.new_patient()
    with pytest.raises(Invalid) as refused:
        await clinic.new_program(patient.id, starts_on=starts_on)
    assert [fault.pointer for fault in refused.value.faults] == ["/starts_on"]


async def test_a_program_without_exercises_is_refused(clinic: Clinic) -> None:
    patient = await clinic.new_patient()
    episode = await open_episode(
        clinic.therapist, patient.id, NewEpisode(diagnosis="Knee pain", started_on=MONDAY)
    )
    with pytest.raises(Invalid):
        await prescribe(
            clinic.therapist, episode.id, NewProgram(title="Empty", starts_on=MONDAY, prescriptions=[])
        )


async def test_a_revision_takes_effect_today_and_keeps_the_past(clinic: Clinic) -> None:
    patient = await clinic.new_patient()
    program = await clinic.new_program(patient.id, daily(repetitions=5))
    revised = await revise(
        clinic.therapist,
        program.id,
        RevisedProgram(title="Stronger", prescriptions=[daily(repetitions=8)]),
        expected_version=1,
    )
    history = await program_history(clinic.therapist, program.id)
    assert [(each.number, each.valid_from, each.valid_to) for each in history] == [
        (1, MONDAY, TODAY - dt.timedelta(days=1)),
        (2, TODAY, None),
    ]
    assert history[0].prescriptions == tuple(program.prescriptions)
    assert revised.prescriptions[0].id == program.prescriptions[0].id
    assert (revised.version, revised.revision) == (2, 2)


async def test_today_is_the_patients_today_not_greenwichs(clinic: Clinic, clock: Clock) -> None:
    clock.now = dt.datetime(2026, 3, 5, 3, 0, tzinfo=dt.UTC)  # still the evening of the 4th in New York
    patient = await clinic.new_patient()
    program = await clinic.new_program(patient.id)
    revised = await revise(
        clinic.therapist,
        program.id,
        RevisedProgram(title="Stronger", prescriptions=[daily()]),
        expected_version=None,
    )
    assert revised.valid_from == TODAY


@pytest.mark.parametrize("valid_from", [TODAY - dt.timedelta(days=1), MONDAY - dt.timedelta(days=1)])
async def test_the_past_cannot_be_revised(clinic: Clinic, valid_from: dt.date) -> None:
    patient = await clinic.new_patient()
    program = await clinic.new_program(patient.id)
    change = RevisedProgram(title="Other", prescriptions=[daily()], valid_from=valid_from)
    with pytest.raises(Invalid) as refused:
        await revise(clinic.therapist, program.id, change, expected_version=1)
    assert [fault.pointer for fault in refused.value.faults] == ["/valid_from"]


async def test_a_revision_of_an_outdated_program_is_refused(clinic: Clinic) -> None:
    patient = await clinic.new_patient()
    program = await clinic.new_program(patient.id)
    change = RevisedProgram(title="Other", prescriptions=[daily()])
    await revise(clinic.therapist, program.id, change, expected_version=1)
    with pytest.raises(Stale):
        await revise(clinic.therapist, program.id, change, expected_version=1)


async def test_a_revision_can_only_continue_prescriptions_of_the_program(clinic: Clinic) -> None:
    patient = await clinic.new_patient()
    program = await clinic.new_program(patient.id)
    stranger = PrescriptionDraft(exercise_id="squat", sets=1, repetitions=5, days_per_week=7, id="rx_other")
    with pytest.raises(Invalid) as refused:
        await revise(
            clinic.therapist,
            program.id,
            RevisedProgram(title="Other", prescriptions=[stranger]),
            expected_version=1,
        )
    assert [fault.pointer for fault in refused.value.faults] == ["/prescriptions/0/id"]


async def test_another_patients_program_does_not_exist(clinic: Clinic) -> None:
    patient, other = await clinic.new_patient(), await clinic.new_patient()
    program = await clinic.new_program(patient.id)
    with pytest.raises(NotFound):
        await get_program(clinic.patient(other.id), program.id)
    with pytest.raises(NotFound):
        await list_programs(clinic.patient(other.id), patient.id, limit=10, cursor=None)


async def test_an_episode_is_opened_by_its_therapist_and_closed(clinic: Clinic) -> None:
    patient = await clinic.new_patient()
    new = NewEpisode(diagnosis="Knee osteoarthritis", diagnosis_codes=["M17.11"], started_on=MONDAY)
    episode = await open_episode(clinic.therapist, patient.id, new)
    assert episode.therapist_id == clinic.therapist_id
    closed = await change_episode(
        clinic.therapist, episode.id, EpisodeChanges(ended_on=TODAY), expected_version=1
    )
    assert closed == await get_episode(clinic.therapist, episode.id)
    assert (closed.ended_on, closed.diagnosis) == (TODAY, "Knee osteoarthritis")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (EpisodeChanges(ended_on=MONDAY - dt.timedelta(days=1)), "/ended_on"),
        (EpisodeChanges(diagnosis_codes=["knee"]), "/diagnosis_codes/0"),
        (EpisodeChanges(therapist_id="stf_nobody"), "/therapist_id"),
    ],
)
async def test_what_cannot_be_right_about_an_episode_is_refused(
    clinic: Clinic, change: EpisodeChanges, pointer: str
) -> None:
    patient = await clinic.new_patient()
    episode = await open_episode(
        clinic.therapist, patient.id, NewEpisode(diagnosis="Knee pain", started_on=MONDAY)
    )
    with pytest.raises(Invalid) as refused:
        await change_episode(clinic.therapist, episode.id, change, expected_version=1)
    assert [fault.pointer for fault in refused.value.faults] == [pointer]
    assert await get_episode(clinic.therapist, episode.id) == episode


@given(st.lists(st.integers(0, 10), max_size=6), st.integers(-3, 30))
def test_on_every_day_of_a_program_exactly_one_version_is_in_force(gaps: list[int], day: int) -> None:
    def beginning(number: int, start: dt.date) -> ProgramVersion:
        return ProgramVersion(
            number=number,
            title="Knee",
            valid_from=start,
            valid_to=None,
            prescriptions=(),
            prescribed_by="stf_1",
            prescribed_at=dt.datetime(2026, 3, 2, tzinfo=dt.UTC),
        )

    start = MONDAY
    versions: tuple[ProgramVersion, ...] = (beginning(1, start),)
    for number, gap in enumerate(gaps, start=2):
        start += dt.timedelta(days=gap)
        versions = succeeded_by(versions, beginning(number, start))
    date = MONDAY + dt.timedelta(days=day)
    in_force = [version for version in versions if version.in_force_on(date)]
    assert len(in_force) == (1 if day >= 0 else 0)
    newest_begun = [version for version in versions if version.valid_from <= date]
    assert version_on(versions, date) == (newest_begun[-1] if newest_begun else None)
