"""All rooms put together: what they store, and the background work they do.

Importing this module registers every job and every subscription, so that a process that queues work and one
that does it know the same kinds.
"""

import importlib
from collections.abc import Collection

import care.documents
import core.jobs
import core.storage.documents
import engagement.documents
import identity.documents
import pose.documents
from core.access import Access
from core.documents import TenantDocument
from identity.organizations import list_locations

DOCUMENTS: list[type[TenantDocument]] = [
    *core.jobs.DOCUMENTS,
    *core.storage.documents.DOCUMENTS,
    *identity.documents.DOCUMENTS,
    *care.documents.DOCUMENTS,
    *pose.documents.DOCUMENTS,
    *engagement.documents.DOCUMENTS,
]
"""Every kind of stored document, for `core.platform.open_platform`."""

for _room in ("core.storage", "care", "pose", "engagement"):
    importlib.import_module(f"{_room}.jobs")


async def time_zones_of(access: Access) -> Collection[str]:
    """The time zones in which an organization has locations: when it is seven o'clock, and where."""
    return {location.time_zone for location in await list_locations(access)}
