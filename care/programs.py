"""Home exercise programs: prescribe, revise, read. What was prescribed for a day gone by never changes."""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from care.documents import HomeExerciseProgram, episodes, patients, programs
from care.events import ProgramChanged
from care.exercises import load_library
from care.limits import LIMITS
from care.local_time import local_date
from care.locations import zone_of
from care.prescriptions import Prescription, PrescriptionDraft, faults_of, prescribed
from care.program_versions import ProgramVersion, continued_ids, succeeded_by
from core.access import Access, Transaction
from core.errors import FieldFault, Invalid
from core.ids import new_id
from core.pages import Page

Title = Annotated[str, Meta(min_length=1, max_length=200, examples=["Stronger knees"])]

LastDay = Annotated[dt.date, Meta(examples=["2026-04-26"])]


class NewProgram(Struct, kw_only=True, forbid_unknown_fields=True):
    """A program to prescribe, from `starts_on` through `ends_on` (patient-local; None: until revised)."""

    title: Title
    starts_on: dt.date
    prescriptions: list[PrescriptionDraft]
    ends_on: LastDay | None = None


class RevisedProgram(Struct, kw_only=True, forbid_unknown_fields=True):
    """The whole program as it is to be from `valid_from` on: today unless given, and never a day gone by."""

    title: Title
    prescriptions: list[PrescriptionDraft]
    ends_on: LastDay | None = None
    valid_from: dt.date | None = None


class ProgramView(Struct, kw_only=True):
    """A program with its newest version: number `revision`, in force from `valid_from`."""

    id: str
    version: int
    patient_id: str
    episode_id: str
    title: str
    starts_on: dt.date
    ends_on: dt.date | None
    revision: int
    valid_from: dt.date
    prescriptions: list[Prescription]
    prescribed_by: str
    prescribed_at: dt.datetime


class StoredProgram(Struct, kw_only=True):
    """A program with all its versions, as other use cases read it."""

    id: str
    version: int
    patient_id: str
    location_id: str
    episode_id: str
    starts_on: dt.date
    ends_on: dt.date | None
    versions: list[ProgramVersion]


class _Whereabouts(Struct):
    id: str
    patient_id: str
    location_id: str


async def prescribe(access: Access, episode_id: str, new: NewProgram) -> ProgramView:
    """Prescribe a program as part of an episode. `Invalid` names what cannot be prescribed."""
    _check(
        new.title, new.prescriptions, new.starts_on, new.ends_on, first_field="starts_on", now=access.now()
    )
    prescriptions = tuple(prescribed(draft, new_id("rx")) for draft in new.prescriptions)

    async def write(tx: Transaction) -> ProgramView:
        episode = await episodes.get(tx, episode_id, view=_Whereabouts)
        version = ProgramVersion(
            number=1,
            title=new.title,
            valid_from=new.starts_on,
            valid_to=new.ends_on,
            prescriptions=prescriptions,
            prescribed_by=tx.actor.id,
            prescribed_at=tx.now(),
        )
        document = HomeExerciseProgram(
            id=programs.new_id(),
            organization_id=tx.organization_id,
            patient_id=episode.patient_id,
            location_id=episode.location_id,
            created_at=tx.now(),
            updated_at=tx.now(),
            episode_id=episode_id,
            starts_on=new.starts_on,
            ends_on=new.ends_on,
            versions=[version],
        )
        await programs.insert(tx, document)
        await _announce(tx, document, new.starts_on)
        return program_view(document)

    return await access.transact(write)


async def revise(
    access: Access, program_id: str, revised: RevisedProgram, *, expected_version: int | None
) -> ProgramView:
    """Replace what is prescribed from a day on, and keep what was prescribed before.

    A prescription goes on under its id if the draft names it, or is for the same exercise and side.

    Raises:
        Invalid: it cannot be prescribed like this, or would change a day gone by.
        Stale: the program was changed since `expected_version`.
    """

    async def write(tx: Transaction) -> ProgramView:
        stored = await programs.get(tx, program_id, view=StoredProgram)
        newest = stored.versions[-1]
        today = local_date(tx.now(), await zone_of(tx, stored.location_id))
        valid_from = revised.valid_from or max(today, newest.valid_from)
        _check(
            revised.title,
            revised.prescriptions,
            valid_from,
            revised.ends_on,
            first_field="valid_from",
            now=tx.now(),
        )
        _check_order(valid_from, newest, today)
        successor = ProgramVersion(
            number=newest.number + 1,
            title=revised.title,
            valid_from=valid_from,
            valid_to=revised.ends_on,
            prescriptions=_continuing(revised.prescriptions, newest),
            prescribed_by=tx.actor.id,
            prescribed_at=tx.now(),
        )
        changes = {
            "versions": list(succeeded_by(stored.versions, successor)),
            "ends_on": revised.ends_on,
        }
        document = await programs.update(tx, program_id, changes, expected_version=expected_version)
        await _announce(tx, document, valid_from)
        return program_view(document)

    return await access.transact(write)


async def get_program(access: Access, program_id: str) -> ProgramView:
    return program_view(await programs.get(access, program_id, view=StoredProgram))


async def list_programs(
    access: Access, patient_id: str, *, limit: int, cursor: str | None
) -> Page[ProgramView]:
    """A patient's programs, the newest first; `NotFound` if the patient is out of reach."""
    await patients.require(access, patient_id)
    page = await programs.page(
        access,
        {"patient_id": patient_id},
        view=StoredProgram,
        limit=limit,
        cursor=cursor,
        sort="starts_on",
        descending=True,
    )
    return Page(items=[program_view(stored) for stored in page.items], next_cursor=page.next_cursor)


async def program_history(access: Access, program_id: str) -> list[ProgramVersion]:
    """Every version, the first one first."""
    return (await programs.get(access, program_id, view=StoredProgram)).versions


async def programs_between(
    access: Access, patient_id: str, first: dt.date, last: dt.date
) -> list[StoredProgram]:
    """The patient's programs with a day from `first` through `last`, in the order they began."""
    overlapping = {
        "patient_id": patient_id,
        "starts_on": {"$lte": last.isoformat()},
        "$or": [{"ends_on": None}, {"ends_on": {"$gte": first.isoformat()}}],
    }
    return await programs.find(access, overlapping, sort=[("starts_on", 1), ("_id", 1)], view=StoredProgram)


def program_view(stored: StoredProgram | HomeExerciseProgram) -> ProgramView:
    newest = stored.versions[-1]
    return ProgramView(
        id=stored.id,
        version=stored.version,
        patient_id=stored.patient_id,
        episode_id=stored.episode_id,
        title=newest.title,
        starts_on=stored.starts_on,
        ends_on=stored.ends_on,
        revision=newest.number,
        valid_from=newest.valid_from,
        prescriptions=list(newest.prescriptions),
        prescribed_by=newest.prescribed_by,
        prescribed_at=newest.prescribed_at,
    )


async def _announce(tx: Transaction, program: HomeExerciseProgram, valid_from: dt.date) -> None:
    await tx.publish(
        ProgramChanged(patient_id=program.patient_id, program_id=program.id, valid_from=valid_from)
    )


def _continuing(drafts: Sequence[PrescriptionDraft], before: ProgramVersion) -> tuple[Prescription, ...]:
    ids = continued_ids(drafts, before)
    known = {each.id for each in before.prescriptions}
    faults = [
        FieldFault(f"/prescriptions/{index}/id", detail)
        for index, continued in enumerate(ids)
        if continued is not None
        for detail in _faults_of_id(continued, known, ids[:index])
    ]
    if faults:
        raise Invalid("The program cannot be revised like this.", faults)
    return tuple(
        prescribed(draft, continued or new_id("rx")) for draft, continued in zip(drafts, ids, strict=True)
    )


def _faults_of_id(continued: str, known: set[str], before: Sequence[str | None]) -> list[str]:
    if continued not in known:
        return ["is not a prescription of the newest version"]
    return ["is continued twice"] if continued in before else []


def _check(
    title: str,
    drafts: Sequence[PrescriptionDraft],
    first: dt.date,
    last: dt.date | None,
    *,
    first_field: str,
    now: dt.datetime,
) -> None:
    faults = faults_of(drafts, load_library())
    if abs((first - now.date()).days) > LIMITS.program_start_days:
        faults.append(FieldFault(f"/{first_field}", f"is more than {LIMITS.program_start_days} days away"))
    if not title.strip():
        faults.append(FieldFault("/title", "is blank"))
    if last is not None and last < first:
        faults.append(FieldFault("/ends_on", f"is before {first_field}"))
    if faults:
        raise Invalid("The program cannot be prescribed like this.", faults)


def _check_order(valid_from: dt.date, newest: ProgramVersion, today: dt.date) -> None:
    if valid_from < newest.valid_from:
        fault = "is before the newest version begins"
    elif valid_from < today:
        fault = "is a day gone by"
    else:
        return
    raise Invalid("A revision cannot change the past.", [FieldFault("/valid_from", fault)])
