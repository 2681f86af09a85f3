"""Organizations and their locations: set up, described, changed."""

from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec

from core.access import Access, Transaction
from core.database import Database
from core.documents import TenantDocument
from core.ids import new_id
from identity.documents import Location, Organization, SessionPolicy, locations, organizations
from identity.time_zones import require_time_zone

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Address = Annotated[str, msgspec.Meta(max_length=500)]

View = TypeVar("View", bound=msgspec.Struct)


class OrganizationView(msgspec.Struct, frozen=True):
    """An organization as its staff see it."""

    id: str
    name: str
    time_zone: str
    demo: bool
    second_factor_required: bool
    version: int


class LocationView(msgspec.Struct, frozen=True):
    """A location as the organization's staff see it."""

    id: str
    name: str
    time_zone: str
    address: str | None
    active: bool
    version: int
    created_at: datetime


class OrganizationChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What to change; what is left out stays."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    time_zone: str | msgspec.UnsetType = msgspec.UNSET
    second_factor_required: bool | msgspec.UnsetType = msgspec.UNSET


class LocationChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What to change; what is left out stays, and a null address clears it."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    time_zone: str | msgspec.UnsetType = msgspec.UNSET
    address: Address | msgspec.UnsetType | None = msgspec.UNSET
    active: bool | msgspec.UnsetType = msgspec.UNSET


async def create_organization(
    database: Database,
    *,
    name: str,
    time_zone: str,
    demo: bool = False,
    second_factor_required: bool = False,
    sessions: SessionPolicy | None = None,
    organization_id: str | None = None,
) -> Access:
    """Set up a new tenant; returns the system's access to it, for provisioning the rest.

    `organization_id` may be chosen where it must be known beforehand, as in the demo clinic.
    """
    require_time_zone(time_zone)
    organization_id = organization_id or new_id(Organization.id_prefix)
    access = database.as_system(organization_id, "provisioning")
    organization = Organization(
        id=organization_id,
        organization_id=organization_id,
        name=name,
        time_zone=time_zone,
        demo=demo,
        second_factor_required=second_factor_required,
        sessions=sessions or SessionPolicy(),
    )

    async def write(tx: Transaction) -> None:
        await organizations.insert(tx, organization)

    await access.transact(write)
    return access


async def read_organization(access: Access) -> OrganizationView:
    """The caller's organization."""
    return await organizations.get(access, access.organization_id, view=OrganizationView)


async def change_organization(
    access: Access, changes: OrganizationChanges, *, expected_version: int | None = None
) -> OrganizationView:
    """Change the caller's organization. `Stale` if it is not at `expected_version` any more."""
    if isinstance(changes.time_zone, str):
        require_time_zone(changes.time_zone)

    async def write(tx: Transaction) -> Organization:
        return await organizations.update(
            tx, tx.organization_id, given(changes), expected_version=expected_version
        )

    return view_of(await access.transact(write), OrganizationView)


async def add_location(
    access: Access, *, name: str, time_zone: str, address: str | None = None
) -> LocationView:
    """Open a location."""
    require_time_zone(time_zone)
    location = Location(
        id=locations.new_id(),
        organization_id=access.organization_id,
        name=name,
        time_zone=time_zone,
        address=address,
    )

    async def write(tx: Transaction) -> Location:
        return await locations.insert(tx, location)

    return view_of(await access.transact(write), LocationView)


async def list_locations(access: Access) -> list[LocationView]:
    """All locations of the organization, in the order in which they were opened."""
    return await locations.find(access, {}, view=LocationView)


async def change_location(
    access: Access, location_id: str, changes: LocationChanges, *, expected_version: int | None = None
) -> LocationView:
    """Change a location. `Stale` if it is not at `expected_version` any more."""
    if isinstance(changes.time_zone, str):
        require_time_zone(changes.time_zone)

    async def write(tx: Transaction) -> Location:
        return await locations.update(tx, location_id, given(changes), expected_version=expected_version)

    return view_of(await access.transact(write), LocationView)


def given(changes: msgspec.Struct) -> dict[str, Any]:
    """The fields of `changes` that were given."""
    return {
        name: value for name, value in msgspec.structs.asdict(changes).items() if value is not msgspec.UNSET
    }


def view_of(document: TenantDocument, view: type[View]) -> View:
    """The document as `view` shows it."""
    return msgspec.convert(document, view, from_attributes=True)
