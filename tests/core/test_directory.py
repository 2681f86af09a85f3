"""Finding an organization by what a person types, without keeping what they type."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.access import Access
from core.database import Database
from core.directory import Entry
from core.master_key import MasterKey
from core.mongo import RawDatabase

EMAIL = "ada@example.org"


async def put(access: Access, subject_id: str, expires_at: datetime | None = None) -> None:
    directory = access.database.directory
    await access.transact(
        lambda tx: directory.put(tx, "email", EMAIL, tx.organization_id, subject_id, expires_at=expires_at)
    )


async def test_one_address_may_lead_to_several_organizations(database: Database) -> None:
    await put(database.as_system("org_a", "test"), "stf_1")
    await put(database.as_system("org_b", "test"), "stf_2")
    await put(database.as_system("org_b", "test"), "stf_2")
    found = await database.directory.find("email", EMAIL)
    assert sorted(found, key=lambda entry: entry.subject_id) == [
        Entry("org_a", "stf_1"),
        Entry("org_b", "stf_2"),
    ]
    assert await database.directory.find("phone", EMAIL) == []
    assert await database.directory.find("email", "nobody@example.org") == []


async def test_an_organization_removes_only_its_own_entries(database: Database) -> None:
    a, b = database.as_system("org_a", "test"), database.as_system("org_b", "test")
    for access, subject_id in ((a, "stf_1"), (a, "stf_2"), (b, "stf_3")):
        await put(access, subject_id)
    await a.transact(lambda tx: database.directory.remove(tx, "email", EMAIL, "stf_1"))
    assert {entry.subject_id for entry in await database.directory.find("email", EMAIL)} == {"stf_2", "stf_3"}
    await a.transact(lambda tx: database.directory.remove(tx, "email", EMAIL))
    assert {entry.subject_id for entry in await database.directory.find("email", EMAIL)} == {"stf_3"}
    with pytest.raises(ValueError, match="organization"):
        await a.transact(lambda tx: database.directory.put(tx, "email", EMAIL, "org_b", "stf_9"))


async def test_an_entry_that_has_expired_leads_nowhere(raw: RawDatabase, master_key: MasterKey) -> None:
    now = datetime(2026, 1, 5, tzinfo=UTC)
    database = await Database.open(raw, master_key, clock=lambda: now)
    # Far enough ahead that the server, which knows the real time, does not remove it.
    later = datetime(2126, 1, 5, tzinfo=UTC)
    await put(database.as_system("org_a", "test"), "inv_1", later)
    assert len(await database.directory.find("email", EMAIL)) == 1
    now = later + timedelta(seconds=1)
    assert await database.directory.find("email", EMAIL) == []


async def test_what_was_typed_is_not_stored_and_another_installation_stores_it_differently(
    raw: RawDatabase, database: Database
) -> None:
    await put(database.as_system("org_a", "test"), "stf_1")
    first = await raw["directory"].find_one({})
    assert EMAIL not in repr(first)
    await raw["directory"].delete_many({})
    for collection in ("root_keys", "tenant_keys", "audit", "audit_heads"):
        await raw[collection].delete_many({})
    other = await Database.open(raw, MasterKey.random())
    await put(other.as_system("org_a", "test"), "stf_1")
    second = await raw["directory"].find_one({})
    assert first is not None
    assert second is not None
    assert first["key"] != second["key"]
