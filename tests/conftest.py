"""Fixtures for every room: a real MongoDB for the whole run, and an empty database for each test that asks.

Each test names itself a new organization, so that nothing one test leaves behind is seen by another.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest
from pymongo import AsyncMongoClient

from core.access import Access
from core.database import Database, raw_database
from core.documents import TenantDocument
from core.embedded_mongo import running_mongod
from core.ids import new_id
from core.indexes import make_indexes
from core.master_key import MasterKey
from core.mongo import RawDatabase, RawDocument
from core.platform import Platform
from core.settings import Secret, Settings
from core.storage.objects import ObjectStorage

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile(
    "homestretch", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("homestretch")


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder with a path short enough for sockets, gone after the run."""
    with tempfile.TemporaryDirectory(prefix="hs-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
async def mongodb_uri(short_folder: Path) -> AsyncIterator[str]:
    """A real MongoDB: the one `HOMESTRETCH_TEST_MONGODB_URI` names, else an embedded one."""
    if given := os.environ.get("HOMESTRETCH_TEST_MONGODB_URI"):
        yield given
        return
    async with running_mongod(Settings(data=short_folder)) as uri:
        yield uri


@pytest.fixture(scope="session")
async def mongo_client(mongodb_uri: str) -> AsyncIterator[AsyncMongoClient[RawDocument]]:
    client: AsyncMongoClient[RawDocument] = AsyncMongoClient(mongodb_uri)
    yield client
    await client.close()


@pytest.fixture(scope="session")
async def indexed_database(mongo_client: AsyncMongoClient[RawDocument]) -> AsyncIterator[RawDatabase]:
    """One database with every index that the imported documents declare; tests share its collections."""
    name = f"test_{os.getpid()}"
    raw = raw_database(mongo_client, name)
    await make_indexes(raw, imported_documents())
    yield raw
    await mongo_client.drop_database(name)


@pytest.fixture
def master_key() -> MasterKey:
    return MasterKey.random()


@pytest.fixture
async def raw(indexed_database: RawDatabase) -> RawDatabase:
    """The database, emptied; its indexes stay, because making them anew costs half a second."""
    for name in await indexed_database.list_collection_names():
        await indexed_database[name].delete_many({})
    return indexed_database


@pytest.fixture
async def database(raw: RawDatabase, master_key: MasterKey) -> AsyncIterator[Database]:
    """An empty database with keys of its own."""
    database = await Database.open(raw, master_key)
    await database.prepare(imported_documents(), indexes=False)
    yield database
    await database.close()


@pytest.fixture
def settings(tmp_path: Path, mongodb_uri: str, raw: RawDatabase) -> Settings:
    """Settings of an installation whose database is `raw` and whose data folder is the test's own."""
    return Settings(data=tmp_path, mongodb_uri=Secret(mongodb_uri), mongodb_database=raw.name)


@pytest.fixture
def platform(settings: Settings, database: Database) -> Platform:
    """An opened platform with an empty database and empty object storage."""
    return Platform(settings, database, ObjectStorage.at(settings.storage_location))


@pytest.fixture
def organization_id() -> str:
    return new_id("org")


@pytest.fixture
def system(database: Database, organization_id: str) -> Access:
    """The system acting for the test's organization."""
    return database.as_system(organization_id, "test")


def imported_documents() -> list[type[TenantDocument]]:
    """Every kind of document that the tests of this run have imported."""
    found: list[type[TenantDocument]] = []
    waiting = TenantDocument.__subclasses__()
    while waiting:
        document = waiting.pop()
        waiting += document.__subclasses__()
        if getattr(document.Settings, "name", None):
            found.append(document)
    return found
