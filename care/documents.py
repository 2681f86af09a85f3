"""What is stored about patients: who they are, what they are treated for, what they were given to do and did.

Names, birth dates, contacts and free text are encrypted. Calendar dates are patient-local.
"""

import datetime as dt
from typing import Annotated, ClassVar, Literal

from msgspec import Struct
from pydantic import Field

from care.evidence import Evidence
from care.exercises import Language
from care.prescriptions import Side
from care.program_versions import ProgramVersion
from core.documents import PatientDocument, TenantDocument
from core.encrypted import Encrypted
from core.indexes import ASCENDING, DESCENDING, IndexModel
from core.repository import Repository
from core.stored_structs import StoredStruct

Units = Literal["metric", "us"]
PatientStatus = Literal["active", "discharged"]
VideoState = Literal["analyzing", "analyzed", "unreadable"]


class Patient(PatientDocument):
    """A person under treatment. `id` and `patient_id` are the same."""

    id_prefix: ClassVar[str] = "pat"

    given_name: Annotated[str, Encrypted()]
    family_name: Annotated[str, Encrypted()]
    family_name_key: Annotated[str, Encrypted(lookup=True)]
    """The family name without case and accents, by which the patient is found."""
    birth_date: Annotated[str, Encrypted(lookup=True)]
    """ISO date."""
    phone: Annotated[str | None, Encrypted(lookup=True)] = None
    """E.164, for instance +15555550123."""
    email: Annotated[str | None, Encrypted(lookup=True)] = None
    """Lower case."""
    address: Annotated[str | None, Encrypted()] = None
    insurance_member_id: Annotated[str | None, Encrypted()] = None
    language: Language = "en"
    units: Units = "us"
    status: PatientStatus = "active"

    class Settings(TenantDocument.Settings):
        name = "patients"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel([("organization_id", ASCENDING), ("location_id", ASCENDING)], name="location"),
            IndexModel([("organization_id", ASCENDING), ("family_name_key", ASCENDING)], name="family_name"),
            IndexModel([("organization_id", ASCENDING), ("birth_date", ASCENDING)], name="birth_date"),
            IndexModel([("organization_id", ASCENDING), ("phone", ASCENDING)], name="phone"),
            IndexModel([("organization_id", ASCENDING), ("email", ASCENDING)], name="email"),
        ]


class Episode(PatientDocument):
    """An episode of care: everything done for one problem, from the first visit to discharge."""

    id_prefix: ClassVar[str] = "epi"

    diagnosis: Annotated[str, Encrypted()]
    diagnosis_codes: list[str] = Field(default_factory=list[str])
    """ICD-10-CM codes, the primary one first."""
    side: Side | None = None
    started_on: dt.date
    ended_on: dt.date | None = None
    therapist_id: str | None = None

    class Settings(TenantDocument.Settings):
        name = "episodes"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel(
                [("organization_id", ASCENDING), ("patient_id", ASCENDING), ("started_on", DESCENDING)],
                name="patient",
            ),
        ]


class HomeExerciseProgram(PatientDocument):
    """What a patient is to do at home, in dated versions (`care.program_versions`)."""

    id_prefix: ClassVar[str] = "prg"

    episode_id: str
    starts_on: dt.date
    ends_on: dt.date | None = None
    versions: list[Annotated[ProgramVersion, StoredStruct()]]

    class Settings(TenantDocument.Settings):
        name = "programs"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel(
                [("organization_id", ASCENDING), ("patient_id", ASCENDING), ("starts_on", DESCENDING)],
                name="patient",
            ),
            IndexModel([("organization_id", ASCENDING), ("location_id", ASCENDING)], name="location"),
        ]


class SessionVideo(Struct, frozen=True, kw_only=True):
    """A recording of an exercise session. `reason` says why it could not be analysed: a code, a sentence."""

    upload_id: str
    object_id: str
    state: VideoState
    job_id: str
    analysis_id: str | None = None
    reason_code: str | None = None
    reason: str | None = None


class ExerciseSession(PatientDocument):
    """One time that a patient did one prescribed exercise, and what attests to it.

    Pain is rated 0 to 10 (NPRS), exertion 0 to 10 (Borg CR10).
    """

    id_prefix: ClassVar[str] = "exs"

    episode_id: str
    program_id: str
    program_version: int
    prescription_id: str
    exercise_id: str
    side: Side
    performed_at: dt.datetime
    local_date: dt.date
    """The date on the patient's calendar; it stays, wherever the patient is treated later."""
    utc_offset_min: int
    """Minutes ahead of UTC in force at that place and time."""
    time_zone: str
    pain_before: int | None = None
    pain_after: int | None = None
    exertion_before: int | None = None
    exertion_after: int | None = None
    notes: Annotated[str | None, Encrypted()] = None
    videos: list[Annotated[SessionVideo, StoredStruct()]] = Field(default_factory=list[SessionVideo])
    evidence: list[Annotated[Evidence, StoredStruct()]] = Field(default_factory=list[Evidence])

    class Settings(TenantDocument.Settings):
        name = "exercise_sessions"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel(
                [("organization_id", ASCENDING), ("patient_id", ASCENDING), ("performed_at", DESCENDING)],
                name="patient",
            ),
            IndexModel(
                [("organization_id", ASCENDING), ("program_id", ASCENDING), ("local_date", ASCENDING)],
                name="program_date",
            ),
        ]


patients = Repository(Patient)
episodes = Repository(Episode)
programs = Repository(HomeExerciseProgram)
exercise_sessions = Repository(ExerciseSession)

DOCUMENTS: list[type[TenantDocument]] = [Patient, Episode, HomeExerciseProgram, ExerciseSession]
