"""Everything a process needs to work, opened in order and closed in reverse."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from core.clock import Clock, utc_now
from core.database import Database, connected
from core.documents import TenantDocument
from core.embedded_mongo import running_mongod
from core.keys import KeyRing
from core.master_key import load_master_key
from core.settings import Settings
from core.storage.objects import ObjectStorage


@dataclass(frozen=True, slots=True)
class Platform:
    """The settings, the database and the object storage of one installation."""

    settings: Settings
    database: Database
    storage: ObjectStorage


@asynccontextmanager
async def open_platform(
    settings: Settings, documents: Sequence[type[TenantDocument]], *, clock: Clock = utc_now
) -> AsyncGenerator[Platform]:
    """The platform, with `documents` ready for use, for as long as the context lasts.

    Without a MongoDB address the embedded server is used: the one that runs for this data folder, or a new
    one.

    Raises:
        Unavailable: the database cannot be reached or started.
        KeyFault: the master key is missing or another one's.
    """
    async with AsyncExitStack() as stack:
        if settings.mongodb_uri is None:
            uri = await stack.enter_async_context(running_mongod(settings))
        else:
            uri = settings.mongodb_uri.reveal()
        raw = await stack.enter_async_context(connected(uri, settings))
        # A database that has been set up needs the key it was set up with: a new one would only confuse.
        master = load_master_key(settings, may_create=not await KeyRing.exists(raw))
        database = await Database.open(raw, master, clock=clock)
        stack.push_async_callback(database.close)
        await database.prepare(documents)
        yield Platform(settings, database, ObjectStorage.at(settings.storage_location))
