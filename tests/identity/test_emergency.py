"""Emergency access: one patient beyond one's locations, with a reason, for an hour, seen by managers."""

from datetime import date

import msgspec
import pytest

from care.documents import patients
from care.episodes import NewEpisode, open_episode
from care.patients import NewPatient, register_patient
from core import audit_review
from core.access import Access
from core.errors import Forbidden, Invalid, NotFound
from identity.emergency import OpenedEmergencyAccess, list_emergency_access, open_emergency_access
from identity.policy import EMERGENCY_PERMISSIONS, Permission
from identity.sessions import Admission, sign_out
from identity.tokens import InvalidToken
from tests.clinic import Clock
from tests.identity.practice import NOWHERE, Practice

REASON = "Collapsed in the waiting room; her therapist is away."


class Named(msgspec.Struct):
    id: str
    patient_id: str
    family_name: str


async def register(practice: Practice, location_id: str, family_name: str) -> str:
    new = NewPatient(
        location_id=location_id, given_name="Ana", family_name=family_name, birth_date=date(1961, 5, 17)
    )
    patient = await register_patient(practice.access, new)
    await open_episode(
        practice.access, patient.id, NewEpisode(diagnosis="Knee pain", started_on=date(2026, 3, 2))
    )
    return patient.id


async def opened(practice: Practice, patient_id: str, admission: Admission) -> OpenedEmergencyAccess:
    return await open_emergency_access(
        practice.authority,
        await practice.access_of(admission),
        patient_id=patient_id,
        location_id=practice.south.id,
        reason=REASON,
    )


async def reach(practice: Practice, token: str) -> Access:
    caller = await practice.authority.callers.caller(token)
    return practice.authority.database.access(caller.actor)


async def test_it_opens_the_one_patient_and_nobody_else(practice: Practice) -> None:
    near = await register(practice, practice.north.id, "Alder")
    far = await register(practice, practice.south.id, "Birch")
    further = await register(practice, practice.south.id, "Cedar")
    await practice.hire(location_ids=[practice.north.id])
    admission = await practice.sign_in()
    usual = await practice.access_of(admission)
    with pytest.raises(NotFound):
        await patients.get(usual, far, view=Named)
    elevated = await reach(practice, (await opened(practice, far, admission)).access_token)
    assert (await patients.get(elevated, far, view=Named)).family_name == "Birch"
    for other in (near, further):
        with pytest.raises(NotFound):
            await patients.get(elevated, other, view=Named)
    assert [patient.id for patient in await patients.find(elevated, {}, view=Named)] == [far]
    with pytest.raises(NotFound):  # the usual token reaches no further than before
        await patients.get(usual, far, view=Named)


async def test_it_reads_and_does_not_write(practice: Practice) -> None:
    far = await register(practice, practice.south.id, "Birch")
    await practice.hire(roles=("therapist", "administrator"), location_ids=[practice.north.id])
    token = (await opened(practice, far, await practice.sign_in())).access_token
    permissions = (await practice.authority.callers.caller(token)).permissions
    assert permissions == EMERGENCY_PERMISSIONS
    assert not permissions & {
        Permission.PATIENT_MANAGE,
        Permission.PROGRAM_PRESCRIBE,
        Permission.STAFF_MANAGE,
    }


async def test_it_gives_nothing_that_the_persons_own_role_does_not(practice: Practice) -> None:
    far = await register(practice, practice.south.id, "Birch")
    await practice.hire(roles=("front_desk",), location_ids=[practice.north.id])
    token = (await opened(practice, far, await practice.sign_in())).access_token
    permissions = (await practice.authority.callers.caller(token)).permissions
    assert permissions == {Permission.PROFILE_READ, Permission.PATIENT_READ}


async def test_it_ends_after_an_hour_or_with_the_session(practice: Practice, clock: Clock) -> None:
    far = await register(practice, practice.south.id, "Birch")
    await practice.hire(location_ids=[practice.north.id])
    admission = await practice.sign_in()
    emergency = await opened(practice, far, admission)
    assert emergency.expires_in_s == 3600
    clock.forward(minutes=59, seconds=59)
    assert await practice.authority.callers.caller(emergency.access_token)
    clock.forward(seconds=1)
    with pytest.raises(InvalidToken):
        await practice.authority.callers.caller(emergency.access_token)
    second = await practice.sign_in()
    token = (await opened(practice, far, second)).access_token
    await practice.authority.callers.caller(token)
    await sign_out(practice.authority, await practice.access_of(second))
    with pytest.raises(InvalidToken):
        await practice.authority.callers.caller(token)


@pytest.mark.parametrize("reason", ["", "urgent", "             a            b "])
async def test_a_reason_is_a_sentence(practice: Practice, reason: str) -> None:
    await practice.hire()
    access = await practice.access_of(await practice.sign_in())
    with pytest.raises(Invalid):
        await open_emergency_access(
            practice.authority, access, patient_id="pat_1", location_id=practice.south.id, reason=reason
        )


async def test_patients_and_jobs_have_no_use_for_it(practice: Practice) -> None:
    patient = await practice.access_of(await practice.sign_in_patient("pat_ana", NOWHERE))
    for access in (patient, practice.access):
        with pytest.raises(Forbidden):
            await open_emergency_access(
                practice.authority, access, patient_id="pat_1", location_id="loc_1", reason=REASON
            )


async def test_managers_of_the_patients_location_see_who_when_and_why(
    practice: Practice, clock: Clock
) -> None:
    far = await register(practice, practice.south.id, "Birch")
    member = await practice.hire(location_ids=[practice.north.id])
    emergency = await opened(practice, far, await practice.sign_in())
    await practice.hire("mo@larkspur.example", roles=("manager",), location_ids=[practice.south.id])
    await practice.hire("no@larkspur.example", roles=("manager",), location_ids=[practice.north.id])
    concerned = await practice.access_of(await practice.sign_in("mo@larkspur.example"))
    (shown,) = (await list_emergency_access(concerned, limit=10, cursor=None)).items
    assert (shown.id, shown.staff_id, shown.patient_id) == (emergency.id, member.id, far)
    assert (shown.reason, shown.opened_at) == (REASON, clock())
    elsewhere = await practice.access_of(await practice.sign_in("no@larkspur.example"))
    assert (await list_emergency_access(elsewhere, limit=10, cursor=None)).items == []


async def test_every_read_under_it_is_audited_with_its_reason(practice: Practice) -> None:
    far = await register(practice, practice.south.id, "Birch")
    await practice.hire(location_ids=[practice.north.id])
    elevated = await reach(practice, (await opened(practice, far, await practice.sign_in())).access_token)
    await patients.get(elevated, far, view=Named)
    entries = await audit_review.page(practice.access, patient_id=far, limit=50)
    read = [entry for entry in entries.items if entry.action == "read"]
    assert [entry.actor.emergency_reason for entry in read] == [REASON]
    assert any(entry.note == "identity.emergency_access_opened" for entry in entries.items)
