"""Programs and evidence of made-up patients, for the tests of compliance."""

import datetime as dt

from hypothesis import strategies as st

from care.evidence import Evidence, Grade
from care.local_time import WEEKDAYS, Weekday
from care.prescriptions import Prescription
from care.program_versions import ProgramVersion, succeeded_by
from engagement.compliance import ProgramCompliance, Work, program_compliance

MONDAY = dt.date(2026, 3, 2)
SUNDAY = MONDAY + dt.timedelta(days=6)
NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


def prescription(
    *,
    id: str = "rx_1",  # noqa: A002 - the field's name
    sets: int = 3,
    repetitions: int = 10,
    hold_s: float = 0,
    days: tuple[Weekday, ...] | None = None,
    per_week: int | None = None,
) -> Prescription:
    return Prescription(
        id=id,
        exercise_id="sit_to_stand",
        sets=sets,
        repetitions=repetitions,
        hold_s=hold_s,
        days_of_week=days,
        days_per_week=per_week,
    )


def version(
    *prescriptions: Prescription, number: int = 1, start: dt.date = MONDAY, end: dt.date | None = None
) -> ProgramVersion:
    return ProgramVersion(
        number=number,
        title="Knee",
        valid_from=start,
        valid_to=end,
        prescriptions=prescriptions,
        prescribed_by="stf_1",
        prescribed_at=NOON,
    )


def work(
    date: dt.date,
    repetitions: int,
    grade: Grade = "video",
    *,
    rx: str = "rx_1",
    hold_s: float | None = None,
    source: str | None = None,
) -> Work:
    piece = Evidence(
        grade=grade,
        source_id=source or f"{grade}-{rx}-{date}-{repetitions}",
        at=NOON,
        repetitions=repetitions,
        hold_s=hold_s,
    )
    return Work(session_id=f"ses-{piece.source_id}", prescription_id=rx, date=date, evidence=(piece,))


def compliance(
    versions: list[ProgramVersion] | tuple[ProgramVersion, ...],
    done: list[Work],
    *,
    start: dt.date = MONDAY,
    through: dt.date = SUNDAY,
) -> ProgramCompliance:
    return program_compliance("prg_1", versions, done, starts_on=start, through=through)


grades: st.SearchStrategy[Grade] = st.sampled_from(["video", "clinician_observed", "wearable", "self_report"])
period_days = st.integers(0, 20)


@st.composite
def prescriptions(draw: st.DrawFn, id: str) -> Prescription:  # noqa: A002 - the field's name
    named = draw(st.booleans())
    days = draw(st.lists(st.sampled_from(WEEKDAYS), min_size=1, unique=True))
    return prescription(
        id=id,
        sets=draw(st.integers(1, 4)),
        repetitions=draw(st.integers(1, 12)),
        hold_s=draw(st.sampled_from([0.0, 5.0])),
        days=tuple(days) if named else None,
        per_week=None if named else draw(st.integers(1, 7)),
    )


@st.composite
def programs(draw: st.DrawFn) -> list[ProgramVersion]:
    versions: tuple[ProgramVersion, ...] = (
        version(draw(prescriptions("rx_1")), draw(prescriptions("rx_2"))),
    )
    if draw(st.booleans()):
        start = MONDAY + dt.timedelta(days=draw(st.integers(0, 15)))
        versions = succeeded_by(versions, version(draw(prescriptions("rx_1")), number=2, start=start))
    return list(versions)


works = st.builds(
    work,
    period_days.map(lambda day: MONDAY + dt.timedelta(days=day)),
    st.integers(0, 50),
    grades,
    rx=st.sampled_from(["rx_1", "rx_2"]),
    hold_s=st.sampled_from([None, 0.0, 2.0, 5.0, 9.0]),
    source=st.sampled_from(["a", "b", "c", "d", "e"]),
)
