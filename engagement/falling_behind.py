"""When a program falls behind: yesterday left something undone, and the week so far is below the threshold.

Pure. Where the patient chooses the days, doses fall due at an even pace, rounded down: three a week are one
due by Wednesday, two by Friday, three by Sunday. So nobody is reminded of a day they were free to rest.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from fractions import Fraction

from msgspec import Struct

from care.local_time import week_start
from care.program_versions import ProgramVersion
from engagement.compliance import (
    ExactDose,
    Score,
    Work,
    by_prescription,
    doses,
    prescribed_doses,
    ratio,
    rounded,
)
from engagement.compliance_rules import RULES, ComplianceRules


class Standing(Struct, frozen=True, kw_only=True):
    """How a program stands at the end of `date`: doses due in the week by then, and what was done of them."""

    program_id: str
    date: dt.date
    behind: bool
    score: Score | None
    due_doses: int
    credited_doses: float
    missed_prescription_ids: list[str]


def standing(
    program_id: str,
    versions: Sequence[ProgramVersion],
    work: Iterable[Work],
    date: dt.date,
    *,
    rules: ComplianceRules = RULES,
) -> Standing:
    """How the program stands at the end of the patient-local `date`, which should be over."""
    table = doses(versions, work, first=week_start(date), last=date, rules=rules)
    due, credited, missed = 0, Fraction(0), list[str]()
    for prescription_id, of_one in by_prescription(table).items():
        named, share = prescribed_doses(of_one)
        due_of_one = named + int(share)
        best = sorted((dose.credit for dose in of_one), reverse=True)[:due_of_one]
        due += due_of_one
        credited += sum(best, Fraction(0))
        if _missed(of_one[-1], date, due_of_one, sum(best, Fraction(0)), rules):
            missed.append(prescription_id)
    return Standing(
        program_id=program_id,
        date=date,
        behind=bool(missed) and credited < rules.threshold_ratio * due,
        score=ratio(credited, due),
        due_doses=due,
        credited_doses=rounded(credited),
        missed_prescription_ids=missed,
    )


def _missed(last: ExactDose, date: dt.date, due: int, credited: Fraction, rules: ComplianceRules) -> bool:
    """Whether `date` left this prescription undone, though it was due by then."""
    if last.date != date:
        return False
    if last.prescription.names_its_days:
        return last.prescription.due_on(date) and last.credit < rules.threshold_ratio
    return last.credit == 0 and credited < rules.threshold_ratio * due
