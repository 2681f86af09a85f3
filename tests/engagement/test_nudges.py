"""What follows from evidence, and from its absence: stored scores, one nudge, its delivery."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from care.patients import PatientChanges, change_patient
from care.programs import ProgramView
from care.sessions import DoneSets, NewSession, start_session
from core.errors import Invalid, NotFound
from core.jobs import Slot
from core.mongo import RawDatabase
from engagement.documents import compliance_scores, notifications
from engagement.notifications import (
    NewDevice,
    NotificationView,
    list_devices,
    list_notifications,
    notifications_of_patient,
    register_device,
    remove_device,
)
from engagement.nudge_rules import NUDGES, send_after
from engagement.nudges import evaluate_day, patients_to_evaluate
from engagement.scoring import compliance_of_patient, compliance_of_program
from tests.clinic import HONOLULU, NEW_YORK, Clinic, Clock, daily
from tests.clinic_fixtures import WorkOff

MONDAY = dt.date(2026, 3, 2)
TUESDAY = dt.date(2026, 3, 3)
WEDNESDAY = dt.date(2026, 3, 4)
HEALTH_WORDS = {
    "en": ("exercise", "therapy", "therapist", "pain", "knee", "clinic", "health", "treatment", "doctor"),
    "es": (
        "ejercicio",
        "terapia",
        "terapeuta",
        "dolor",
        "rodilla",
        "clínica",
        "salud",
        "tratamiento",
        "médic",
    ),
}


async def report(
    clinic: Clinic, program: ProgramView, *, repetitions: int = 5, at: dt.datetime | None = None
) -> str:
    """Let the patient report one set. Returns the session's id."""
    new = NewSession(
        program_id=program.id,
        prescription_id=program.prescriptions[0].id,
        evidence="self_report",
        self_report=DoneSets(sets=1, repetitions=repetitions),
        performed_at=at,
    )
    return (await start_session(clinic.patient(program.patient_id), new)).id


async def outbox(clinic: Clinic, patient_id: str) -> list[NotificationView]:
    page = await notifications_of_patient(clinic.therapist, patient_id, limit=50, cursor=None)
    return page.items


# --- scores ------------------------------------------------------------------------------------------------


async def test_evidence_changes_the_stored_scores_of_its_day_week_and_program(
    clinic: Clinic, work_off: WorkOff
) -> None:
    patient = await clinic.new_patient()
    program = await clinic.new_program(patient.id, starts_on=WEDNESDAY)
    session_id = await report(clinic, program)
    await work_off()
    stored = await compliance_scores.find(clinic.system, {"program_id": program.id})
    assert {(score.period, score.starts_on, score.score) for score in stored} == {
        ("day", WEDNESDAY, 0.8),
        ("week", MONDAY, 0.8),
        ("program", WEDNESDAY, 0.8),
    }
    assert all(score.session_ids == [session_id] for score in stored)


async def test_an_event_tells_the_other_rooms_when_a_score_changed_and_only_then(
    clinic: Clinic, raw: RawDatabase, work_off: WorkOff
) -> None:
    patient = await clinic.new_patient()
    program = await clinic.new_program(patient.id, starts_on=WEDNESDAY)
    await report(clinic, program)
    await work_off()
    scored = {"name": "engagement.compliance_scored"}
    before = await raw["events"].count_documents(scored)
    await evaluate_day(clinic.therapist, patient.id, TUESDAY)
    assert await raw["events"].count_documents(scored) == before
    event = await raw["events"].find_one(scored, sort=[("_id", -1)])
    assert event is not None
    assert event["data"]["week_score"] == 0.8


async def test_a_therapist_reads_the_present_state_with_its_sources(clinic: Clinic) -> None:
    patient = await clinic.new_patient()
    program = await clinic.new_program(patient.id, starts_on=TUESDAY)
    before = await compliance_of_patient(clinic.therapist, patient.id)
    assert (before.score, before.keeps_up, before.through) == (0.0, False, TUESDAY)
    session_id = await report(clinic, program)
    after = await compliance_of_patient(clinic.therapist, patient.id)
    assert (after.score, after.completion, after.through) == (0.4, 0.5, WEDNESDAY)
    (dose,) = after.programs[0].weeks[-1].days[2].doses
    assert dose.session_ids == [session_id]
    alone = await compliance_of_program(clinic.therapist, program.id)
    assert (alone.score, alone.prescribed_doses) == (0.4, 2)


async def test_a_day_that_has_only_begun_is_not_held_against_anyone(clinic: Clinic) -> None:
    patient = await clinic.new_patient()
    program = await clinic.new_program(patient.id, starts_on=TUESDAY)
    await report(clinic, program, at=dt.datetime(2026, 3, 3, 15, tzinfo=dt.UTC))
    now = await compliance_of_patient(clinic.therapist, patient.id)
    assert (now.score, now.keeps_up) == (0.8, True)
    asked = await compliance_of_patient(clinic.therapist, patient.id, through=WEDNESDAY)
    assert asked.score == 0.4


@pytest.mark.parametrize(
    ("starts_on", "through", "pointer"),
    [
        (WEDNESDAY, dt.date(2026, 2, 1), "/to"),
        (dt.date(2024, 1, 1), WEDNESDAY, "/from"),
        (None, dt.date.min, "/to"),
        (None, dt.date.max, "/to"),
    ],
)
async def test_a_period_that_makes_no_sense_is_refused(
    clinic: Clinic, starts_on: dt.date | None, through: dt.date, pointer: str
) -> None:
    patient = await clinic.new_patient()
    with pytest.raises(Invalid) as refused:
        await compliance_of_patient(clinic.therapist, patient.id, starts_on=starts_on, through=through)
    assert [fault.pointer for fault in refused.value.faults] == [pointer]


async def test_another_patients_compliance_does_not_exist(clinic: Clinic) -> None:
    patient, other = await clinic.new_patient(), await clinic.new_patient()
    with pytest.raises(NotFound):
        await compliance_of_patient(clinic.patient(other.id), patient.id)


# --- nudges ------------------------------------------------------------------------------------------------


async def test_a_missed_day_queues_one_nudge_however_often_it_is_evaluated(clinic: Clinic) -> None:
    patient = await clinic.new_patient()
    program = await clinic.new_program(patient.id, starts_on=TUESDAY)
    first = await evaluate_day(clinic.therapist, patient.id)
    second = await evaluate_day(clinic.therapist, patient.id)
    assert (first.nudge, first.date) == ("queued", TUESDAY)
    assert (second.nudge, second.notification_id) == ("queued_before", first.notification_id)
    (nudge,) = await outbox(clinic, patient.id)
    assert (nudge.id, nudge.date, nudge.program_ids) == (first.notification_id, TUESDAY, [program.id])


async def test_whoever_keeps_up_hears_nothing(clinic: Clinic) -> None:
    patient = await clinic.new_patient()
    program = await clinic.new_program(patient.id, starts_on=TUESDAY)
    await report(clinic, program, at=dt.datetime(2026, 3, 3, 15, tzinfo=dt.UTC))
    assert (await evaluate_day(clinic.therapist, patient.id)).nudge == "not_behind"
    assert await outbox(clinic, patient.id) == []


async def test_two_programs_behind_make_one_nudge(clinic: Clinic) -> None:
    patient = await clinic.new_patient()
    programs = [await clinic.new_program(patient.id, starts_on=TUESDAY) for _ in range(2)]
    await evaluate_day(clinic.therapist, patient.id)
    (nudge,) = await outbox(clinic, patient.id)
    assert nudge.program_ids == [program.id for program in programs]


async def test_nobody_is_nudged_more_than_the_rules_allow_in_seven_days(clinic: Clinic, clock: Clock) -> None:
    patient = await clinic.new_patient()
    await clinic.new_program(patient.id, starts_on=TUESDAY)
    outcomes: list[str] = []
    for _ in range(9):
        outcomes.append((await evaluate_day(clinic.therapist, patient.id)).nudge)
        clock.forward(days=1)
    most = NUDGES.at_most_in_seven_days.count
    assert outcomes == ["queued"] * most + ["enough_this_week"] * (7 - most) + ["queued"] * 2


async def test_a_program_that_ended_yesterday_brings_no_nudge(clinic: Clinic) -> None:
    patient = await clinic.new_patient()
    await clinic.new_program(patient.id, starts_on=TUESDAY, ends_on=TUESDAY)
    assert (await evaluate_day(clinic.therapist, patient.id)).nudge == "program_over"


async def test_a_discharged_patient_is_left_in_peace(clinic: Clinic) -> None:
    patient = await clinic.new_patient()
    await clinic.new_program(patient.id, starts_on=TUESDAY)
    await change_patient(
        clinic.therapist, patient.id, PatientChanges(status="discharged"), expected_version=None
    )
    assert (await evaluate_day(clinic.therapist, patient.id)).nudge == "discharged"


async def test_only_yesterday_leads_to_a_nudge_and_today_cannot_be_judged(clinic: Clinic) -> None:
    patient = await clinic.new_patient()
    await clinic.new_program(patient.id, starts_on=MONDAY)
    assert (await evaluate_day(clinic.therapist, patient.id, MONDAY)).nudge == "too_late"
    with pytest.raises(Invalid):
        await evaluate_day(clinic.therapist, patient.id, WEDNESDAY)
    assert await outbox(clinic, patient.id) == []


async def test_yesterday_is_the_patients_yesterday(clinic: Clinic, clock: Clock) -> None:
    clock.now = dt.datetime(2026, 3, 4, 8, 0, tzinfo=dt.UTC)  # Wednesday in New York, Tuesday in Honolulu
    here = await clinic.new_patient()
    there = await clinic.new_patient(at=clinic.second)
    for patient in (here, there):
        await clinic.new_program(patient.id, starts_on=MONDAY)
    assert (await evaluate_day(clinic.therapist, here.id)).date == TUESDAY
    assert (await evaluate_day(clinic.therapist, there.id)).date == MONDAY
    assert await patients_to_evaluate(clinic.system, NEW_YORK, TUESDAY) == [here.id]
    assert await patients_to_evaluate(clinic.system, HONOLULU, MONDAY) == [there.id]


@pytest.mark.parametrize("language", ["en", "es"])
async def test_a_nudge_gives_nothing_away_on_a_locked_screen(clinic: Clinic, language: str) -> None:
    patient = await clinic.new_patient(language=language)
    await clinic.new_program(patient.id, starts_on=TUESDAY)
    await evaluate_day(clinic.therapist, patient.id)
    (nudge,) = await outbox(clinic, patient.id)
    assert nudge.language == language
    words = f"{nudge.title} {nudge.body}".lower()
    for forbidden in (*HEALTH_WORDS[language], "ada", "muñoz", "loc_main"):
        assert forbidden not in words


# --- by the clock ------------------------------------------------------------------------------------------


async def test_in_the_morning_yesterday_is_evaluated_and_the_nudge_goes_out_at_its_time(
    clinic: Clinic, clock: Clock, work_off: WorkOff
) -> None:
    clock.now = dt.datetime(2026, 3, 4, 12, 0, tzinfo=dt.UTC)  # 7:00 in New York
    patient = await clinic.new_patient()
    await clinic.new_program(patient.id, starts_on=TUESDAY)
    device = await register_device(
        clinic.patient(patient.id), NewDevice(platform="web", name="Ada's phone", target="https://push/1")
    )
    morning = Slot(at=clock.now, zone=NEW_YORK, local_date=WEDNESDAY)
    for _ in range(2):
        await work_off(("engagement.evaluate_yesterday", morning))
    (queued,) = await outbox(clinic, patient.id)
    assert queued.state == "queued"
    assert queued.send_after == dt.datetime(2026, 3, 4, 14, 0, tzinfo=dt.UTC)

    await work_off(("engagement.empty_outbox", Slot(at=clock.now, zone="UTC", local_date=WEDNESDAY)))
    assert (await outbox(clinic, patient.id))[0].state == "queued"

    clock.forward(hours=2)
    for _ in range(2):
        await work_off(("engagement.empty_outbox", Slot(at=clock.now, zone="UTC", local_date=WEDNESDAY)))
    (sent,) = await outbox(clinic, patient.id)
    assert (sent.state, sent.sent_at) == ("sent", clock.now)
    (attempt,) = sent.attempts
    assert (attempt.adapter, attempt.outcome, attempt.device_id) == ("logged", "delivered", device.id)


async def test_without_a_device_a_nudge_is_undeliverable_and_says_so(
    clinic: Clinic, work_off: WorkOff
) -> None:
    patient = await clinic.new_patient()
    await clinic.new_program(patient.id, starts_on=TUESDAY)
    await evaluate_day(clinic.therapist, patient.id)  # at noon: it may go at once
    await work_off()
    page = await list_notifications(clinic.therapist, state="undeliverable", limit=10, cursor=None)
    (nudge,) = page.items
    assert nudge.sent_at is None
    assert [attempt.outcome for attempt in nudge.attempts] == ["no_device"]


@given(st.integers(0, 366 * 24 * 60), st.sampled_from([NEW_YORK, HONOLULU, "UTC"]))
def test_nothing_goes_out_in_the_quiet_hours_or_before_it_was_decided(minute: int, name: str) -> None:
    zone = ZoneInfo(name)
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=minute)
    planned = send_after(now, zone)
    assert planned >= now
    assert planned - now < dt.timedelta(days=1)
    assert not NUDGES.quiet_hours.include(planned.astimezone(zone).time())


# --- devices -----------------------------------------------------------------------------------------------


async def test_a_device_is_registered_once_and_its_address_is_not_readable(
    clinic: Clinic, raw: RawDatabase
) -> None:
    patient = clinic.patient((await clinic.new_patient()).id)
    first = await register_device(patient, NewDevice(platform="web", name="Phone", target="secret-token"))
    again = await register_device(patient, NewDevice(platform="web", name="My phone", target="secret-token"))
    assert first.id == again.id
    assert [device.name for device in await list_devices(patient)] == ["My phone"]
    assert "secret-token" not in str(await raw["devices"].find().to_list())


async def test_nobody_removes_anothers_device(clinic: Clinic) -> None:
    owner = clinic.patient((await clinic.new_patient()).id)
    other = clinic.patient((await clinic.new_patient()).id)
    device = await register_device(owner, NewDevice(platform="ios", name="Phone", target="token"))
    with pytest.raises(NotFound):
        await remove_device(other, device.id)
    await remove_device(owner, device.id)
    assert await list_devices(owner) == []


async def test_a_patients_record_moves_with_them_in_every_room(
    clinic: Clinic, raw: RawDatabase, work_off: WorkOff
) -> None:
    patient = await clinic.new_patient()
    program = await clinic.new_program(patient.id, daily(), starts_on=TUESDAY)
    await report(clinic, program)
    await evaluate_day(clinic.therapist, patient.id)
    await work_off()
    await change_patient(
        clinic.therapist, patient.id, PatientChanges(location_id=clinic.second), expected_version=None
    )
    await work_off()
    for collection in (
        "patients",
        "episodes",
        "programs",
        "exercise_sessions",
        "notifications",
        "compliance_scores",
    ):
        places = await raw[collection].distinct("location_id", {"patient_id": patient.id})
        assert places == [clinic.second], collection
    bound = clinic.staff(at=clinic.main)
    assert await notifications.find(bound, {"patient_id": patient.id}) == []
