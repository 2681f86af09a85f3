"""Episodes of care: everything done for one problem, from the first visit to discharge."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import asdict

from care.documents import Episode, episodes, patients
from care.prescriptions import Side
from care.views import view_of
from core.access import Access, Transaction
from core.errors import FieldFault, Invalid, NotFound
from core.pages import Page
from identity.documents import staff

Diagnosis = Annotated[str, Meta(min_length=1, max_length=1000, examples=["Osteoarthritis of the right knee"])]
DiagnosisCodes = Annotated[
    list[Annotated[str, Meta(max_length=8)]], Meta(max_length=12, examples=[["M17.11"]])
]
StaffId = Annotated[str, Meta(max_length=60)]

_ICD10_CM = re.compile(r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?")


class NewEpisode(Struct, kw_only=True, forbid_unknown_fields=True):
    """An episode to open. Dates are patient-local; codes are ICD-10-CM, the primary one first."""

    diagnosis: Diagnosis
    started_on: dt.date
    diagnosis_codes: DiagnosisCodes = []
    side: Side | None = None
    ended_on: dt.date | None = None
    therapist_id: StaffId | None = None


class EpisodeChanges(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Corrections: what is left out stays; null clears."""

    diagnosis: Diagnosis | UnsetType = UNSET
    diagnosis_codes: DiagnosisCodes | UnsetType = UNSET
    side: Side | UnsetType | None = UNSET
    started_on: dt.date | UnsetType = UNSET
    ended_on: dt.date | UnsetType | None = UNSET
    therapist_id: StaffId | UnsetType | None = UNSET


class EpisodeView(Struct, kw_only=True):
    """An episode of care."""

    id: str
    version: int
    patient_id: str
    diagnosis: str
    diagnosis_codes: list[str]
    side: Side | None
    started_on: dt.date
    ended_on: dt.date | None
    therapist_id: str | None
    created_at: dt.datetime
    updated_at: dt.datetime


class _Whereabouts(Struct):
    id: str
    location_id: str


async def open_episode(access: Access, patient_id: str, new: NewEpisode) -> EpisodeView:
    """Open an episode for a patient; by default the therapist is whoever opens it."""
    await _check(access, asdict(new))

    async def write(tx: Transaction) -> Episode:
        patient = await patients.get(tx, patient_id, view=_Whereabouts)
        fields = asdict(new)
        if fields["therapist_id"] is None and tx.actor.kind == "staff":
            fields["therapist_id"] = tx.actor.id
        document = Episode(
            id=episodes.new_id(),
            organization_id=tx.organization_id,
            patient_id=patient_id,
            location_id=patient.location_id,
            created_at=tx.now(),
            updated_at=tx.now(),
            **fields,
        )
        return await episodes.insert(tx, document)

    return view_of(await access.transact(write), EpisodeView)


async def get_episode(access: Access, episode_id: str) -> EpisodeView:
    return await episodes.get(access, episode_id, view=EpisodeView)


async def list_episodes(
    access: Access, patient_id: str, *, limit: int, cursor: str | None
) -> Page[EpisodeView]:
    """A patient's episodes, the newest first; `NotFound` if the patient is out of reach."""
    await patients.require(access, patient_id)
    return await episodes.page(
        access,
        {"patient_id": patient_id},
        view=EpisodeView,
        limit=limit,
        cursor=cursor,
        sort="started_on",
        descending=True,
    )


async def change_episode(
    access: Access, episode_id: str, changes: EpisodeChanges, *, expected_version: int | None
) -> EpisodeView:
    """Correct or close an episode. `Stale` if it was changed since `expected_version`."""
    given = {name: value for name, value in asdict(changes).items() if value is not UNSET}
    await _check(access, given)

    async def write(tx: Transaction) -> Episode:
        changed = await episodes.update(tx, episode_id, given, expected_version=expected_version)
        if changed.ended_on is not None and changed.ended_on < changed.started_on:
            raise Invalid("The dates are in the wrong order.", [_END_BEFORE_START])
        return changed

    return view_of(await access.transact(write), EpisodeView)


_END_BEFORE_START = FieldFault("/ended_on", "is before started_on")


async def _check(access: Access, given: dict[str, Any]) -> None:
    faults = list(_faults(given))
    therapist_id = given.get("therapist_id")
    if therapist_id is not None:
        try:
            therapist = await staff.get(access, therapist_id)
        except NotFound:
            faults.append(FieldFault("/therapist_id", "is not a member of staff"))
        else:
            if "therapist" not in therapist.roles or not therapist.active:
                faults.append(FieldFault("/therapist_id", "is not an active therapist"))
    if faults:
        raise Invalid("The episode cannot be recorded like this.", faults)


def _faults(given: dict[str, Any]) -> Iterator[FieldFault]:
    if "diagnosis" in given and not given["diagnosis"].strip():
        yield FieldFault("/diagnosis", "is blank")
    for index, code in enumerate(given.get("diagnosis_codes", ())):
        if not _ICD10_CM.fullmatch(code):
            yield FieldFault(f"/diagnosis_codes/{index}", "does not have the form of an ICD-10-CM code")
    started_on, ended_on = given.get("started_on"), given.get("ended_on")
    if started_on is not None and ended_on is not None and ended_on < started_on:
        yield _END_BEFORE_START
