"""A practice of its own for each test, with a clock that the test moves."""

from collections.abc import AsyncIterator

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from core.clock import utc_now
from core.database import Database
from core.master_key import MasterKey
from core.mongo import RawDatabase
from core.platform import Platform
from identity import passwords
from identity.authority import Authority
from tests.clinic import Clock
from tests.conftest import imported_documents
from tests.identity.practice import Practice


@pytest.fixture(autouse=True)
def light_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2id with a hundredth of the work: these tests hash hundreds of passwords."""
    light = PasswordHash((Argon2Hasher(1, 1024, 1),))
    monkeypatch.setattr(passwords, "_hasher", light)
    monkeypatch.setattr(passwords, "_DECOY", light.hash("nobody's"))


@pytest.fixture
def clock() -> Clock:
    """The present, standing still; a past one would let MongoDB's TTL indexes delete what a test has made."""
    return Clock(utc_now())


@pytest.fixture
async def database(raw: RawDatabase, master_key: MasterKey, clock: Clock) -> AsyncIterator[Database]:
    """An empty database whose clock is the test's."""
    database = await Database.open(raw, master_key, clock=clock)
    await database.prepare(imported_documents(), indexes=False)
    yield database
    await database.close()


@pytest.fixture
def authority(platform: Platform) -> Authority:
    return Authority.of(platform)


@pytest.fixture
async def practice(authority: Authority) -> Practice:
    return await Practice.open(authority)
