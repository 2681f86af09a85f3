"""Exercise sessions: one prescribed exercise done once, how it felt, and the evidence that it was done."""

import datetime as dt
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import asdict

from care.documents import ExerciseSession, SessionVideo, exercise_sessions, patients, programs
from care.events import SessionEvidenceChanged
from care.evidence import Evidence, with_evidence
from care.limits import LIMITS
from care.local_time import local_date, utc_offset_min
from care.locations import zone_of
from care.prescriptions import HoldSeconds, Notes, Prescription, Repetitions, Sets, Side
from care.program_versions import ProgramVersion, version_on
from care.programs import StoredProgram
from care.views import view_of
from core.access import Access, Transaction
from core.errors import FieldFault, Invalid
from core.pages import Page

Pain = Annotated[
    int, Meta(ge=LIMITS.pain.minimum, le=LIMITS.pain.maximum, description="Pain, 0 to 10 (NPRS).")
]
Exertion = Annotated[
    int,
    Meta(
        ge=LIMITS.exertion.minimum, le=LIMITS.exertion.maximum, description="Exertion, 0 to 10 (Borg CR10)."
    ),
]
EvidenceKind = Literal["video", "self_report", "clinician_observed"]

CLOCK_TOLERANCE = dt.timedelta(minutes=5)
"""How far a phone's clock may run ahead of ours."""


class DoneSets(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What was done: so many sets of so many repetitions, sets that were filmed included.

    `hold_s` is how long each was held; left out, they count as held as long as prescribed.
    """

    sets: Sets
    repetitions: Repetitions
    hold_s: HoldSeconds | None = None


ObservedSets = Annotated[DoneSets, Meta(examples=[None])]


class NewSession(Struct, kw_only=True, forbid_unknown_fields=True):
    """A session to record. With evidence `video`, the recording is uploaded next.

    `performed_at` is a UTC instant, now unless given. `report` goes with `self_report`, `observed` with
    `clinician_observed`.
    """

    program_id: Annotated[str, Meta(max_length=60)]
    prescription_id: Annotated[str, Meta(max_length=60)]
    evidence: Annotated[EvidenceKind, Meta(examples=["self_report"])]
    self_report: DoneSets | None = None
    observed: ObservedSets | None = None
    performed_at: dt.datetime | None = None
    pain_before: Pain | None = None
    exertion_before: Exertion | None = None


class SessionChanges(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is known after the session: what is left out stays; null clears.

    `self_report` adds the patient's own count, or corrects it.
    """

    pain_after: Pain | UnsetType | None = UNSET
    exertion_after: Exertion | UnsetType | None = UNSET
    notes: Notes | UnsetType | None = UNSET
    self_report: DoneSets | UnsetType = UNSET


class SessionView(Struct, kw_only=True):
    """An exercise session. `local_date` is the patient's date, `utc_offset_min` the clock in force then."""

    id: str
    version: int
    patient_id: str
    program_id: str
    program_version: int
    prescription_id: str
    exercise_id: str
    side: Side
    performed_at: dt.datetime
    local_date: dt.date
    utc_offset_min: int
    time_zone: str
    pain_before: int | None
    pain_after: int | None
    exertion_before: int | None
    exertion_after: int | None
    notes: str | None
    videos: list[SessionVideo]
    evidence: list[Evidence]


async def start_session(access: Access, new: NewSession) -> SessionView:
    """Record that a prescribed exercise is being done, or was done.

    Raises:
        NotFound: the program is out of reach.
        Invalid: the program did not prescribe that then, or the evidence does not fit.
    """
    done = _reported(access, new)

    async def write(tx: Transaction) -> ExerciseSession:
        program = await programs.get(tx, new.program_id, view=StoredProgram)
        performed_at = _checked_instant(tx, new.performed_at)
        zone = await zone_of(tx, program.location_id)
        date = local_date(performed_at, zone)
        version, prescription = _prescribed_then(program, new.prescription_id, date)
        session_id = exercise_sessions.new_id()
        evidence = [] if done is None else [_own_count(new.evidence, session_id, done, performed_at)]
        document = ExerciseSession(
            id=session_id,
            organization_id=tx.organization_id,
            patient_id=program.patient_id,
            location_id=program.location_id,
            created_at=tx.now(),
            updated_at=tx.now(),
            episode_id=program.episode_id,
            program_id=program.id,
            program_version=version.number,
            prescription_id=prescription.id,
            exercise_id=prescription.exercise_id,
            side=prescription.side,
            performed_at=performed_at,
            local_date=date,
            utc_offset_min=utc_offset_min(performed_at, zone),
            time_zone=zone.key,
            pain_before=new.pain_before,
            exertion_before=new.exertion_before,
            evidence=evidence,
        )
        await exercise_sessions.insert(tx, document)
        if evidence:
            await announce_evidence(tx, document)
        return document

    return view_of(await access.transact(write), SessionView)


async def get_session(access: Access, session_id: str) -> SessionView:
    return await exercise_sessions.get(access, session_id, view=SessionView)


async def list_sessions(
    access: Access, patient_id: str, *, limit: int, cursor: str | None
) -> Page[SessionView]:
    """A patient's sessions, the latest first; `NotFound` if the patient is out of reach."""
    await patients.require(access, patient_id)
    return await exercise_sessions.page(
        access,
        {"patient_id": patient_id},
        view=SessionView,
        limit=limit,
        cursor=cursor,
        sort="performed_at",
        descending=True,
    )


async def change_session(
    access: Access, session_id: str, changes: SessionChanges, *, expected_version: int | None
) -> SessionView:
    """Add what is known after the session. `Stale` if it was changed since `expected_version`."""
    given = {name: value for name, value in asdict(changes).items() if value is not UNSET}
    done: DoneSets | None = given.pop("self_report", None)

    async def write(tx: Transaction) -> ExerciseSession:
        fields: dict[str, Any] = dict(given)
        if done is not None:
            before = await exercise_sessions.get(tx, session_id)
            report = _own_count("self_report", session_id, done, tx.now())
            fields["evidence"] = with_evidence(before.evidence, report)
        changed = await exercise_sessions.update(tx, session_id, fields, expected_version=expected_version)
        if done is not None:
            await announce_evidence(tx, changed)
        return changed

    return view_of(await access.transact(write), SessionView)


async def announce_evidence(tx: Transaction, session: ExerciseSession) -> None:
    """Publish that the session's evidence changed."""
    await tx.publish(
        SessionEvidenceChanged(
            patient_id=session.patient_id,
            program_id=session.program_id,
            session_id=session.id,
            local_date=session.local_date,
        )
    )


def _reported(access: Access, new: NewSession) -> DoneSets | None:
    """What the new session says was done; `Invalid` where that does not go with its kind of evidence."""
    counts = {"self_report": new.self_report, "clinician_observed": new.observed}
    fields = {"self_report": "self_report", "clinician_observed": "observed"}
    faults = [
        FieldFault(
            f"/{fields[kind]}", "is required" if kind == new.evidence else "does not go with this evidence"
        )
        for kind, done in counts.items()
        if (done is None) == (kind == new.evidence)
    ]
    if new.evidence == "clinician_observed" and access.actor.kind == "patient":
        faults.append(FieldFault("/evidence", "is for clinicians"))
    if faults:
        raise Invalid("The evidence does not fit.", faults)
    return counts.get(new.evidence)


def _own_count(kind: EvidenceKind, session_id: str, done: DoneSets, at: dt.datetime) -> Evidence:
    """What somebody counted themselves, as evidence: one count of a kind for each session."""
    return Evidence(
        grade=kind,
        source_id=session_id,
        at=at,
        sets=done.sets,
        repetitions=done.sets * done.repetitions,
        hold_s=done.hold_s,
    )


def _checked_instant(tx: Transaction, performed_at: dt.datetime | None) -> dt.datetime:
    now = tx.now()
    if performed_at is None:
        return now
    if performed_at.tzinfo is None:
        fault = "needs a UTC offset, for instance a Z at its end"
    elif performed_at > now + CLOCK_TOLERANCE:
        fault = "is in the future"
    elif tx.actor.kind != "system" and performed_at < now - dt.timedelta(days=LIMITS.oldest_session_days):
        fault = f"is more than {LIMITS.oldest_session_days} days ago"
    else:
        instant = performed_at.astimezone(dt.UTC)
        return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
    raise Invalid("The time of the session cannot be right.", [FieldFault("/performed_at", fault)])


def _prescribed_then(
    program: StoredProgram, prescription_id: str, date: dt.date
) -> tuple[ProgramVersion, Prescription]:
    version = version_on(program.versions, date)
    if version is None:
        fault = FieldFault("/performed_at", "is on a day on which the program is not in force")
    elif (prescription := version.prescription(prescription_id)) is None:
        fault = FieldFault("/prescription_id", "is not prescribed by the program on that day")
    else:
        return version, prescription
    raise Invalid("The program does not prescribe this then.", [fault])
