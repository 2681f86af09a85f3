"""The audit log: who read and changed what, in one chain for each organization that shows tampering."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from made_up_room import (
    Letter,
    LetterView,
    StampView,
    letter,
    letters,
    stamps,
    store,
    therapist,
)

from core import audit, audit_review
from core.access import Access, Actor, Transaction
from core.audit_review import AuditEntry, Verification, export, link_of, page, verify
from core.database import Database
from core.errors import Conflict
from core.key_rotation import destroy_organization_key
from core.master_key import MasterKey
from core.mongo import RawDatabase


async def log_of(access: Access) -> list[AuditEntry]:
    """All entries, the oldest first, as the system reads them (which leaves no entry)."""
    as_system = access.database.as_system(access.organization_id, "test")
    return list(reversed((await page(as_system, limit=1000)).items))


async def sound(database: Database, organization_id: str) -> int:
    """The number of entries of a log that is as it was written."""
    result = await verify(database, organization_id)
    assert result.ok, result.reason
    return result.entries


class TestWhatIsRecorded:
    async def test_writes_name_documents_fields_and_actor_but_no_content(
        self, system: Access, database: Database
    ) -> None:
        staff = therapist(database, system.organization_id)
        stored = letter(system.organization_id)

        async def write(tx: Transaction) -> None:
            await letters.insert(tx, stored)
            await letters.update(tx, stored.id, {"name": "Grace Hopper", "pages": 2})
            await letters.delete(tx, stored.id)

        await staff.transact(write)
        inserted, updated, deleted = await log_of(system)
        assert (inserted.action, inserted.document_ids, inserted.patient_id) == (
            "insert",
            [stored.id],
            "pat_1",
        )
        assert (updated.action, updated.fields) == ("update", ["name", "pages"])
        assert (deleted.action, deleted.patient_id) == ("delete", "pat_1")
        assert (updated.actor.kind, updated.actor.id, updated.actor.roles) == (
            "staff",
            staff.actor.id,
            ["therapist"],
        )
        assert "Grace" not in repr((inserted, updated, deleted))

    async def test_people_who_read_health_data_are_recorded_and_the_system_is_not(
        self, system: Access, database: Database
    ) -> None:
        mine, others = letter(system.organization_id), letter(system.organization_id, patient_id="pat_2")
        await store(system, mine, others)
        staff = therapist(database, system.organization_id)
        await letters.get(staff, mine.id, view=LetterView)
        await letters.find(staff, {})
        await letters.get(system, mine.id)
        reads = [entry for entry in await log_of(system) if entry.action == "read"]
        assert [(read.document_ids, read.patient_id) for read in reads] == [
            ([mine.id], "pat_1"),
            (sorted([mine.id, others.id]), None),
        ]

    async def test_what_is_no_health_data_is_read_without_an_entry(
        self, system: Access, database: Database
    ) -> None:
        assert await stamps.find(therapist(database, system.organization_id), {}, view=StampView) == []
        assert await log_of(system) == []

    async def test_a_read_that_finds_nothing_leaves_no_entry(
        self, system: Access, database: Database
    ) -> None:
        assert await letters.find(therapist(database, system.organization_id), {}) == []
        assert await log_of(system) == []

    async def test_to_make_sure_that_a_document_is_there_leaves_no_entry(
        self, system: Access, database: Database
    ) -> None:
        stored = letter(system.organization_id)
        await store(system, stored)
        await letters.require(therapist(database, system.organization_id), stored.id)
        assert [entry.action for entry in await log_of(system)] == ["insert"]

    async def test_a_refused_transaction_leaves_no_entry(self, system: Access, database: Database) -> None:
        stored = letter(system.organization_id)
        await store(system, stored)
        with pytest.raises(Conflict):
            await store(system, letter(system.organization_id), stored)
        assert await sound(database, system.organization_id) == 1
        assert len(await letters.find(system, {})) == 1

    async def test_the_reason_for_emergency_access_is_recorded_and_unreadable_at_rest(
        self, system: Access, database: Database, raw: RawDatabase
    ) -> None:
        stored = letter(system.organization_id)
        await store(system, stored)
        actor = Actor(system.organization_id, "staff", "stf_1", emergency_reason="Ada Lovelace fell")
        await letters.get(database.access(actor), stored.id)
        assert (await log_of(system))[-1].actor.emergency_reason == "Ada Lovelace fell"
        assert "Lovelace" not in repr(await raw["audit"].find({}).to_list())
        await destroy_organization_key(database, system.organization_id)
        assert (await log_of(system))[1].actor.emergency_reason is None
        assert await sound(database, system.organization_id) == 3


class TestReview:
    async def test_pages_go_back_from_the_newest_and_are_recorded_themselves(
        self, system: Access, database: Database
    ) -> None:
        await store(system, *(letter(system.organization_id) for _ in range(5)))
        manager = therapist(database, system.organization_id)
        first = await page(manager, limit=2)
        second = await page(manager, limit=10, cursor=first.next_cursor)
        assert [entry.seq for entry in (*first.items, *second.items)] == [5, 4, 3, 2, 1]
        assert second.next_cursor is None
        assert [entry.collection for entry in (await log_of(system))[-2:]] == ["audit", "audit"]

    async def test_filters_by_patient_actor_and_time(self, raw: RawDatabase, master_key: MasterKey) -> None:
        now = datetime(2026, 1, 5, tzinfo=UTC)
        database = await Database.open(raw, master_key, clock=lambda: now)
        await database.prepare([Letter], indexes=False)
        system = database.as_system("org_a", "seed")
        await store(system, letter("org_a"), letter("org_a", patient_id="pat_2"))
        now += timedelta(days=1)
        await store(database.as_system("org_a", "other"), letter("org_a", patient_id="pat_2"))

        async def seqs(**filters: Any) -> list[int]:  # noqa: ANN401 - the filters of `page`
            return [entry.seq for entry in (await page(system, limit=10, **filters)).items]

        assert await seqs(patient_id="pat_2") == [3, 2]
        assert await seqs(actor_id="seed") == [2, 1]
        assert await seqs(since=now) == [3]
        assert await seqs(until=now) == [2, 1]
        assert await seqs(since=now, until=now) == []

    async def test_the_export_holds_every_entry_with_its_code(
        self, system: Access, database: Database
    ) -> None:
        await store(system, letter(system.organization_id), letter(system.organization_id))
        entries = [entry async for entry in export(database, system.organization_id)]
        msgspec.json.encode(entries)
        assert [entry["seq"] for entry in entries] == [1, 2]
        assert entries[1]["previous"] == entries[0]["mac"]
        assert (await verify(database, system.organization_id)).end == f"2:{entries[1]['mac']}"

    async def test_one_organization_never_sees_anothers_log(self, system: Access, database: Database) -> None:
        await store(system, letter(system.organization_id))
        assert await log_of(database.as_system("org_other", "test")) == []


class TestTampering:
    """Whoever can write to the database can destroy the log, but not change it unnoticed."""

    @pytest.fixture
    async def log(self, system: Access, raw: RawDatabase) -> list[str]:
        """The ids of a log of five entries."""
        await store(system, *(letter(system.organization_id) for _ in range(5)))
        return [row["_id"] async for row in raw["audit"].find({}).sort("_id", 1)]

    @staticmethod
    async def broken(database: Database, organization_id: str) -> Verification:
        result = await verify(database, organization_id)
        assert not result.ok
        return result

    async def test_an_untouched_log_is_fine(self, system: Access, database: Database, log: list[str]) -> None:
        assert await sound(database, system.organization_id) == len(log)

    @pytest.mark.parametrize(
        "change",
        [
            {"$set": {"actor.id": "somebody else"}},
            {"$set": {"at": datetime(2020, 1, 1, tzinfo=UTC)}},
            {"$set": {"document_ids": []}},
            {"$set": {"seq": 99}},
            {"$set": {"seq": 3.0}},
            {"$set": {"organization_id": "org_other"}},
            {"$set": {"added": None}},
            {"$unset": {"note": 1}},
            {"$set": {"mac": b"\x00" * 32}},
        ],
    )
    async def test_a_changed_entry_is_named(
        self, system: Access, database: Database, raw: RawDatabase, log: list[str], change: dict[str, Any]
    ) -> None:
        await raw["audit"].update_one({"_id": log[2]}, change)
        result = await self.broken(database, system.organization_id)
        assert (result.first_bad_seq, result.entries) == (3, 2)

    @pytest.mark.parametrize("removed", [slice(0, 1), slice(2, 3), slice(4, 5), slice(3, 5), slice(0, 5)])
    async def test_removed_entries_are_noticed_also_at_the_end(
        self, system: Access, database: Database, raw: RawDatabase, log: list[str], removed: slice
    ) -> None:
        await raw["audit"].delete_many({"_id": {"$in": log[removed]}})
        result = await self.broken(database, system.organization_id)
        assert result.first_bad_seq == removed.start + 1

    async def test_going_on_after_the_end_was_removed_does_not_hide_it(
        self, system: Access, raw: RawDatabase, master_key: MasterKey, log: list[str]
    ) -> None:
        await raw["audit"].delete_many({"_id": {"$in": log[3:]}})
        restarted = await Database.open(raw, master_key)
        await restarted.prepare([Letter], indexes=False)
        await store(restarted.as_system(system.organization_id, "test"), letter(system.organization_id))
        result = await self.broken(restarted, system.organization_id)
        assert result.first_bad_seq == 4

    async def test_a_log_removed_with_its_head_is_noticed(
        self, system: Access, raw: RawDatabase, master_key: MasterKey, log: list[str]
    ) -> None:
        del log
        await raw["audit"].delete_many({})
        await raw["audit_heads"].delete_many({})
        restarted = await Database.open(raw, master_key)
        await restarted.prepare([Letter], indexes=False)
        await self.broken(restarted, system.organization_id)
        await store(restarted.as_system(system.organization_id, "test"), letter(system.organization_id))
        await self.broken(restarted, system.organization_id)

    async def test_an_entry_put_in_or_copied_is_noticed(
        self, system: Access, database: Database, raw: RawDatabase, log: list[str]
    ) -> None:
        entry = await raw["audit"].find_one({"_id": log[4]})
        assert entry is not None
        await raw["audit"].insert_one(entry | {"_id": log[4][:-1] + "6", "seq": 6})
        assert (await self.broken(database, system.organization_id)).first_bad_seq == 6

    async def test_a_head_moved_back_is_noticed(
        self, system: Access, database: Database, raw: RawDatabase, log: list[str]
    ) -> None:
        entry = await raw["audit"].find_one({"_id": log[2]})
        assert entry is not None
        await raw["audit"].delete_many({"_id": {"$in": log[3:]}})
        await raw["audit_heads"].update_one({}, {"$set": {"seq": 3, "mac": entry["mac"]}})
        await self.broken(database, system.organization_id)

    async def test_an_older_copy_of_everything_is_noticed_by_an_end_noted_elsewhere(
        self, system: Access, database: Database, raw: RawDatabase, log: list[str]
    ) -> None:
        head = await raw["audit_heads"].find_one({})
        assert head is not None
        await store(system, letter(system.organization_id))
        noted = (await verify(database, system.organization_id)).end
        await raw["audit"].delete_many({"_id": {"$nin": log}})
        await raw["audit_heads"].replace_one({}, head)
        assert (await verify(database, system.organization_id)).ok
        result = await verify(database, system.organization_id, expected=link_of(noted))
        assert (result.ok, result.first_bad_seq) == (False, 6)


class TestManyAtOnce:
    async def test_reads_at_the_same_moment_share_an_insert_and_all_are_recorded(
        self, system: Access, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stored = letter(system.organization_id)
        await store(system, stored)
        staff = therapist(database, system.organization_id)
        batches: list[int] = []
        real = audit.AuditLog._record  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - to count inserts

        async def counted(self: audit.AuditLog, organization_id: str, chain: Any, reads: Any) -> None:  # noqa: ANN401
            batches.append(len(reads))
            await real(self, organization_id, chain, reads)

        monkeypatch.setattr(audit.AuditLog, "_record", counted)
        await asyncio.gather(*(letters.get(staff, stored.id, view=LetterView) for _ in range(60)))
        assert sum(batches) == 60
        assert len(batches) < 60
        assert await sound(database, system.organization_id) == 61

    async def test_a_read_returns_only_once_its_entry_is_stored(
        self, system: Access, database: Database, raw: RawDatabase
    ) -> None:
        stored = letter(system.organization_id)
        await store(system, stored)
        for expected in range(2, 6):
            await letters.get(therapist(database, system.organization_id), stored.id)
            assert await raw["audit"].count_documents({}) == expected

    async def test_a_read_that_cannot_be_recorded_is_not_answered(
        self, system: Access, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stored = letter(system.organization_id)
        await store(system, stored)
        staff = therapist(database, system.organization_id)
        with monkeypatch.context() as patch:

            def fail(*_: object) -> object:
                raise OSError("the database is gone")

            patch.setattr(audit, "sealed_entry", fail)
            with pytest.raises(OSError, match="gone"):
                await letters.get(staff, stored.id)
        await letters.get(staff, stored.id)
        assert await sound(database, system.organization_id) == 2

    async def test_someone_who_stops_waiting_does_not_disturb_the_others(
        self, system: Access, database: Database
    ) -> None:
        stored = letter(system.organization_id)
        await store(system, stored)
        staff = therapist(database, system.organization_id)
        tasks = [asyncio.create_task(letters.get(staff, stored.id)) for _ in range(10)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(result, asyncio.CancelledError) for result in results] == [True, False] * 5
        await sound(database, system.organization_id)

    async def test_a_single_read_continues_what_another_process_wrote_meanwhile(
        self, system: Access, database: Database, raw: RawDatabase, master_key: MasterKey
    ) -> None:
        other = await Database.open(raw, master_key)
        await other.prepare([Letter], indexes=False)
        stored = letter(system.organization_id)
        await store(system, stored)
        for process in (database, other) * 3:
            await letters.get(therapist(process, system.organization_id), stored.id)
        assert await sound(database, system.organization_id) == 1 + 6
        await other.close()

    async def test_two_processes_write_one_chain(
        self, system: Access, database: Database, raw: RawDatabase, master_key: MasterKey
    ) -> None:
        """Two databases opened on their own know nothing of each other, as two processes do not."""
        other = await Database.open(raw, master_key)
        await other.prepare([Letter], indexes=False)
        organization_id = system.organization_id
        stored = letter(organization_id)
        await store(system, stored)

        async def busy(process: Database) -> None:
            staff = therapist(process, organization_id)
            for _ in range(8):
                await store(process.as_system(organization_id, "test"), letter(organization_id))
                await asyncio.gather(*(letters.get(staff, stored.id, view=LetterView) for _ in range(3)))

        await asyncio.gather(busy(database), busy(database), busy(other), busy(other))
        assert await sound(database, organization_id) == 1 + 4 * 8 * 4
        await other.close()

    async def test_the_end_is_signed_soon_after_a_read_and_when_the_database_is_closed(
        self, system: Access, database: Database, raw: RawDatabase, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stored = letter(system.organization_id)
        await store(system, stored)
        staff = therapist(database, system.organization_id)

        async def signed() -> int:
            head = await raw["audit_heads"].find_one({})
            assert head is not None
            return head["seq"]

        await letters.get(staff, stored.id)
        assert await signed() == 1
        await database.audit.close()
        assert await signed() == 2
        monkeypatch.setattr(audit, "ANCHOR_DELAY_S", 0.01)
        await letters.get(staff, stored.id)
        for _ in range(200):
            if await signed() == 3:
                break
            await asyncio.sleep(0.01)
        assert await signed() == 3
        assert audit_review.text_of(link_of("3:00ff")) == "3:00ff"
