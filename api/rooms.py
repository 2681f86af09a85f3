"""All rooms put together: what they store, and the background work they do.

Importing this module registers every job and every subscription, so that a process that queues work and one
that does it know the same kinds.
"""

import importlib

import care.documents
import core.jobs
import core.storage.documents
import identity.documents
import pose.documents
from core.documents import TenantDocument

DOCUMENTS: list[type[TenantDocument]] = [
    *core.jobs.DOCUMENTS,
    *core.storage.documents.DOCUMENTS,
    *identity.documents.DOCUMENTS,
    *care.documents.DOCUMENTS,
    *pose.documents.DOCUMENTS,
]
"""Every kind of stored document, for `core.platform.open_platform`."""

for _room in ("core.storage", "care", "pose"):
    importlib.import_module(f"{_room}.jobs")
