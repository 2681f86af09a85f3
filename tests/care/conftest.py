"""A practice of its own for each test, with a clock that the test moves."""

from collections.abc import AsyncIterator

import pytest

from core.database import Database
from core.ids import new_id
from core.master_key import MasterKey
from core.mongo import RawDatabase
from tests.clinic import Clinic, Clock
from tests.conftest import imported_documents


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(raw: RawDatabase, master_key: MasterKey, clock: Clock) -> AsyncIterator[Database]:
    """An empty database whose clock is the test's."""
    database = await Database.open(raw, master_key, clock=clock)
    await database.prepare(imported_documents(), indexes=False)
    yield database
    await database.close()


@pytest.fixture
async def clinic(database: Database) -> Clinic:
    clinic = Clinic(database, new_id("org"))
    await clinic.open()
    return clinic
