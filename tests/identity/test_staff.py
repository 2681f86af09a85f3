"""Organizations, locations and the people who work there."""

import pytest

from core.errors import Conflict, Invalid, NotFound, Stale
from identity.organizations import (
    LocationChanges,
    OrganizationChanges,
    add_location,
    change_location,
    change_organization,
    create_organization,
    list_locations,
    read_organization,
)
from identity.sign_in import WrongCredentials
from identity.staff import (
    StaffChanges,
    add_staff,
    change_staff,
    list_staff,
    read_staff,
    reset_second_factor,
)
from identity.tokens import InvalidToken
from tests.identity.practice import Practice


async def test_a_colleague_is_added_found_and_described(practice: Practice) -> None:
    added = await add_staff(
        practice.access,
        name="Otto Okafor",
        email=" Otto@Larkspur.example ",
        roles=["manager", "biller", "manager"],
        location_ids=[practice.north.id],
    )
    read = await read_staff(practice.access, added.id)
    assert read == added
    assert (read.email, read.roles) == ("otto@larkspur.example", ["biller", "manager"])
    page = await list_staff(practice.access, limit=10, cursor=None)
    assert [member.id for member in page.items] == [added.id]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        (StaffChanges(email="no address"), "/email"),
        (StaffChanges(roles=[]), "/roles"),
        (StaffChanges(roles=["therapist", "patient"]), "/roles/1"),
        (StaffChanges(roles=["system"]), "/roles/0"),
        (StaffChanges(location_ids=["loc_elsewhere"]), "/location_ids/0"),
    ],
)
async def test_what_cannot_be_is_refused_by_name(
    practice: Practice, changes: StaffChanges, pointer: str
) -> None:
    member = await practice.hire()
    with pytest.raises(Invalid) as refusal:
        await change_staff(practice.authority, practice.access, member.id, changes)
    assert [fault.pointer for fault in refusal.value.faults] == [pointer]


async def test_two_colleagues_cannot_share_an_address(practice: Practice) -> None:
    await practice.hire()
    other = await practice.hire("otto@larkspur.example")
    with pytest.raises(Conflict):
        await practice.hire("TESS@larkspur.example")
    with pytest.raises(Conflict):
        await change_staff(
            practice.authority, practice.access, other.id, StaffChanges(email="tess@larkspur.example")
        )


async def test_a_changed_address_is_the_one_to_sign_in_with(practice: Practice) -> None:
    member = await practice.hire()
    await change_staff(
        practice.authority, practice.access, member.id, StaffChanges(email="t.trainor@larkspur.example")
    )
    assert await practice.sign_in("t.trainor@larkspur.example")
    with pytest.raises(WrongCredentials):
        await practice.attempt("tess@larkspur.example")


async def test_somebody_always_administers_the_organization(practice: Practice) -> None:
    only = await practice.hire(roles=("administrator",))
    for changes in (StaffChanges(roles=["biller"]), StaffChanges(active=False)):
        with pytest.raises(Conflict):
            await change_staff(practice.authority, practice.access, only.id, changes)
    await practice.hire("otto@larkspur.example", roles=("administrator",))
    await change_staff(practice.authority, practice.access, only.id, StaffChanges(active=False))


async def test_a_change_based_on_an_old_version_is_refused(practice: Practice) -> None:
    member = await practice.hire()
    await change_staff(
        practice.authority, practice.access, member.id, StaffChanges(name="Tess T."), expected_version=1
    )
    with pytest.raises(Stale):
        await change_staff(
            practice.authority, practice.access, member.id, StaffChanges(name="T."), expected_version=1
        )


async def test_a_lost_second_factor_can_be_taken_off_and_old_sessions_end(practice: Practice) -> None:
    member = await practice.hire()
    admission = await practice.sign_in()
    await practice.enrol_app(admission)
    await reset_second_factor(practice.authority, practice.access, member.id)
    with pytest.raises(InvalidToken):
        await practice.authority.callers.caller(admission.tokens.access_token)
    assert await practice.sign_in()


async def test_another_organizations_people_and_places_do_not_exist(practice: Practice) -> None:
    member = await practice.hire()
    other = await create_organization(
        practice.authority.database, name="Elsewhere", time_zone="Europe/Berlin"
    )
    for attempt in (
        read_staff(other, member.id),
        change_staff(practice.authority, other, member.id, StaffChanges(active=False)),
        change_location(other, practice.north.id, LocationChanges(active=False)),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert await list_locations(other) == []
    assert (await read_organization(other)).name == "Elsewhere"


async def test_organization_and_locations_change_with_their_versions(practice: Practice) -> None:
    changed = await change_organization(
        practice.access, OrganizationChanges(name="Larkspur PT"), expected_version=1
    )
    assert (changed.name, changed.version) == ("Larkspur PT", 2)
    closed = await change_location(practice.access, practice.north.id, LocationChanges(active=False))
    assert not closed.active
    with pytest.raises(Invalid):
        await add_location(practice.access, name="Nowhere", time_zone="Mars/Olympus_Mons")
    with pytest.raises(Invalid):
        await change_organization(practice.access, OrganizationChanges(time_zone="CEST"))
