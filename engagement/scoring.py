"""Compliance from the stored programs and sessions: read it, and keep it up to date.

What a person reads is always computed from the evidence as it stands. The stored scores are the record that
other rooms build on, with an event whenever one of them changes.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct, field

from care.documents import patients, programs
from care.local_time import local_date, week_start
from care.locations import zone_of
from care.programs import StoredProgram, programs_between
from care.todays_plan import SessionOnDate, sessions_between
from core.access import Access, Transaction
from core.errors import FieldFault, Invalid
from engagement.compliance import ProgramCompliance, Score, WeekCompliance, Work, program_compliance
from engagement.compliance_rules import RULES
from engagement.documents import ComplianceScore, Period, compliance_scores
from engagement.events import ComplianceScored

DEFAULT_PERIOD = dt.timedelta(weeks=8)
LONGEST_PERIOD = dt.timedelta(days=366)
FURTHEST_DAY = dt.timedelta(days=10 * 366)
ONE_DAY = dt.timedelta(days=1)


class PatientCompliance(Struct, kw_only=True):
    """A patient's compliance, over all programs and for each.

    `from` is the Monday of the first week. Without a date to end at, `to` is yesterday, or today once
    something was done today: a day that has only begun is not held against anyone.
    """

    patient_id: str
    starts_on: dt.date = field(name="from")
    through: dt.date = field(name="to")
    time_zone: str
    formula: str
    threshold: Score
    score: Score | None
    completion: Score | None
    keeps_up: bool | None
    prescribed_doses: int
    credited_doses: float
    completed_doses: float
    programs: list[ProgramCompliance]


class _Patient(Struct):
    id: str
    location_id: str


async def compliance_of_patient(
    access: Access, patient_id: str, *, starts_on: dt.date | None = None, through: dt.date | None = None
) -> PatientCompliance:
    """Compliance in a period, by default the eight weeks up to the present.

    Raises:
        NotFound: the patient is out of reach.
        Invalid: the period ends before it begins, or is longer than a year.
    """
    patient = await patients.get(access, patient_id, view=_Patient)
    zone = await zone_of(access, patient.location_id)
    today = local_date(access.now(), zone)
    first = _first_day(starts_on, through or today, today)
    programs_then = await programs_between(access, patient_id, first, through or today)
    sessions = await sessions_between(access, [each.id for each in programs_then], first, through or today)
    last = through or _last_day(today, [each for found in sessions.values() for each in found])
    parts = [
        program_compliance(
            program.id, program.versions, work_of(sessions[program.id]), starts_on=first, through=last
        )
        for program in programs_then
    ]
    prescribed = sum(part.prescribed_doses for part in parts)
    credited = sum(part.credited_doses for part in parts)
    completed = sum(part.completed_doses for part in parts)
    score = round(credited / prescribed, 4) if prescribed else None
    threshold = float(RULES.threshold_ratio)
    return PatientCompliance(
        patient_id=patient_id,
        starts_on=first,
        through=last,
        time_zone=zone.key,
        formula=RULES.formula,
        threshold=threshold,
        score=score,
        completion=round(completed / prescribed, 4) if prescribed else None,
        keeps_up=None if score is None else score >= threshold,
        prescribed_doses=prescribed,
        credited_doses=round(credited, 4),
        completed_doses=round(completed, 4),
        programs=parts,
    )


async def compliance_of_program(access: Access, program_id: str) -> ProgramCompliance:
    """Compliance of a program from its first day up to the present; `NotFound` if it is out of reach."""
    program = await programs.get(access, program_id, view=StoredProgram)
    return await _present_compliance(access, program)


async def rescore(tx: Transaction, program_id: str, *, since: dt.date, day: dt.date | None = None) -> None:
    """Store the scores of the program, of its weeks from that of `since` on, and of `day`, as they stand.

    Publishes `ComplianceScored` if one of them changed.
    """
    program = await programs.get(tx, program_id, view=StoredProgram)
    result = await _present_compliance(tx, program)
    weeks = [week for week in result.weeks if week.starts_on >= week_start(since)]
    changed = [await _store(tx, program, _of_program(program, result))]
    changed += [await _store(tx, program, _of_week(week)) for week in weeks]
    days = [of_day for week in weeks for of_day in _of_days(week) if of_day["starts_on"] == day]
    changed += [await _store(tx, program, of_day) for of_day in days]
    if any(changed):
        await tx.publish(
            ComplianceScored(
                patient_id=program.patient_id,
                program_id=program_id,
                date=day or since,
                day_score=days[0]["score"] if days else None,
                week_score=weeks[0].score if weeks else None,
                program_score=result.score,
            )
        )


def work_of(sessions: Iterable[SessionOnDate]) -> list[Work]:
    return [
        Work(
            session_id=session.id,
            prescription_id=session.prescription_id,
            date=session.local_date,
            evidence=tuple(session.evidence),
        )
        for session in sessions
    ]


async def _present_compliance(access: Access, program: StoredProgram) -> ProgramCompliance:
    today = local_date(access.now(), await zone_of(access, program.location_id))
    found = (await sessions_between(access, [program.id], program.starts_on, today))[program.id]
    return program_compliance(
        program.id,
        program.versions,
        work_of(found),
        starts_on=program.starts_on,
        through=_last_day(today, found),
    )


def _last_day(today: dt.date, sessions: Sequence[SessionOnDate]) -> dt.date:
    """The last day to count: today once something was done today, else yesterday."""
    begun = any(session.local_date == today and session.evidence for session in sessions)
    return today if begun else today - ONE_DAY


def _first_day(starts_on: dt.date | None, last: dt.date, today: dt.date) -> dt.date:
    """The Monday on which the period begins; `Invalid` for a period that makes no sense."""
    if abs(last - today) > FURTHEST_DAY:
        fault = FieldFault("/to", "is too far from today")
    elif (first := starts_on or last - DEFAULT_PERIOD) > last:
        fault = FieldFault("/to", "is before from")
    elif last - first > LONGEST_PERIOD:
        fault = FieldFault("/from", "is more than a year before to")
    else:
        return week_start(first)
    raise Invalid("There is no compliance for this period.", [fault])


def _of_program(program: StoredProgram, result: ProgramCompliance) -> dict[str, Any]:
    sessions = {session for week in result.weeks for part in week.parts for session in part.session_ids}
    return {
        "period": "program",
        "starts_on": program.starts_on,
        "through": result.through,
        "score": result.score,
        "completion": result.completion,
        "prescribed_doses": result.prescribed_doses,
        "credited_doses": result.credited_doses,
        "session_ids": sorted(sessions),
    }


def _of_week(week: WeekCompliance) -> dict[str, Any]:
    return {
        "period": "week",
        "starts_on": week.starts_on,
        "through": week.through,
        "score": week.score,
        "completion": week.completion,
        "prescribed_doses": week.prescribed_doses,
        "credited_doses": week.credited_doses,
        "session_ids": sorted({session for part in week.parts for session in part.session_ids}),
    }


def _of_days(week: WeekCompliance) -> list[dict[str, Any]]:
    return [
        {
            "period": "day",
            "starts_on": day.date,
            "through": day.date,
            "score": day.score,
            "completion": day.completion,
            "prescribed_doses": day.prescribed_doses,
            "credited_doses": day.credited_doses,
            "session_ids": sorted({session for dose in day.doses for session in dose.session_ids}),
        }
        for day in week.days
    ]


async def _store(tx: Transaction, program: StoredProgram, scored: dict[str, Any]) -> bool:
    """Keep the score of one period. Returns whether that changed anything."""
    scored = {**scored, "formula": RULES.formula}
    period: Period = scored["period"]
    starts_on: dt.date = scored["starts_on"]
    score_id = f"{ComplianceScore.id_prefix}_{program.id}_{period}_{starts_on:%Y%m%d}"
    before = await compliance_scores.find_one(tx, {"_id": score_id})
    if before is None:
        document = ComplianceScore(
            id=score_id,
            organization_id=tx.organization_id,
            patient_id=program.patient_id,
            location_id=program.location_id,
            created_at=tx.now(),
            updated_at=tx.now(),
            program_id=program.id,
            **scored,
        )
        await compliance_scores.insert(tx, document)
        return True
    if all(getattr(before, name) == value for name, value in scored.items()):
        return False
    await compliance_scores.update(tx, score_id, scored)
    return True
