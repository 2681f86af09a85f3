"""Facts that care publishes."""

import datetime as dt
from typing import ClassVar

from core.events import Event


class PatientEvent(Event, frozen=True, kw_only=True):
    """A fact about one patient."""

    patient_id: str  # pyright: ignore[reportGeneralTypeIssues] - required here, and keyword-only


class PatientMoved(PatientEvent, frozen=True, kw_only=True):
    """The patient is treated at another location from now on."""

    name: ClassVar[str] = "care.patient_moved"
    location_id: str


class ProgramChanged(PatientEvent, frozen=True, kw_only=True):
    """A program was prescribed or revised, in force from the patient-local date `valid_from`."""

    name: ClassVar[str] = "care.program_changed"
    program_id: str
    valid_from: dt.date


class SessionEvidenceChanged(PatientEvent, frozen=True, kw_only=True):
    """What attests to an exercise session changed, on the patient-local date `local_date`."""

    name: ClassVar[str] = "care.session_evidence_changed"
    program_id: str
    session_id: str
    local_date: dt.date
