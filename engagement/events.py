"""Facts that engagement publishes."""

import datetime as dt
from typing import ClassVar

from care.events import PatientEvent


class ComplianceScored(PatientEvent, frozen=True, kw_only=True):
    """A program's compliance for a patient-local day, its week or the whole program changed."""

    name: ClassVar[str] = "engagement.compliance_scored"
    program_id: str
    date: dt.date
    day_score: float | None
    week_score: float | None
    program_score: float | None


class ProgramFellBehind(PatientEvent, frozen=True, kw_only=True):
    """At the end of the patient-local `date` a program was behind, and a nudge was queued for it."""

    name: ClassVar[str] = "engagement.program_fell_behind"
    program_id: str
    date: dt.date
    notification_id: str
