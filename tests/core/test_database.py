"""Transactions, the indexes that stand as declared, and servers that will not do."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import pytest
from made_up_room import Letter, Stamp, StampView, letter, letters, stamps, store, therapist
from pymongo.errors import PyMongoError

from core.access import Access, Transaction
from core.audit_review import verify
from core.database import Database, connected
from core.documents import TenantDocument
from core.errors import NotFound, Unavailable
from core.events import Event
from core.indexes import ASCENDING, IndexFault, IndexModel, make_indexes
from core.master_key import MasterKey
from core.mongo import RawDatabase
from core.settings import Settings


class LetterSent(Event, frozen=True, kw_only=True):
    """Made up: a letter went out."""

    name: ClassVar[str] = "LetterSent"
    letter_id: str


class TestTransactions:
    async def test_all_of_it_is_stored_or_nothing(self, system: Access, raw: RawDatabase) -> None:
        stored = letter(system.organization_id)

        async def work(tx: Transaction) -> None:
            await letters.insert(tx, stored)
            await tx.publish(LetterSent(letter_id=stored.id, patient_id="pat_1"))
            await letters.update(tx, "let_none", {"pages": 2})

        with pytest.raises(NotFound):
            await system.transact(work)
        for collection in ("test_letters", "events", "audit"):
            assert await raw[collection].count_documents({}) == 0, collection

    async def test_a_fact_is_recorded_with_what_made_it_true(self, system: Access, raw: RawDatabase) -> None:
        stored = letter(system.organization_id)

        async def work(tx: Transaction) -> None:
            await letters.insert(tx, stored)
            await tx.publish(LetterSent(letter_id=stored.id, patient_id="pat_1"))

        await system.transact(work)
        event = await raw["events"].find_one({})
        assert event is not None
        assert (event["organization_id"], event["name"], event["patient_id"]) == (
            system.organization_id,
            "LetterSent",
            "pat_1",
        )
        assert event["data"] == {"letter_id": stored.id, "patient_id": "pat_1"}

    async def test_what_is_written_is_seen_within_and_outside_only_afterwards(
        self, system: Access, database: Database
    ) -> None:
        stored = letter(system.organization_id)
        outside = database.as_system(system.organization_id, "other")

        async def work(tx: Transaction) -> int:
            await letters.insert(tx, stored)
            assert await asyncio.create_task(letters.count(outside, {})) == 0
            return len(await letters.find(tx, {}))

        assert await system.transact(work) == 1
        assert await letters.count(system, {}) == 1

    async def test_it_runs_again_after_a_conflict_until_it_fits(
        self, raw: RawDatabase, database: Database, master_key: MasterKey, organization_id: str
    ) -> None:
        """Counting up from several processes at once loses no count."""
        stamp = Stamp(id=stamps.new_id(), organization_id=organization_id)
        await database.as_system(organization_id, "test").transact(lambda tx: stamps.insert(tx, stamp))
        others = [await Database.open(raw, master_key) for _ in range(3)]
        runs = 0

        async def count_up(tx: Transaction) -> None:
            nonlocal runs
            runs += 1
            present = await stamps.get(tx, stamp.id, view=StampView)
            await stamps.update(tx, stamp.id, {"value": present.value + 1})

        async def busy(process: Database) -> None:
            for _ in range(6):
                await process.as_system(organization_id, "test").transact(count_up)

        await asyncio.gather(*(busy(process) for process in others))
        present = await stamps.get(database.as_system(organization_id, "test"), stamp.id, view=StampView)
        assert present.value == 18
        assert runs > 18, "no conflict happened, so nothing was shown"
        result = await verify(database, organization_id)
        assert (result.ok, result.entries) == (True, 19)

    async def test_a_failure_of_the_driver_leaves_a_chain_that_goes_on(self, system: Access) -> None:
        async def fail(tx: Transaction) -> None:
            await letters.insert(tx, letter(system.organization_id))
            raise PyMongoError("the connection is gone")

        with pytest.raises(PyMongoError):
            await system.transact(fail)
        await store(system, letter(system.organization_id))
        result = await verify(system.database, system.organization_id)
        assert (result.ok, result.entries) == (True, 1)

    async def test_who_is_cancelled_leaves_a_chain_that_goes_on(self, system: Access) -> None:
        begun = asyncio.Event()

        async def wait(tx: Transaction) -> None:
            await letters.insert(tx, letter(system.organization_id))
            begun.set()
            await asyncio.sleep(60)

        task = asyncio.create_task(system.transact(wait))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await store(system, letter(system.organization_id))
        assert (await verify(system.database, system.organization_id)).entries == 1

    @pytest.mark.parametrize("around", ["write", "read"])
    async def test_going_around_a_transaction_from_within_is_an_error_not_a_deadlock(
        self, system: Access, database: Database, around: str
    ) -> None:
        stored = letter(system.organization_id)
        await store(system, stored)
        staff = therapist(database, system.organization_id)

        async def work(tx: Transaction) -> None:
            del tx
            if around == "write":
                await store(system, letter(system.organization_id))
            else:
                await letters.get(staff, stored.id)

        with pytest.raises(RuntimeError, match="transaction"):
            await asyncio.wait_for(staff.transact(work), 10)

    async def test_a_transaction_within_joins_the_one_around_it(self, system: Access) -> None:
        async def work(tx: Transaction) -> None:
            await tx.transact(lambda same: letters.insert(same, letter(tx.organization_id)))
            raise NotFound("all of it is undone")

        with pytest.raises(NotFound):
            await system.transact(work)
        assert await letters.count(system, {}) == 0


def documents_with(*indexes: IndexModel) -> type[TenantDocument]:
    """A kind of document with these indexes."""
    settings = type(
        "Settings", (TenantDocument.Settings,), {"name": "test_indexed", "indexes": list(indexes)}
    )
    # It never becomes a Beanie document: its indexes are all that is asked of it.
    made: Any = type("Indexed", (), {"Settings": settings, "__name__": "Indexed"})
    return made


class TestIndexes:
    async def test_two_over_the_same_fields_both_stand(self, raw: RawDatabase) -> None:
        """Beanie alone keeps one of them, and here that would be the one that is not unique."""
        both = documents_with(
            IndexModel([("organization_id", ASCENDING), ("a", ASCENDING)], name="one_per_a", unique=True),
            IndexModel([("organization_id", ASCENDING), ("a", ASCENDING), ("b", -1)], name="by_a_and_b"),
            IndexModel([("organization_id", ASCENDING), ("b", -1), ("a", ASCENDING)], name="by_b_and_a"),
        )
        await make_indexes(raw, [both])
        assert set(await raw["test_indexed"].index_information()) == {
            "_id_",
            "one_per_a",
            "by_a_and_b",
            "by_b_and_a",
        }
        await raw.drop_collection("test_indexed")

    async def test_one_that_stands_otherwise_than_declared_is_a_fault(self, raw: RawDatabase) -> None:
        await make_indexes(
            raw, [documents_with(IndexModel([("organization_id", 1), ("a", 1)], name="of_a", unique=True))]
        )
        for changed in (
            IndexModel([("organization_id", 1), ("a", 1)], name="of_a"),
            IndexModel([("organization_id", 1), ("b", 1)], name="of_a", unique=True),
        ):
            with pytest.raises(IndexFault):
                await make_indexes(raw, [documents_with(changed)])
        await raw.drop_collection("test_indexed")

    @pytest.mark.parametrize(
        ("index", "reason"),
        [
            (IndexModel([("a", 1)], name="of_a"), "organization_id"),
            (IndexModel([("organization_id", 1), ("a", 1)]), "name"),
        ],
    )
    async def test_one_without_a_name_or_the_organization_is_a_fault(
        self, raw: RawDatabase, index: IndexModel, reason: str
    ) -> None:
        with pytest.raises(IndexFault, match=reason):
            await make_indexes(raw, [documents_with(index)])

    async def test_every_declared_index_was_made(self, raw: RawDatabase) -> None:
        assert set(await raw["test_letters"].index_information()) == {"_id_", "one_per_email", "by_pages"}
        assert {"by_time", "by_patient", "by_actor"} <= set(await raw["audit"].index_information())


class TestServers:
    async def test_a_server_that_does_not_answer_is_unavailable_and_its_password_not_shown(self) -> None:
        uri = "mongodb://me:hunter2@%2Fnowhere%2Fmongod.sock/"
        with pytest.raises(Unavailable) as caught:
            async with connected(uri, Settings(), timeout_s=0.2):
                pass
        assert "hunter2" not in caught.value.detail

    async def test_features_are_asked_of_the_server(self, database: Database) -> None:
        await database.ping()
        await database.prepare([Letter, Stamp], indexes=False)
        assert database.server_has(6, 0)
        assert not database.server_has(99)

    async def test_a_server_that_is_too_old_is_refused(
        self, database: Database, raw: RawDatabase, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def old(_: object, command: str) -> dict[str, Any]:
            assert command == "buildInfo"
            return {"version": "5.0.1", "versionArray": [5, 0, 1, 0]}

        monkeypatch.setattr(type(raw), "command", old)
        with pytest.raises(Unavailable, match="too old"):
            await database.prepare([])
