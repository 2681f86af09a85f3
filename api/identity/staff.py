"""Routes for the people who work for the organization."""

from typing import Annotated

import msgspec
from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from api.authorization import needs
from api.dependencies import Given
from api.etags import IfMatch, expected_version, tagged
from api.pagination import DEFAULT_LIMIT, Cursor, Limit
from core.access import Access
from core.pages import Page
from identity.authority import Authority
from identity.documents import Units
from identity.invitations import IssuedInvitation, invite_staff
from identity.organizations import Name
from identity.policy import Permission
from identity.staff import (
    Email,
    Language,
    StaffChanges,
    StaffView,
    add_staff,
    change_staff,
    list_staff,
    read_staff,
    reset_second_factor,
)


class NewStaff(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A colleague. `location_ids` null means that they work at all locations."""

    name: Name
    email: Email
    roles: Annotated[list[str], msgspec.Meta(min_length=1, max_length=6, examples=[["therapist"]])]
    location_ids: Annotated[list[str], msgspec.Meta(max_length=1000)] | None
    language: Language = "en"
    units: Units = "us"


class StaffController(Controller):
    path = "/staff"
    tags = ("Staff",)

    @get("/", opt=needs(Permission.STAFF_READ))
    async def list_staff(
        self, access: Given[Access], limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
    ) -> Page[StaffView]:
        """List the organization's staff."""
        return await list_staff(access, limit=limit, cursor=cursor)

    @post("/", opt=needs(Permission.STAFF_MANAGE))
    async def add_staff(self, access: Given[Access], data: JSONBody[NewStaff]) -> Response[StaffView]:
        """Add a colleague, to be invited next."""
        added = await add_staff(access, **msgspec.structs.asdict(data))
        return tagged(added, added.version, status_code=201)

    @get("/{staff_id:str}", opt=needs(Permission.STAFF_READ))
    async def get_staff(self, access: Given[Access], staff_id: FromPath[str]) -> Response[StaffView]:
        """Get one colleague."""
        member = await read_staff(access, staff_id)
        return tagged(member, member.version)

    @patch("/{staff_id:str}", opt=needs(Permission.STAFF_MANAGE))
    async def change_staff(
        self,
        authority: Given[Authority],
        access: Given[Access],
        staff_id: FromPath[str],
        data: JSONBody[StaffChanges],
        if_match: IfMatch = None,
    ) -> Response[StaffView]:
        """Change a colleague's data, roles or locations, or let them go."""
        changed = await change_staff(
            authority, access, staff_id, data, expected_version=expected_version(if_match)
        )
        return tagged(changed, changed.version)

    @post("/{staff_id:str}/invitation", opt=needs(Permission.STAFF_MANAGE))
    async def invite_staff(
        self,
        authority: Given[Authority],
        access: Given[Access],
        staff_id: FromPath[str],
    ) -> IssuedInvitation:
        """Invite a colleague to choose a password, the first one or a new one."""
        return await invite_staff(access, staff_id, public_url=authority.public_url)

    @delete("/{staff_id:str}/second-factor", opt=needs(Permission.STAFF_MANAGE))
    async def reset_second_factor(
        self,
        authority: Given[Authority],
        access: Given[Access],
        staff_id: FromPath[str],
    ) -> None:
        """Take a lost second factor off a colleague's account."""
        await reset_second_factor(authority, access, staff_id)
