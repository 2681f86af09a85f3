"""Time zones by their IANA names."""

from functools import cache
from zoneinfo import available_timezones

from core.errors import FieldFault, Invalid


def require_time_zone(name: str, *, pointer: str = "/time_zone") -> None:
    """Raise `Invalid` unless `name` is a time zone such as `America/Chicago`."""
    if name not in _names():
        fault = FieldFault(pointer, "not an IANA time zone, for instance America/Chicago")
        raise Invalid("There is no such time zone.", [fault])


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones())
