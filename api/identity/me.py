"""Who am I: the one shape in which clients learn about the person who signed in, staff or patient."""

from typing import Literal

import msgspec
from litestar import Controller, get

from api.authorization import needs
from api.dependencies import Given
from care.documents import patients
from core.access import Access
from identity.documents import organizations, staff
from identity.policy import Permission


class MyOrganization(msgspec.Struct, frozen=True):
    """The organization that I belong to."""

    id: str
    name: str
    time_zone: str
    demo: bool


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """The person who signed in. `location_ids` is null for staff who work at all locations."""

    kind: Literal["staff", "patient"]
    id: str
    name: str
    roles: list[str]
    organization: MyOrganization
    location_ids: list[str] | None
    language: str
    units: Literal["metric", "us"]


class _Member(msgspec.Struct, frozen=True):
    name: str
    roles: list[str]
    location_ids: list[str] | None
    language: str
    units: Literal["metric", "us"]


class _Patient(msgspec.Struct, frozen=True):
    given_name: str
    family_name: str
    location_id: str
    language: str
    units: Literal["metric", "us"]


async def describe_me(access: Access) -> Me:
    """The person behind `access`."""
    actor = access.actor
    organization = await organizations.get(access, access.organization_id, view=MyOrganization)
    if actor.kind == "patient":
        patient = await patients.get(access, actor.id, view=_Patient)
        return Me(
            kind="patient",
            id=actor.id,
            name=f"{patient.given_name} {patient.family_name}",
            roles=[],
            organization=organization,
            location_ids=[patient.location_id],
            language=patient.language,
            units=patient.units,
        )
    member = await staff.get(access, actor.id, view=_Member)
    return Me(
        kind="staff",
        id=actor.id,
        name=member.name,
        roles=member.roles,
        organization=organization,
        location_ids=member.location_ids,
        language=member.language,
        units=member.units,
    )


class MeController(Controller):
    path = "/me"
    tags = ("Sign-in",)

    @get("/", opt=needs(Permission.PROFILE_READ))
    async def get_me(self, access: Given[Access]) -> Me:
        """Say who is signed in."""
        return await describe_me(access)
