"""Routes of the organization and its locations."""

from typing import Annotated

import msgspec
from litestar import Controller, Response, get, patch, post
from litestar.params import FromPath, JSONBody

from api.authorization import needs
from api.dependencies import Given
from api.etags import IfMatch, expected_version, tagged
from core.access import Access
from identity.organizations import (
    Address,
    LocationChanges,
    LocationView,
    Name,
    OrganizationChanges,
    OrganizationView,
    add_location,
    change_location,
    change_organization,
    list_locations,
    read_organization,
)
from identity.policy import Permission


class NewLocation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A place where patients are treated."""

    name: Name
    time_zone: Annotated[str, msgspec.Meta(max_length=64, examples=["America/Chicago"])]
    address: Address | None = None


class OrganizationController(Controller):
    path = "/organization"
    tags = ("Organization",)

    @get("/", opt=needs(Permission.ORGANIZATION_READ))
    async def get_organization(self, access: Given[Access]) -> Response[OrganizationView]:
        """Get one's own organization."""
        organization = await read_organization(access)
        return tagged(organization, organization.version)

    @patch("/", opt=needs(Permission.ORGANIZATION_MANAGE))
    async def change_organization(
        self, access: Given[Access], data: JSONBody[OrganizationChanges], if_match: IfMatch = None
    ) -> Response[OrganizationView]:
        """Change one's own organization."""
        changed = await change_organization(access, data, expected_version=expected_version(if_match))
        return tagged(changed, changed.version)


class LocationController(Controller):
    path = "/locations"
    tags = ("Organization",)

    @get("/", opt=needs(Permission.ORGANIZATION_READ))
    async def list_locations(self, access: Given[Access]) -> list[LocationView]:
        """List the organization's locations."""
        return await list_locations(access)

    @post("/", opt=needs(Permission.ORGANIZATION_MANAGE))
    async def add_location(
        self, access: Given[Access], data: JSONBody[NewLocation]
    ) -> Response[LocationView]:
        """Open a location."""
        added = await add_location(access, name=data.name, time_zone=data.time_zone, address=data.address)
        return tagged(added, added.version, status_code=201)

    @patch("/{location_id:str}", opt=needs(Permission.ORGANIZATION_MANAGE))
    async def change_location(
        self,
        access: Given[Access],
        location_id: FromPath[str],
        data: JSONBody[LocationChanges],
        if_match: IfMatch = None,
    ) -> Response[LocationView]:
        """Change a location."""
        changed = await change_location(
            access, location_id, data, expected_version=expected_version(if_match)
        )
        return tagged(changed, changed.version)
