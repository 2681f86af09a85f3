"""Registering, finding, correcting and moving patients."""

import datetime as dt

import pytest

from care.documents import patients
from care.identifiers import look_up_key
from care.patients import (
    NewPatient,
    PatientChanges,
    change_patient,
    get_patient,
    list_patients,
    register_patient,
)
from core.errors import Invalid, NotFound, Stale
from core.mongo import RawDatabase
from tests.clinic import Clinic


async def found(clinic: Clinic, text: str) -> list[str]:
    page = await list_patients(clinic.therapist, text=text, limit=50, cursor=None)
    return [patient.id for patient in page.items]


async def test_a_registered_patient_reads_back_as_entered(clinic: Clinic) -> None:
    new = NewPatient(
        location_id=clinic.main,
        given_name="Ada",
        family_name="Muñoz",
        birth_date=dt.date(1961, 5, 17),
        phone="+1 (555) 555-0123",
        email="Ada@Example.org",
        address="1 Main Street",
        insurance_member_id="W123",
        language="es",
        units="metric",
    )
    patient = await register_patient(clinic.therapist, new)
    again = await get_patient(clinic.therapist, patient.id)
    assert again == patient
    assert (again.given_name, again.family_name, again.birth_date) == ("Ada", "Muñoz", new.birth_date)
    assert (again.phone, again.email) == ("+15555550123", "ada@example.org")
    assert (again.address, again.insurance_member_id, again.language) == ("1 Main Street", "W123", "es")


async def test_a_patient_is_found_by_name_birth_date_phone_or_email(clinic: Clinic) -> None:
    patient = await clinic.new_patient(phone="+15555550123", email="ada@example.org")
    await clinic.new_patient(family_name="Other")
    for text in ("MUNOZ", "ada muñoz", "Muñoz, Ada", "+1 555 555 0123", "ADA@example.org"):
        assert await found(clinic, text) == [patient.id], text
    assert patient.id in await found(clinic, "1961-05-17")
    assert await found(clinic, "Mun") == []


async def test_nothing_of_a_patients_identity_is_readable_in_the_database(
    clinic: Clinic, raw: RawDatabase
) -> None:
    await clinic.new_patient(phone="+15555550123", email="ada@example.org")
    stored = str(await raw["patients"].find().to_list()) + str(await raw["audit"].find().to_list())
    for identifier in ("Ada", "Muñoz", "munoz", "1961-05-17", "5555550123", "example.org"):
        assert identifier not in stored


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("given_name", "  "),
        ("phone", "555-0123"),
        ("email", "ada at example"),
        ("birth_date", dt.date(2190, 1, 1)),
        ("birth_date", dt.date(1850, 1, 1)),
        ("location_id", "loc_elsewhere"),
    ],
)
async def test_what_cannot_be_right_is_refused_by_field(clinic: Clinic, field: str, value: object) -> None:
    given: dict[str, object] = {
        "location_id": clinic.main,
        "given_name": "Ada",
        "family_name": "Muñoz",
        "birth_date": dt.date(1961, 5, 17),
        field: value,
    }
    with pytest.raises(Invalid) as refused:
        await register_patient(clinic.therapist, NewPatient(**given))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - built by field name
    assert [fault.pointer for fault in refused.value.faults] == [f"/{field}"]
    assert await patients.count(clinic.system, {}) == 0


async def test_a_correction_keeps_what_it_does_not_name(clinic: Clinic) -> None:
    patient = await clinic.new_patient(phone="+15555550123", email="ada@example.org")
    changed = await change_patient(
        clinic.therapist, patient.id, PatientChanges(family_name="Núñez", phone=None), expected_version=1
    )
    assert (changed.family_name, changed.phone, changed.email) == ("Núñez", None, "ada@example.org")
    assert changed.version == 2
    assert await found(clinic, "nunez") == [patient.id]
    assert await found(clinic, "munoz") == []


async def test_a_correction_of_an_outdated_record_is_refused(clinic: Clinic) -> None:
    patient = await clinic.new_patient()
    await change_patient(clinic.therapist, patient.id, PatientChanges(units="metric"), expected_version=1)
    with pytest.raises(Stale):
        await change_patient(clinic.therapist, patient.id, PatientChanges(units="us"), expected_version=1)


async def test_staff_bound_to_a_location_register_and_see_patients_of_that_location_only(
    clinic: Clinic,
) -> None:
    elsewhere = await clinic.new_patient(at=clinic.second)
    bound = clinic.staff(at=clinic.main)
    with pytest.raises(NotFound):
        await get_patient(bound, elsewhere.id)
    with pytest.raises(Invalid):
        await register_patient(
            bound,
            NewPatient(
                location_id=clinic.second,
                given_name="Ada",
                family_name="Muñoz",
                birth_date=dt.date(1961, 5, 17),
            ),
        )


async def test_a_patient_reaches_their_own_record_and_no_other(clinic: Clinic) -> None:
    patient, other = await clinic.new_patient(), await clinic.new_patient()
    assert (await get_patient(clinic.patient(patient.id), patient.id)).id == patient.id
    with pytest.raises(NotFound):
        await get_patient(clinic.patient(patient.id), other.id)


def test_names_are_looked_up_without_case_accents_and_spaces() -> None:
    assert look_up_key("  Muñoz  de la  Ó ") == "munoz de la o"
