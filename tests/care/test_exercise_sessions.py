"""Recording exercise sessions, their evidence, and the patient's day."""

import datetime as dt

import pytest

from care.documents import SessionVideo, exercise_sessions
from care.evidence import Evidence
from care.exercise_videos import AnalyzedVideo, attach_video, record_analysis, subject_of_upload
from care.prescriptions import PrescriptionDraft
from care.programs import RevisedProgram, revise
from care.sessions import (
    DoneSets,
    EvidenceKind,
    NewSession,
    SessionChanges,
    SessionView,
    change_session,
    get_session,
    list_sessions,
    start_session,
)
from care.todays_plan import todays_plan
from core.access import Access, Transaction
from core.errors import Invalid, NotFound, Stale
from core.mongo import RawDatabase
from tests.clinic import HONOLULU, Clinic, Clock, daily

WEDNESDAY = dt.date(2026, 3, 4)


async def session_of(
    clinic: Clinic,
    access: Access,
    *,
    sets: int | None = None,
    performed_at: dt.datetime | None = None,
    draft: PrescriptionDraft | None = None,
) -> SessionView:
    """A session of a new program: reported with that many sets of five, or awaiting its video."""
    program = await clinic.new_program(access.actor.id, *([draft] if draft else []))
    new = NewSession(
        program_id=program.id,
        prescription_id=program.prescriptions[0].id,
        evidence="video" if sets is None else "self_report",
        self_report=None if sets is None else DoneSets(sets=sets, repetitions=5),
        performed_at=performed_at,
        pain_before=3,
        exertion_before=2,
    )
    return await start_session(access, new)


async def filmed(clinic: Clinic, session_id: str, upload_id: str, repetitions: int) -> None:
    """Let a video of the session be uploaded and analysed."""

    async def write(tx: Transaction) -> None:
        video = SessionVideo(upload_id=upload_id, object_id="obj_1", state="analyzing", job_id="job")
        await attach_video(tx, session_id, video)
        evidence = Evidence(
            grade="video", source_id=upload_id, at=tx.now(), repetitions=repetitions, algorithm="pose/1.0.0"
        )
        await record_analysis(
            tx, session_id, AnalyzedVideo(upload_id=upload_id, analysis_id="ana_1", evidence=evidence)
        )

    await clinic.system.transact(write)


async def test_a_report_is_kept_with_its_place_in_the_patients_calendar(clinic: Clinic) -> None:
    patient = clinic.patient((await clinic.new_patient()).id)
    session = await session_of(clinic, patient, sets=2)
    assert session == await get_session(patient, session.id)
    assert (session.local_date, session.utc_offset_min) == (WEDNESDAY, -300)
    assert (session.pain_before, session.exertion_before, session.pain_after) == (3, 2, None)
    (evidence,) = session.evidence
    assert (evidence.grade, evidence.sets, evidence.repetitions) == ("self_report", 2, 10)
    page = await list_sessions(patient, patient.actor.id, limit=10, cursor=None)
    assert page.items == [session]


@pytest.mark.parametrize(
    ("instant", "date", "offset"),
    [
        # In New York the clocks went forward on 8 March 2026 at 2:00 and go back on 1 November.
        ("2026-03-08T04:30:00Z", dt.date(2026, 3, 7), -300),
        ("2026-03-08T06:59:00Z", dt.date(2026, 3, 8), -300),
        ("2026-03-08T07:01:00Z", dt.date(2026, 3, 8), -240),
        ("2026-03-09T03:59:00Z", dt.date(2026, 3, 8), -240),
        ("2026-03-09T04:00:00Z", dt.date(2026, 3, 9), -240),
    ],
)
async def test_around_the_change_of_clocks_a_session_falls_on_the_date_the_patient_sees(
    clinic: Clinic, clock: Clock, instant: str, date: dt.date, offset: int
) -> None:
    clock.now = dt.datetime(2026, 3, 10, tzinfo=dt.UTC)
    patient = clinic.patient((await clinic.new_patient()).id)
    session = await session_of(clinic, patient, sets=1, performed_at=dt.datetime.fromisoformat(instant))
    assert (session.local_date, session.utc_offset_min) == (date, offset)


async def test_the_place_of_treatment_decides_the_date(clinic: Clinic, clock: Clock) -> None:
    clock.now = dt.datetime(2026, 3, 5, 8, 0, tzinfo=dt.UTC)
    patient = clinic.patient((await clinic.new_patient(at=clinic.second)).id)
    session = await session_of(clinic, patient, sets=1)
    assert (session.local_date, session.time_zone) == (WEDNESDAY, HONOLULU)


async def test_sessions_are_paged_from_the_latest_to_the_first(clinic: Clinic) -> None:
    patient = clinic.patient((await clinic.new_patient()).id)
    instants = [dt.datetime(2026, 3, 3, hour, tzinfo=dt.UTC) for hour in (9, 9, 11, 10, 9)]
    for instant in instants:
        await session_of(clinic, patient, sets=1, performed_at=instant)
    seen: list[dt.datetime] = []
    cursor: str | None = None
    while not seen or cursor is not None:
        page = await list_sessions(patient, patient.actor.id, limit=2, cursor=cursor)
        seen += [session.performed_at for session in page.items]
        cursor = page.next_cursor
    assert seen == sorted(instants, reverse=True)


@pytest.mark.parametrize(
    ("performed_at", "pointer"),
    [
        (dt.datetime(2026, 3, 4, 17, 6, tzinfo=dt.UTC), "/performed_at"),
        (dt.datetime(2026, 2, 18, 16, 0, tzinfo=dt.UTC), "/performed_at"),
        (dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC), "/performed_at"),
        (dt.datetime(2026, 3, 4, 12, 0), "/performed_at"),  # noqa: DTZ001 - that is what is refused
    ],
    ids=["future", "too long ago", "before the program", "without offset"],
)
async def test_a_time_that_cannot_be_right_is_refused(
    clinic: Clinic, performed_at: dt.datetime, pointer: str
) -> None:
    patient = clinic.patient((await clinic.new_patient()).id)
    with pytest.raises(Invalid) as refused:
        await session_of(clinic, patient, sets=1, performed_at=performed_at)
    assert [fault.pointer for fault in refused.value.faults] == [pointer]
    assert await exercise_sessions.count(clinic.system, {}) == 0


async def test_evidence_must_fit_what_is_said(clinic: Clinic) -> None:
    patient = clinic.patient((await clinic.new_patient()).id)
    program = await clinic.new_program(patient.actor.id)
    done = DoneSets(sets=1, repetitions=5)

    def new_session(evidence: EvidenceKind, *, observed: DoneSets | None = None) -> NewSession:
        return NewSession(
            program_id=program.id,
            prescription_id=program.prescriptions[0].id,
            evidence=evidence,
            observed=observed,
        )

    wrong = {
        "/self_report": new_session("self_report"),
        "/observed": new_session("video", observed=done),
        "/evidence": new_session("clinician_observed", observed=done),
    }
    for pointer, new in wrong.items():
        with pytest.raises(Invalid) as refused:
            await start_session(patient, new)
        assert [fault.pointer for fault in refused.value.faults] == [pointer]
    observed = new_session("clinician_observed", observed=done)
    assert (await start_session(clinic.therapist, observed)).evidence[0].grade == "clinician_observed"


async def test_an_exercise_that_is_not_prescribed_cannot_be_recorded(clinic: Clinic) -> None:
    patient = clinic.patient((await clinic.new_patient()).id)
    program = await clinic.new_program(patient.actor.id)
    new = NewSession(program_id=program.id, prescription_id="rx_other", evidence="video")
    with pytest.raises(Invalid) as refused:
        await start_session(patient, new)
    assert [fault.pointer for fault in refused.value.faults] == ["/prescription_id"]


async def test_another_patients_program_cannot_be_recorded_for(clinic: Clinic) -> None:
    patient, other = await clinic.new_patient(), await clinic.new_patient()
    program = await clinic.new_program(patient.id)
    new = NewSession(program_id=program.id, prescription_id=program.prescriptions[0].id, evidence="video")
    with pytest.raises(NotFound):
        await start_session(clinic.patient(other.id), new)


async def test_how_it_felt_is_added_afterwards(clinic: Clinic, raw: RawDatabase) -> None:
    patient = clinic.patient((await clinic.new_patient()).id)
    session = await session_of(clinic, patient, sets=1)
    changes = SessionChanges(pain_after=5, exertion_after=4, notes="My neighbour Joe helped.")
    changed = await change_session(patient, session.id, changes, expected_version=session.version)
    assert (changed.pain_before, changed.pain_after, changed.exertion_after) == (3, 5, 4)
    assert changed.notes == "My neighbour Joe helped."
    assert "Joe" not in str(await raw["exercise_sessions"].find().to_list())
    with pytest.raises(Stale):
        await change_session(patient, session.id, changes, expected_version=session.version)


async def test_a_corrected_report_replaces_the_first_one(clinic: Clinic) -> None:
    patient = clinic.patient((await clinic.new_patient()).id)
    session = await session_of(clinic, patient, sets=1)
    corrected = SessionChanges(self_report=DoneSets(sets=3, repetitions=5))
    changed = await change_session(patient, session.id, corrected, expected_version=None)
    assert [piece.repetitions for piece in changed.evidence] == [15]


async def test_a_video_adds_evidence_once_however_often_its_analysis_is_reported(clinic: Clinic) -> None:
    patient = clinic.patient((await clinic.new_patient()).id)
    session = await session_of(clinic, patient)
    await filmed(clinic, session.id, "upl_1", repetitions=5)
    await filmed(clinic, session.id, "upl_1", repetitions=5)
    await filmed(clinic, session.id, "upl_2", repetitions=4)
    found = await get_session(patient, session.id)
    assert [(video.upload_id, video.state) for video in found.videos] == [
        ("upl_1", "analyzed"),
        ("upl_2", "analyzed"),
    ]
    assert sorted(piece.repetitions for piece in found.evidence) == [4, 5]


async def test_an_unreadable_video_leaves_its_reason_and_no_evidence(clinic: Clinic) -> None:
    patient = clinic.patient((await clinic.new_patient()).id)
    session = await session_of(clinic, patient)

    async def write(tx: Transaction) -> None:
        video = SessionVideo(upload_id="upl_1", object_id="obj_1", state="analyzing", job_id="job")
        await attach_video(tx, session.id, video)
        outcome = AnalyzedVideo(
            upload_id="upl_1", analysis_id="ana_1", reason_code="too_dark", reason="It is too dark."
        )
        await record_analysis(tx, session.id, outcome)

    await clinic.system.transact(write)
    found = await get_session(patient, session.id)
    assert [(video.state, video.reason_code) for video in found.videos] == [("unreadable", "too_dark")]
    assert found.evidence == []


async def test_an_upload_belongs_to_the_patient_of_its_session(clinic: Clinic) -> None:
    patient = clinic.patient((await clinic.new_patient()).id)
    other = clinic.patient((await clinic.new_patient()).id)
    session = await session_of(clinic, patient)
    metadata = {"exercise_session_id": session.id}
    subject = await subject_of_upload(patient, metadata)
    assert (subject.patient_id, subject.location_id) == (patient.actor.id, clinic.main)
    with pytest.raises(NotFound):
        await subject_of_upload(other, metadata)
    with pytest.raises(Invalid):
        await subject_of_upload(patient, {})


async def test_the_day_shows_what_is_prescribed_and_what_is_done(clinic: Clinic) -> None:
    patient = clinic.patient((await clinic.new_patient(language="es")).id)
    session = await session_of(clinic, patient, sets=1, draft=daily(sets=3, repetitions=5))
    await filmed(clinic, session.id, "upl_1", repetitions=5)
    today = await todays_plan(patient, patient.actor.id)
    assert (today.date, today.time_zone) == (WEDNESDAY, "America/New_York")
    (planned,) = today.prescriptions
    assert planned.exercise_name == "Sentarse y levantarse"
    assert (planned.due, planned.complete) == ("today", False)
    assert (planned.prescribed.sets, planned.prescribed.repetitions) == (3, 15)
    assert (planned.done.sets, planned.done.repetitions) == (1, 5)
    assert planned.session_ids == [session.id]


async def test_who_chooses_the_days_is_done_for_the_week_once_they_are_enough(clinic: Clinic) -> None:
    patient = clinic.patient((await clinic.new_patient()).id)
    twice = PrescriptionDraft(exercise_id="squat", sets=1, repetitions=5, days_per_week=2)
    program = await clinic.new_program(patient.actor.id, twice)
    expected = ["this_week", "this_week", "not_today"]
    for day, due in enumerate(expected):
        date = dt.date(2026, 3, 2) + dt.timedelta(days=day)
        (planned,) = (await todays_plan(patient, patient.actor.id, date=date)).prescriptions
        assert (planned.due, planned.days_done_this_week) == (due, day)
        new = NewSession(
            program_id=program.id,
            prescription_id=program.prescriptions[0].id,
            evidence="self_report",
            self_report=DoneSets(sets=1, repetitions=5),
            performed_at=dt.datetime.combine(date, dt.time(15), tzinfo=dt.UTC),
        )
        await start_session(patient, new)


async def test_a_day_off_and_a_day_after_the_end_ask_for_nothing(clinic: Clinic) -> None:
    patient = clinic.patient((await clinic.new_patient()).id)
    mondays = PrescriptionDraft(exercise_id="squat", sets=1, repetitions=5, days_of_week=["monday"])
    await clinic.new_program(patient.actor.id, mondays, ends_on=dt.date(2026, 3, 6))
    (planned,) = (await todays_plan(patient, patient.actor.id)).prescriptions
    assert planned.due == "not_today"
    after = await todays_plan(patient, patient.actor.id, date=dt.date(2026, 3, 7))
    assert after.prescriptions == []


async def test_the_day_follows_a_revision(clinic: Clinic) -> None:
    patient = clinic.patient((await clinic.new_patient()).id)
    program = await clinic.new_program(patient.actor.id, daily(repetitions=5))
    harder = RevisedProgram(title="Stronger", prescriptions=[daily(repetitions=8)])
    await revise(clinic.therapist, program.id, harder, expected_version=1)
    (today,) = (await todays_plan(patient, patient.actor.id)).prescriptions
    yesterday = await todays_plan(patient, patient.actor.id, date=WEDNESDAY - dt.timedelta(days=1))
    assert today.prescribed.repetitions == 8
    assert yesterday.prescriptions[0].prescribed.repetitions == 5
