"""The people who work for an organization: added, described, changed, and let go."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from core.access import Access, Transaction
from core.errors import Conflict, FieldFault, Invalid
from core.pages import Page
from identity.authority import Authority
from identity.documents import Account, StaffMember, Units, accounts, locations, staff
from identity.organizations import Name, given, view_of
from identity.passwords import hash_password
from identity.policy import STAFF_ROLES, Role
from identity.second_factor import NO_TOTP
from identity.sessions import end_sessions
from identity.sign_in import EMAIL_DIRECTORY, normal_email

Email = Annotated[str, msgspec.Meta(max_length=254, examples=["ana.demo@clinic.example"])]
Language = Annotated[str, msgspec.Meta(min_length=2, max_length=10, examples=["en"])]

# Not a validation of RFC 5321, only a guard against slips: whoever owns the address is proved by the
# invitation.
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}\.[^@\s.]{2,63}")


class StaffView(msgspec.Struct, frozen=True):
    """A colleague. `location_ids` is null for somebody who works at all locations."""

    id: str
    name: str
    email: str
    roles: list[str]
    location_ids: list[str] | None
    language: str
    units: Units
    active: bool
    version: int
    created_at: datetime


class StaffChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What to change; what is left out stays."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    email: Email | msgspec.UnsetType = msgspec.UNSET
    roles: list[str] | msgspec.UnsetType = msgspec.UNSET
    location_ids: list[str] | msgspec.UnsetType | None = msgspec.UNSET
    language: Language | msgspec.UnsetType = msgspec.UNSET
    units: Units | msgspec.UnsetType = msgspec.UNSET
    active: bool | msgspec.UnsetType = msgspec.UNSET


async def add_staff(
    access: Access,
    *,
    name: str,
    email: str,
    roles: Sequence[str],
    location_ids: Sequence[str] | None,
    language: str = "en",
    units: Units = "us",
) -> StaffView:
    """Add a colleague, who can sign in once invited. `location_ids` None means all locations.

    Raises:
        Invalid: an unknown role or location, no role, or no e-mail address.
        Conflict: somebody in the organization has this address.
    """
    changes = StaffChanges(
        email=email, roles=list(roles), location_ids=None if location_ids is None else list(location_ids)
    )
    await _check(access, changes)
    member = StaffMember(
        id=staff.new_id(),
        organization_id=access.organization_id,
        name=name,
        email=normal_email(email),
        roles=sorted(set(roles)),
        location_ids=None if location_ids is None else list(location_ids),
        language=language,
        units=units,
    )

    async def write(tx: Transaction) -> StaffMember:
        await staff.insert(tx, member)
        directory = tx.database.directory
        await directory.put(tx, EMAIL_DIRECTORY, member.email, tx.organization_id, member.id)
        return member

    return view_of(await access.transact(write), StaffView)


async def read_staff(access: Access, staff_id: str) -> StaffView:
    """One colleague."""
    return await staff.get(access, staff_id, view=StaffView)


async def list_staff(access: Access, *, limit: int, cursor: str | None) -> Page[StaffView]:
    """The organization's staff, those who have left included."""
    return await staff.page(access, {}, view=StaffView, limit=limit, cursor=cursor)


async def change_staff(
    authority: Authority,
    access: Access,
    staff_id: str,
    changes: StaffChanges,
    *,
    expected_version: int | None = None,
) -> StaffView:
    """Change a colleague's data, roles or locations; `active=False` lets them go and ends their sessions.

    Raises:
        Invalid: an unknown role or location, no role, or no e-mail address.
        Conflict: the address is taken, or nobody would be left who administers the organization.
        Stale: the colleague is not at `expected_version` any more.
    """
    await _check(access, changes)
    fields = given(changes)
    if isinstance(changes.email, str):
        fields["email"] = normal_email(changes.email)
    if isinstance(changes.roles, list):
        fields["roles"] = sorted(set(changes.roles))

    async def write(tx: Transaction) -> StaffMember:
        before = await staff.get(tx, staff_id)
        if "email" in fields and fields["email"] != before.email:
            if await staff.find_one(tx, {"email": fields["email"]}) is not None:
                raise Conflict("Somebody in your organization has this e-mail address.", code="exists")
            directory = tx.database.directory
            await directory.remove(tx, EMAIL_DIRECTORY, before.email, staff_id)
            await directory.put(tx, EMAIL_DIRECTORY, fields["email"], tx.organization_id, staff_id)
        after = await staff.update(tx, staff_id, fields, expected_version=expected_version)
        if _administers(before) and not _administers(after):
            await _require_an_administrator(tx)
        if before.active and not after.active:
            await end_sessions(tx, staff_id, "left the organization")
        return after

    changed = await access.transact(write)
    authority.callers.forget_subject(staff_id)
    return view_of(changed, StaffView)


async def set_password(access: Access, staff_id: str, password: str) -> None:
    """Give a member of staff a password without an invitation: for provisioning, as in the demo clinic."""
    password_hash = await hash_password(password)

    async def write(tx: Transaction) -> None:
        member = await staff.get(tx, staff_id)
        account = await accounts.find_one(tx, {"subject_id": staff_id})
        if account is not None:
            await accounts.update(tx, account.id, {"password_hash": password_hash})
            return
        await accounts.insert(
            tx,
            Account(
                id=accounts.new_id(),
                organization_id=tx.organization_id,
                subject_kind="staff",
                subject_id=member.id,
                password_hash=password_hash,
            ),
        )

    await access.transact(write)


async def reset_second_factor(authority: Authority, access: Access, staff_id: str) -> None:
    """Take a lost second factor off a colleague's account and end their sessions."""

    async def write(tx: Transaction) -> None:
        member = await staff.get(tx, staff_id)
        account = await accounts.find_one(tx, {"subject_id": member.id})
        if account is not None:
            await accounts.update(tx, account.id, {**NO_TOTP, "passkeys": []})
        await end_sessions(tx, member.id, "second factor reset")

    await access.transact(write)
    authority.callers.forget_subject(staff_id)


def _administers(member: StaffMember) -> bool:
    return member.active and Role.ADMINISTRATOR in member.roles


async def _require_an_administrator(tx: Transaction) -> None:
    if await staff.count(tx, {"active": True, "roles": Role.ADMINISTRATOR.value}) == 0:
        raise Conflict("Somebody has to administer the organization: name another administrator first.")


async def _check(access: Access, changes: StaffChanges) -> None:
    faults: list[FieldFault] = []
    if isinstance(changes.email, str) and _EMAIL.fullmatch(normal_email(changes.email)) is None:
        faults.append(FieldFault("/email", "not an e-mail address"))
    if isinstance(changes.roles, list):
        if not changes.roles:
            faults.append(FieldFault("/roles", "at least one role is needed"))
        known = {role.value for role in STAFF_ROLES}
        faults += [
            FieldFault(f"/roles/{index}", f"not a role; roles are {', '.join(sorted(known))}")
            for index, role in enumerate(changes.roles)
            if role not in known
        ]
    if isinstance(changes.location_ids, list):
        wanted = changes.location_ids
        present = {location.id for location in await locations.find(access, {"_id": {"$in": wanted}})}
        faults += [
            FieldFault(f"/location_ids/{index}", "not a location of this organization")
            for index, location_id in enumerate(wanted)
            if location_id not in present
        ]
    if faults:
        raise Invalid("The data of this member of staff is not valid.", faults)
