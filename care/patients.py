"""Patients: register, find, correct, and move to another location."""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import asdict

from care.documents import Patient, PatientStatus, Units, episodes, patients, programs
from care.events import PatientMoved
from care.exercises import Language
from care.identifiers import (
    faults_of_identifiers,
    look_up_key,
    look_up_query,
    plain_email,
    plain_phone,
)
from care.locations import require_open, require_within_reach
from care.views import view_of
from core.access import Access, Transaction
from core.errors import Invalid
from core.pages import Page

GivenName = Annotated[str, Meta(min_length=1, max_length=100, examples=["Ana"])]
FamilyName = Annotated[str, Meta(min_length=1, max_length=100, examples=["Demo"])]
Phone = Annotated[str, Meta(max_length=30, description="International number (E.164).")]
Email = Annotated[str, Meta(max_length=254)]
Address = Annotated[str, Meta(max_length=500, examples=["1 Main Street, Springfield"])]
MemberId = Annotated[str, Meta(max_length=60, examples=["W123456789"])]
BirthDate = Annotated[dt.date, Meta(examples=["1961-05-17"])]
LocationId = Annotated[str, Meta(max_length=60)]


class NewPatient(Struct, kw_only=True, forbid_unknown_fields=True):
    """A person to register. `birth_date` is an ISO date; `language` is what they read."""

    location_id: LocationId
    given_name: GivenName
    family_name: FamilyName
    birth_date: BirthDate
    phone: Phone | None = None
    email: Email | None = None
    address: Address | None = None
    insurance_member_id: MemberId | None = None
    language: Language = "en"
    units: Units = "us"


class PatientChanges(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Corrections: what is left out stays; null clears."""

    location_id: LocationId | UnsetType = UNSET
    given_name: GivenName | UnsetType = UNSET
    family_name: FamilyName | UnsetType = UNSET
    birth_date: BirthDate | UnsetType = UNSET
    phone: Phone | UnsetType | None = UNSET
    email: Email | UnsetType | None = UNSET
    address: Address | UnsetType | None = UNSET
    insurance_member_id: MemberId | UnsetType | None = UNSET
    language: Language | UnsetType = UNSET
    units: Units | UnsetType = UNSET
    status: PatientStatus | UnsetType = UNSET


class PatientView(Struct, kw_only=True):
    """A patient's demographics."""

    id: str
    version: int
    location_id: str
    given_name: str
    family_name: str
    birth_date: dt.date
    phone: str | None
    email: str | None
    address: str | None
    insurance_member_id: str | None
    language: Language
    units: Units
    status: PatientStatus
    created_at: dt.datetime
    updated_at: dt.datetime


async def register_patient(access: Access, new: NewPatient) -> PatientView:
    """Register a patient at a location. `Invalid` names what cannot be right."""
    _check(access, asdict(new))
    await require_within_reach(access, new.location_id)
    patient_id = patients.new_id()
    document = Patient(
        id=patient_id,
        patient_id=patient_id,
        organization_id=access.organization_id,
        created_at=access.now(),
        updated_at=access.now(),
        **_stored(asdict(new)),
    )

    async def write(tx: Transaction) -> Patient:
        return await patients.insert(tx, document)

    return view_of(await access.transact(write), PatientView)


async def get_patient(access: Access, patient_id: str) -> PatientView:
    return await patients.get(access, patient_id, view=PatientView)


async def list_patients(
    access: Access, *, text: str | None, limit: int, cursor: str | None
) -> Page[PatientView]:
    """Patients in the order of registration; with `text` those that `look_up_query` finds by it."""
    query = look_up_query(text) if text and text.strip() else {}
    return await patients.page(access, query, view=PatientView, limit=limit, cursor=cursor)


async def change_patient(
    access: Access, patient_id: str, changes: PatientChanges, *, expected_version: int | None
) -> PatientView:
    """Correct a patient's data. A new location takes the patient's whole record along.

    Raises:
        Invalid: a value cannot be right.
        Stale: the patient was changed since `expected_version`.
    """
    given = {name: value for name, value in asdict(changes).items() if value is not UNSET}
    _check(access, given)
    location_id: str | None = given.get("location_id")
    if location_id is not None:
        await require_open(access, location_id)

    async def write(tx: Transaction) -> Patient:
        before = await patients.get(tx, patient_id)
        changed = await patients.update(tx, patient_id, _stored(given), expected_version=expected_version)
        if location_id is not None and location_id != before.location_id:
            await _move(tx, patient_id, location_id)
        return changed

    return view_of(await access.transact(write), PatientView)


async def _move(tx: Transaction, patient_id: str, location_id: str) -> None:
    """Move what the next visit needs at once; a job moves the rest of the record (`care.jobs`)."""
    for repository in (episodes, programs):
        for document in await repository.find(tx, {"patient_id": patient_id}):
            await repository.update(tx, document.id, {"location_id": location_id})
    await tx.publish(PatientMoved(patient_id=patient_id, location_id=location_id))


def _stored(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as they are kept: contacts in one form, the birth date as text, the name's look-up key."""
    stored = dict(given)
    if "family_name" in stored:
        stored["family_name_key"] = look_up_key(stored["family_name"])
    if "birth_date" in stored:
        stored["birth_date"] = stored["birth_date"].isoformat()
    if stored.get("phone") is not None:
        stored["phone"] = plain_phone(stored["phone"])
    if stored.get("email") is not None:
        stored["email"] = plain_email(stored["email"])
    return stored


def _check(access: Access, given: Mapping[str, Any]) -> None:
    faults = faults_of_identifiers(
        names={field: given[field] for field in ("given_name", "family_name") if field in given},
        birth_date=given.get("birth_date"),
        phone=given.get("phone"),
        email=given.get("email"),
        today=access.now().date() + dt.timedelta(days=1),  # east of Greenwich it may be tomorrow
    )
    if found := list(faults):
        raise Invalid("The patient's data cannot be right.", found)
