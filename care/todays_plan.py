"""The patient's day: what is prescribed for it, and how much of that is done."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from care.documents import exercise_sessions, patients
from care.evidence import Evidence, attested, done
from care.exercises import Language, load_library
from care.local_time import local_date, week_start
from care.locations import zone_of
from care.prescriptions import Prescription, Side
from care.program_versions import version_on
from care.programs import StoredProgram, programs_between
from core.access import Access

Due = Literal["today", "this_week", "not_today"]


class Amount(Struct, frozen=True, kw_only=True):
    """So many sets and repetitions (all sets together), each held for `hold_s` seconds."""

    sets: int
    repetitions: int
    hold_s: float


class PlannedExercise(Struct, frozen=True, kw_only=True):
    """One prescription on one day. `this_week`: the patient chooses the day, and some are still to come."""

    program_id: str
    prescription_id: str
    exercise_id: str
    exercise_name: str
    side: Side
    due: Due
    prescribed: Amount
    done: Amount
    complete: bool
    days_done_this_week: int
    days_per_week: int
    target_rom_deg: float | None
    notes: str | None
    session_ids: list[str]


class Today(Struct, frozen=True, kw_only=True):
    """A patient's day, by the clock of the place where they are treated."""

    patient_id: str
    date: dt.date
    time_zone: str
    prescriptions: list[PlannedExercise]


class SessionOnDate(Struct, kw_only=True):
    """What a session contributes to its day."""

    id: str
    program_id: str
    prescription_id: str
    local_date: dt.date
    evidence: list[Evidence]


class _Patient(Struct):
    id: str
    location_id: str
    language: Language


async def todays_plan(access: Access, patient_id: str, *, date: dt.date | None = None) -> Today:
    """The patient's plan for today, or for another date."""
    patient = await patients.get(access, patient_id, view=_Patient)
    zone = await zone_of(access, patient.location_id)
    day = date or local_date(access.now(), zone)
    programs = await programs_between(access, patient_id, week_start(day), day)
    sessions = await sessions_between(access, [program.id for program in programs], week_start(day), day)
    planned = [
        exercise
        for program in programs
        for exercise in _planned(program, day, sessions.get(program.id, []), patient.language)
    ]
    return Today(patient_id=patient_id, date=day, time_zone=zone.key, prescriptions=planned)


async def sessions_between(
    access: Access, program_ids: Sequence[str], first: dt.date, last: dt.date
) -> dict[str, list[SessionOnDate]]:
    """The sessions of each program on the patient-local dates from `first` through `last`."""
    by_program: dict[str, list[SessionOnDate]] = {}
    for program_id in program_ids:
        query = {
            "program_id": program_id,
            "local_date": {"$gte": first.isoformat(), "$lte": last.isoformat()},
        }
        by_program[program_id] = await exercise_sessions.find(
            access, query, view=SessionOnDate, limit=_MOST_SESSIONS
        )
    return by_program


_MOST_SESSIONS = 20_000
"""Of one program: twenty prescriptions twice a day for more than a year."""


def _planned(
    program: StoredProgram, day: dt.date, sessions: Iterable[SessionOnDate], language: Language
) -> Iterable[PlannedExercise]:
    version = version_on(program.versions, day)
    if version is None:
        return
    library = load_library()
    pieces: dict[tuple[str, dt.date], list[SessionOnDate]] = {}
    for session in sessions:
        if session.evidence:
            pieces.setdefault((session.prescription_id, session.local_date), []).append(session)
    for prescription in version.prescriptions:
        days = {date: found for (rx, date), found in pieces.items() if rx == prescription.id}
        yield _planned_exercise(
            program.id, prescription, day, days, library.get(prescription.exercise_id).names.into(language)
        )


def _planned_exercise(
    program_id: str,
    prescription: Prescription,
    day: dt.date,
    days: Mapping[dt.date, Sequence[SessionOnDate]],
    name: str,
) -> PlannedExercise:
    todays = days.get(day, [])
    repetitions = int(_repetitions(prescription, todays))
    days_done = sum(
        _repetitions(prescription, found) >= prescription.dose_repetitions for found in days.values()
    )
    wanted = len(prescription.days_of_week or ()) or prescription.days_per_week or 0
    return PlannedExercise(
        program_id=program_id,
        prescription_id=prescription.id,
        exercise_id=prescription.exercise_id,
        exercise_name=name,
        side=prescription.side,
        due=_due(prescription, day, days_done, wanted),
        prescribed=Amount(
            sets=prescription.sets, repetitions=prescription.dose_repetitions, hold_s=prescription.hold_s
        ),
        done=Amount(
            sets=min(prescription.sets, repetitions // prescription.repetitions),
            repetitions=repetitions,
            hold_s=prescription.hold_s,
        ),
        complete=repetitions >= prescription.dose_repetitions,
        days_done_this_week=days_done,
        days_per_week=wanted,
        target_rom_deg=prescription.target_rom_deg,
        notes=prescription.notes,
        session_ids=[session.id for session in todays],
    )


def _repetitions(prescription: Prescription, sessions: Sequence[SessionOnDate]) -> float:
    pieces = [piece for session in sessions for piece in session.evidence]
    return float(done(attested(pieces, prescription.hold_s)))


def _due(prescription: Prescription, day: dt.date, days_done: int, wanted: int) -> Due:
    if prescription.names_its_days:
        return "today" if prescription.due_on(day) else "not_today"
    return "this_week" if days_done < wanted else "not_today"
