"""Where patients are treated, as far as care needs it: the place exists, and its clock is the patient's."""

from zoneinfo import ZoneInfo

from msgspec import Struct

from care.local_time import zone_named
from core.access import Access
from core.errors import FieldFault, Invalid
from identity.documents import locations


class _Location(Struct):
    id: str
    time_zone: str
    active: bool


async def zone_of(access: Access, location_id: str) -> ZoneInfo:
    """The time zone of a location of the organization."""
    location = await locations.get(access, location_id, view=_Location)
    return zone_named(location.time_zone)


async def locations_in(access: Access, zone: str) -> list[str]:
    """Ids of the organization's locations in that time zone."""
    return [place.id for place in await locations.find(access, {"time_zone": zone}, view=_Location)]


async def require_open(access: Access, location_id: str) -> None:
    """`Invalid` unless patients can be treated at the location."""
    location = await locations.find_one(access, {"_id": location_id}, view=_Location)
    if location is None or not location.active:
        raise Invalid(
            "The location cannot take patients.", [FieldFault("/location_id", "is not an open location")]
        )


async def require_within_reach(access: Access, location_id: str) -> None:
    """`Invalid` unless the location is open and the caller works there."""
    await require_open(access, location_id)
    reach = access.actor.location_ids
    if reach is not None and location_id not in reach:
        raise Invalid(
            "You do not work at that location.", [FieldFault("/location_id", "is not one of yours")]
        )
