"""All rooms put together: what they store, and the background work they do."""

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

_ROOMS_WITH_JOBS = ("core.storage", "care", "pose", "engagement")


def register_jobs() -> None:
    """Make every kind of job and every subscription known.

    A process that queues work and one that does it must know the same kinds.
    """
    for room in _ROOMS_WITH_JOBS:
        importlib.import_module(f"{room}.jobs")


async def time_zones_of(access: Access) -> Collection[str]:
    """The time zones in which an organization has locations: when it is seven o'clock, and where."""
    return {location.time_zone for location in await list_locations(access)}
