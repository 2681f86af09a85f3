"""The compliance formula: credited doses over prescribed doses, for a day, a week or a program.

    credit of a dose = Σ over its prescribed repetitions of the weight of the best evidence for each
                       ─────────────────────────────────────────────────────────────────────────
                                            prescribed repetitions

    compliance of a period = Σ credit of its doses / number of doses prescribed in it

docs/compliance.md explains each step with an example. Pure: dates are patient-local, ratios are from 0 to 1
and rounded to four places, and doing more never lowers a ratio. None means that nothing was prescribed.
Compliance says how much was done, not that it helped.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Literal

from msgspec import Meta, Struct

from care.evidence import Evidence, Grade, attested, done
from care.local_time import DAYS_IN_WEEK, dates, week_start
from care.prescriptions import Prescription
from care.program_versions import ProgramVersion, version_on
from engagement.compliance_rules import RULES, ComplianceRules

Score = Annotated[float, Meta(ge=0, le=1, examples=[0.8])]
DayKind = Literal["scheduled", "chosen", "rest", "outside"]


@dataclass(frozen=True, slots=True)
class Work:
    """Evidence of one exercise session, as the formula needs it."""

    session_id: str
    prescription_id: str
    date: dt.date
    evidence: tuple[Evidence, ...]


class GradePart(Struct, frozen=True, kw_only=True):
    """The repetitions of a dose that count at one grade: those that no better evidence attests."""

    grade: Grade
    weight: Score
    repetitions: float


class Dose(Struct, frozen=True, kw_only=True):
    """One prescription on one day. `completed` is the share done, `credit` the same weighted by evidence."""

    prescription_id: str
    exercise_id: str
    version: int
    date: dt.date
    due: bool
    """Whether the calendar asked for it on this very day."""
    prescribed_repetitions: int
    prescribed_hold_s: float
    completed: Score
    credit: Score
    grades: list[GradePart]
    session_ids: list[str]


class DayCompliance(Struct, frozen=True, kw_only=True):
    """One day. `scheduled`: the calendar asked for doses; `chosen`: the patient chose it for exercising;

    `rest`: nothing was asked or done; `outside`: the program was not in force.
    """

    date: dt.date
    kind: DayKind
    score: Score | None
    completion: Score | None
    prescribed_doses: int
    credited_doses: float
    doses: list[Dose]


class WeekPart(Struct, frozen=True, kw_only=True):
    """One prescription in one week: the best doses count, at most as many as were prescribed."""

    prescription_id: str
    exercise_id: str
    prescribed_doses: int
    credited_doses: float
    completed_doses: float
    counted_dates: list[dt.date]
    session_ids: list[str]


class WeekCompliance(Struct, frozen=True, kw_only=True):
    """One week, Monday to Sunday, as far as it lies in the period asked for."""

    starts_on: dt.date
    through: dt.date
    score: Score | None
    completion: Score | None
    prescribed_doses: int
    credited_doses: float
    completed_doses: float
    parts: list[WeekPart]
    days: list[DayCompliance]


class ProgramCompliance(Struct, frozen=True, kw_only=True):
    """A program over a period. `score` weighs the evidence, `completion` does not.

    `keeps_up` says whether the score reaches `threshold`; None while nothing was prescribed.
    """

    program_id: str
    formula: str
    starts_on: dt.date
    through: dt.date
    score: Score | None
    completion: Score | None
    keeps_up: bool | None
    threshold: Score
    prescribed_doses: int
    credited_doses: float
    completed_doses: float
    weeks: list[WeekCompliance]


@dataclass(frozen=True, slots=True)
class ExactDose:
    """A dose before rounding."""

    prescription: Prescription
    version: int
    date: dt.date
    completed: Fraction
    credit: Fraction
    by_grade: tuple[tuple[Grade, Fraction], ...]
    session_ids: tuple[str, ...]


def program_compliance(
    program_id: str,
    versions: Sequence[ProgramVersion],
    work: Iterable[Work],
    *,
    starts_on: dt.date,
    through: dt.date,
    rules: ComplianceRules = RULES,
) -> ProgramCompliance:
    """The program's compliance from the week of `starts_on` through the date `through`, both inclusive."""
    table = doses(versions, work, first=week_start(starts_on), last=through, rules=rules)
    weeks = [
        _week(monday, table, through, rules)
        for monday in dates(week_start(starts_on), through)
        if monday.weekday() == 0
    ]
    exact = [_week_totals(table, week.starts_on, through) for week in weeks]
    prescribed = sum(totals.prescribed for totals in exact)
    credited = sum((totals.credited for totals in exact), Fraction(0))
    completed = sum((totals.completed for totals in exact), Fraction(0))
    return ProgramCompliance(
        program_id=program_id,
        formula=rules.formula,
        starts_on=week_start(starts_on),
        through=through,
        score=ratio(credited, prescribed),
        completion=ratio(completed, prescribed),
        keeps_up=None if prescribed == 0 else credited >= rules.threshold_ratio * prescribed,
        threshold=float(rules.threshold_ratio),
        prescribed_doses=prescribed,
        credited_doses=rounded(credited),
        completed_doses=rounded(completed),
        weeks=weeks,
    )


def doses(
    versions: Sequence[ProgramVersion],
    work: Iterable[Work],
    *,
    first: dt.date,
    last: dt.date,
    rules: ComplianceRules = RULES,
) -> list[ExactDose]:
    """Every prescription on every day it was in force, done or not, in the order of dates."""
    pieces: dict[tuple[str, dt.date], list[Work]] = {}
    for each in work:
        pieces.setdefault((each.prescription_id, each.date), []).append(each)
    weights = rules.weights()
    return [
        _dose(prescription, version.number, date, pieces.get((prescription.id, date), []), weights)
        for date in dates(first, last)
        if (version := version_on(versions, date)) is not None
        for prescription in version.prescriptions
    ]


def prescribed_doses(of_one: Iterable[ExactDose]) -> tuple[int, Fraction]:
    """Doses of one prescription that the given days of one week ask for: those on named days, and the even

    share of those whose day the patient chooses (n sevenths of a dose for each day).
    """
    named, share = 0, Fraction(0)
    for dose in of_one:
        if dose.prescription.names_its_days:
            named += dose.prescription.due_on(dose.date)
        else:
            share += Fraction(dose.prescription.days_per_week or 0, DAYS_IN_WEEK)
    return named, share


def by_prescription(table: Iterable[ExactDose]) -> dict[str, list[ExactDose]]:
    groups: dict[str, list[ExactDose]] = {}
    for dose in table:
        groups.setdefault(dose.prescription.id, []).append(dose)
    return groups


def ratio(credited: Fraction, prescribed: int) -> float | None:
    return None if prescribed == 0 else rounded(credited / prescribed)


def rounded(value: Fraction) -> float:
    return round(float(value), 4)


# --- below the surface --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Totals:
    prescribed: int
    credited: Fraction
    completed: Fraction
    counted: tuple[ExactDose, ...]


def _dose(
    prescription: Prescription,
    version: int,
    date: dt.date,
    work: Sequence[Work],
    weights: Mapping[Grade, Fraction],
) -> ExactDose:
    """Lay the grades over each other, best first: each repetition counts once, at its best evidence."""
    wanted = Fraction(prescription.dose_repetitions)
    totals = attested([piece for each in work for piece in each.evidence], prescription.hold_s)
    covered = Fraction(0)
    parts: list[tuple[Grade, Fraction]] = []
    for grade in sorted(totals, key=lambda grade: (-weights[grade], grade)):
        added = min(totals[grade], wanted) - covered
        if added > 0:
            parts.append((grade, added))
            covered += added
    credit = sum((weights[grade] * repetitions for grade, repetitions in parts), Fraction(0))
    return ExactDose(
        prescription=prescription,
        version=version,
        date=date,
        completed=min(done(totals), wanted) / wanted,
        credit=credit / wanted,
        by_grade=tuple(parts),
        session_ids=tuple(sorted({each.session_id for each in work if each.evidence})),
    )


def _week(
    monday: dt.date, table: Sequence[ExactDose], through: dt.date, rules: ComplianceRules
) -> WeekCompliance:
    sunday = min(monday + dt.timedelta(days=DAYS_IN_WEEK - 1), through)
    inside = [dose for dose in table if monday <= dose.date <= sunday]
    totals = _week_totals(table, monday, through)
    return WeekCompliance(
        starts_on=monday,
        through=sunday,
        score=ratio(totals.credited, totals.prescribed),
        completion=ratio(totals.completed, totals.prescribed),
        prescribed_doses=totals.prescribed,
        credited_doses=rounded(totals.credited),
        completed_doses=rounded(totals.completed),
        parts=[_week_part(group) for group in by_prescription(inside).values()],
        days=[
            _day(date, [dose for dose in inside if dose.date == date], rules)
            for date in dates(monday, sunday)
        ],
    )


def _week_totals(table: Iterable[ExactDose], monday: dt.date, through: dt.date) -> _Totals:
    sunday = min(monday + dt.timedelta(days=DAYS_IN_WEEK - 1), through)
    groups = by_prescription(dose for dose in table if monday <= dose.date <= sunday)
    parts = [_part_totals(group) for group in groups.values()]
    return _Totals(
        prescribed=sum(part.prescribed for part in parts),
        credited=sum((part.credited for part in parts), Fraction(0)),
        completed=sum((part.completed for part in parts), Fraction(0)),
        counted=tuple(dose for part in parts for dose in part.counted),
    )


def _part_totals(of_one: Sequence[ExactDose]) -> _Totals:
    """The best doses of a week count, at most as many as were prescribed: a dose can be made up for."""
    named, share = prescribed_doses(of_one)
    prescribed = named + -(-share.numerator // share.denominator)
    best = sorted(of_one, key=lambda dose: (-dose.credit, dose.date))[:prescribed]
    most_complete = sorted((dose.completed for dose in of_one), reverse=True)[:prescribed]
    return _Totals(
        prescribed=prescribed,
        credited=sum((dose.credit for dose in best), Fraction(0)),
        completed=sum(most_complete, Fraction(0)),
        counted=tuple(sorted((dose for dose in best if dose.credit > 0), key=lambda dose: dose.date)),
    )


def _week_part(of_one: Sequence[ExactDose]) -> WeekPart:
    totals = _part_totals(of_one)
    prescription = of_one[-1].prescription
    return WeekPart(
        prescription_id=prescription.id,
        exercise_id=prescription.exercise_id,
        prescribed_doses=totals.prescribed,
        credited_doses=rounded(totals.credited),
        completed_doses=rounded(totals.completed),
        counted_dates=[dose.date for dose in totals.counted],
        session_ids=sorted({session for dose in totals.counted for session in dose.session_ids}),
    )


def _day(date: dt.date, of_day: Sequence[ExactDose], rules: ComplianceRules) -> DayCompliance:
    scheduled = [dose for dose in of_day if dose.prescription.due_on(date)]
    kind: DayKind = "outside" if not of_day else "rest"
    counted: Sequence[ExactDose] = ()
    if scheduled:
        kind, counted = "scheduled", scheduled
    elif any(dose.credit for dose in of_day):
        # No dose was fixed to this day and the patient exercised: what could be chosen for it is what counts.
        chosen = [dose for dose in of_day if not dose.prescription.names_its_days]
        kind, counted = ("chosen", chosen) if any(dose.credit for dose in chosen) else ("rest", ())
    credited = sum((dose.credit for dose in counted), Fraction(0))
    return DayCompliance(
        date=date,
        kind=kind,
        score=ratio(credited, len(counted)),
        completion=ratio(sum((dose.completed for dose in counted), Fraction(0)), len(counted)),
        prescribed_doses=len(counted),
        credited_doses=rounded(credited),
        doses=[_shown(dose, rules) for dose in of_day],
    )


def _shown(dose: ExactDose, rules: ComplianceRules) -> Dose:
    weights = rules.weights()
    return Dose(
        prescription_id=dose.prescription.id,
        exercise_id=dose.prescription.exercise_id,
        version=dose.version,
        date=dose.date,
        due=dose.prescription.due_on(dose.date),
        prescribed_repetitions=dose.prescription.dose_repetitions,
        prescribed_hold_s=dose.prescription.hold_s,
        completed=rounded(dose.completed),
        credit=rounded(dose.credit),
        grades=[
            GradePart(grade=grade, weight=float(weights[grade]), repetitions=rounded(repetitions))
            for grade, repetitions in dose.by_grade
        ],
        session_ids=list(dose.session_ids),
    )
