"""The policy table, and that nothing is granted which it does not say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.access import Actor
from core.errors import Forbidden
from identity.policy import (
    EMERGENCY_PERMISSIONS,
    ENROLMENT_PERMISSIONS,
    ROLE_PERMISSIONS,
    STAFF_ROLES,
    Permission,
    Role,
    allows,
    permissions_of,
    require,
)

role_names = st.frozensets(st.sampled_from([role.value for role in Role]) | st.text(max_size=12))
permissions = st.sampled_from(list(Permission))

PICTURES_AND_MOVEMENT = {Permission.SESSION_READ, Permission.VIDEO_WATCH, Permission.VIDEO_UPLOAD}


def staff(roles: frozenset[str]) -> Actor:
    return Actor("org_1", "staff", "stf_1", roles)


@given(role_names, permissions)
def test_staff_may_do_what_the_table_grants_one_of_their_roles_and_nothing_else(
    roles: frozenset[str], permission: Permission
) -> None:
    granted = any(permission in ROLE_PERMISSIONS[role] for role in STAFF_ROLES if role.value in roles)
    assert allows(staff(roles), permission) == (granted or permission is Permission.PUBLIC)
    if granted or permission is Permission.PUBLIC:
        require(staff(roles), permission)
    else:
        with pytest.raises(Forbidden):
            require(staff(roles), permission)


@given(role_names, role_names)
def test_a_further_role_never_takes_anything_away(some: frozenset[str], more: frozenset[str]) -> None:
    assert permissions_of(staff(some)) <= permissions_of(staff(some | more))


@given(role_names)
def test_no_role_of_staff_grants_what_only_the_system_may(roles: frozenset[str]) -> None:
    people = frozenset[Permission]().union(*(ROLE_PERMISSIONS[role] for role in STAFF_ROLES))
    assert permissions_of(staff(roles)) <= people


@given(role_names)
def test_a_patient_stays_a_patient_whatever_roles_are_claimed(roles: frozenset[str]) -> None:
    assert permissions_of(Actor("org_1", "patient", "pat_1", roles)) == ROLE_PERMISSIONS[Role.PATIENT]


def test_every_permission_is_granted_to_somebody_and_every_role_has_a_row() -> None:
    assert set(ROLE_PERMISSIONS) == set(Role)
    people = set[Permission]().union(*(ROLE_PERMISSIONS[role] for role in set(Role) - {Role.SYSTEM}))
    assert people == set(Permission) - {Permission.PUBLIC}


def test_no_person_may_do_everything() -> None:
    for role in set(Role) - {Role.SYSTEM}:
        assert ROLE_PERMISSIONS[role] < set(Permission) - {Permission.PUBLIC}


@pytest.mark.parametrize("role", [Role.FRONT_DESK, Role.BILLER, Role.MANAGER, Role.ADMINISTRATOR])
def test_who_does_not_treat_sees_neither_pictures_nor_movement(role: Role) -> None:
    assert not ROLE_PERMISSIONS[role] & PICTURES_AND_MOVEMENT


def test_the_front_desk_sees_no_diagnosis_and_the_biller_no_program() -> None:
    front_desk, biller = ROLE_PERMISSIONS[Role.FRONT_DESK], ROLE_PERMISSIONS[Role.BILLER]
    assert not front_desk & {Permission.EPISODE_READ, Permission.PROGRAM_READ, Permission.COMPLIANCE_READ}
    assert Permission.COMPLIANCE_READ in biller
    assert not biller & {Permission.PROGRAM_READ, Permission.PATIENT_MANAGE}


def test_only_therapists_prescribe() -> None:
    prescribing = {role for role in Role if Permission.PROGRAM_PRESCRIBE in ROLE_PERMISSIONS[role]}
    assert prescribing == {Role.THERAPIST, Role.SYSTEM}


def test_patients_reach_no_lists_and_nobodys_administration() -> None:
    assert not ROLE_PERMISSIONS[Role.PATIENT] & {
        Permission.PATIENTS_LIST,
        Permission.NOTIFICATIONS_LIST,
        Permission.STAFF_READ,
        Permission.ORGANIZATION_READ,
        Permission.AUDIT_READ,
        Permission.JOBS_OPERATE,
    }


def test_who_reviews_emergency_access_is_not_who_uses_it() -> None:
    for role in STAFF_ROLES:
        both = {Permission.EMERGENCY_ACCESS_USE, Permission.EMERGENCY_ACCESS_REVIEW}
        assert not both <= ROLE_PERMISSIONS[role]


def test_what_narrows_a_sign_in_only_ever_narrows_it() -> None:
    assert ROLE_PERMISSIONS[Role.THERAPIST] >= EMERGENCY_PERMISSIONS
    for role in Role:
        assert ROLE_PERMISSIONS[role] >= ENROLMENT_PERMISSIONS
