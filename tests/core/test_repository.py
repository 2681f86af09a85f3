"""What a repository shows to whom, and what it refuses."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from made_up_room import Letter, LetterView, Stamp, letter, letters, patient, stamps, store, therapist

from core.access import Access, Transaction
from core.database import Database
from core.documents import TenantDocument
from core.errors import Conflict, Invalid, NotFound, Stale
from core.ids import new_id
from core.repository import Repository


class TestAnotherOrganization:
    """For an actor, what another organization has does not exist."""

    async def test_nothing_of_it_can_be_read_changed_or_removed(
        self, system: Access, database: Database
    ) -> None:
        theirs = letter("org_other", email="ada@example.org")
        await store(database.as_system("org_other", "test"), theirs)
        for access in (system, therapist(database, system.organization_id)):
            with pytest.raises(NotFound):
                await letters.get(access, theirs.id)
            assert await letters.find_one(access, {"email": "ada@example.org"}) is None
            assert await letters.find(access, {}) == []
            assert await letters.count(access, {}) == 0
            assert await letters.aggregate(access, [{"$match": {}}]) == []
            assert (await letters.page(access, {}, view=LetterView, limit=5, cursor=None)).items == []

            async def change(tx: Transaction) -> None:
                await letters.update(tx, theirs.id, {"pages": 9})

            async def remove(tx: Transaction) -> None:
                await letters.delete(tx, theirs.id)

            for write in (change, remove):
                with pytest.raises(NotFound):
                    await access.transact(write)
        assert (await letters.get(database.as_system("org_other", "test"), theirs.id)).pages == 1

    async def test_a_document_cannot_be_put_there(self, system: Access) -> None:
        with pytest.raises(NotFound):
            await store(system, letter("org_other"))

    async def test_a_query_cannot_widen_its_reach(self, system: Access, database: Database) -> None:
        await store(database.as_system("org_other", "test"), letter("org_other"))
        for query in (
            {"organization_id": "org_other"},
            {"organization_id": {"$exists": True}},
            {"$or": [{"organization_id": "org_other"}, {}]},
        ):
            assert await letters.find(system, query) == []

    async def test_the_same_unique_value_is_free_in_each_organization(
        self, system: Access, database: Database
    ) -> None:
        await store(system, letter(system.organization_id, email="ada@example.org"))
        await store(database.as_system("org_other", "test"), letter("org_other", email="ada@example.org"))
        with pytest.raises(Conflict):
            await store(system, letter(system.organization_id, email="ada@example.org"))


class TestWithinAnOrganization:
    async def test_a_patient_reaches_only_what_is_about_themselves(
        self, system: Access, database: Database
    ) -> None:
        mine, others = letter(system.organization_id), letter(system.organization_id, patient_id="pat_2")
        await store(system, mine, others)
        me = patient(database, system.organization_id, "pat_1")
        assert [each.id for each in await letters.find(me, {})] == [mine.id]
        with pytest.raises(NotFound):
            await letters.get(me, others.id)
        with pytest.raises(NotFound):
            await store(me, letter(system.organization_id, patient_id="pat_2"))

    async def test_staff_bound_to_locations_reach_only_those(
        self, system: Access, database: Database
    ) -> None:
        here, there = letter(system.organization_id), letter(system.organization_id, location_id="loc_2")
        await store(system, here, there)
        bound = therapist(database, system.organization_id, "loc_1", "loc_3")
        assert [each.id for each in await letters.find(bound, {})] == [here.id]
        with pytest.raises(NotFound):
            await letters.get(bound, there.id)
        with pytest.raises(NotFound):
            await store(bound, letter(system.organization_id, location_id="loc_2"))
        assert len(await letters.find(therapist(database, system.organization_id), {})) == 2

    async def test_who_is_asked_for_must_be_within_reach(self, system: Access, database: Database) -> None:
        organization_id = system.organization_id
        there = letter(organization_id, location_id="loc_2")
        await store(system, there)
        await letters.require(patient(database, organization_id, "pat_1"), there.id)
        await letters.require(therapist(database, organization_id, "loc_2"), there.id)
        for access in (
            patient(database, organization_id, "pat_2"),
            therapist(database, organization_id, "loc_1"),
            database.as_system("org_other", "test"),
        ):
            with pytest.raises(NotFound):
                await letters.require(access, there.id)

    async def test_a_transaction_has_the_same_reach(self, system: Access, database: Database) -> None:
        others = letter(system.organization_id, patient_id="pat_2")
        await store(system, others)

        async def work(tx: Transaction) -> None:
            await letters.update(tx, others.id, {"pages": 5})

        with pytest.raises(NotFound):
            await patient(database, system.organization_id, "pat_1").transact(work)


class TestChanging:
    async def test_the_version_grows_and_only_the_given_fields_change(self, system: Access) -> None:
        stored = letter(system.organization_id, email="ada@example.org")
        await store(system, stored)

        async def change(tx: Transaction) -> Letter:
            return await letters.update(tx, stored.id, {"pages": 4}, expected_version=1)

        changed = await system.transact(change)
        assert (changed.version, changed.pages, changed.name, changed.email) == (
            2,
            4,
            stored.name,
            "ada@example.org",
        )
        assert changed.created_at == stored.created_at
        assert changed.updated_at >= stored.updated_at

    async def test_who_read_an_older_version_is_told_so(self, system: Access) -> None:
        stored = letter(system.organization_id)
        await store(system, stored)

        async def change(tx: Transaction) -> Letter:
            return await letters.update(tx, stored.id, {"pages": 4}, expected_version=1)

        await system.transact(change)
        with pytest.raises(Stale):
            await system.transact(change)
        with pytest.raises(NotFound):
            await system.transact(lambda tx: letters.update(tx, "let_none", {"pages": 4}, expected_version=1))

    async def test_of_many_who_change_the_same_version_one_wins(self, system: Access) -> None:
        stored = letter(system.organization_id)
        await store(system, stored)

        async def change(tx: Transaction) -> Letter:
            return await letters.update(tx, stored.id, {"pages": 4}, expected_version=1)

        results = await asyncio.gather(*(system.transact(change) for _ in range(6)), return_exceptions=True)
        assert sorted(type(result).__name__ for result in results) == ["Letter", *["Stale"] * 5]

    async def test_what_a_document_cannot_be_is_refused(self, system: Access) -> None:
        stored = letter(system.organization_id)
        await store(system, stored)
        for changes in (
            {"organization_id": "org_other"},
            {"patient_id": "pat_2"},
            {"id": "let_x"},
            {"made_up": 1},
        ):

            async def change(tx: Transaction, changes: dict[str, Any] = changes) -> None:
                await letters.update(tx, stored.id, changes)

            with pytest.raises(ValueError, match="cannot be updated"):
                await system.transact(change)


class TestPages:
    @how(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)
    @given(
        pages=st.lists(st.integers(0, 4), max_size=12),
        limit=st.integers(1, 5),
        order=st.sampled_from([1, -1]),
        sort=st.sampled_from(["_id", "pages"]),
    )
    async def test_every_document_is_on_exactly_one_page_in_order(
        self, database: Database, pages: list[int], limit: int, order: int, sort: str
    ) -> None:
        access = database.as_system(new_id("org"), "test")
        await store(access, *(letter(access.organization_id, pages=count) for count in pages))
        seen: list[LetterView] = []
        cursor = None
        while True:
            got = await letters.page(
                access, {}, view=LetterView, limit=limit, cursor=cursor, sort=sort, descending=order < 0
            )
            seen += got.items
            assert len(got.items) <= limit
            if (cursor := got.next_cursor) is None:
                break
        found = [(each.pages, each.id) if sort == "pages" else each.id for each in seen]
        assert found == sorted(found, reverse=order < 0)
        assert len({each.id for each in seen}) == len(seen) == len(pages)

    @pytest.mark.parametrize("cursor", ["", "x", "!!!!", "eyJ9", "kaN4eXo"])
    async def test_a_cursor_that_is_none_of_ours_is_refused(self, system: Access, cursor: str) -> None:
        with pytest.raises(Invalid):
            await letters.page(system, {}, view=LetterView, limit=5, cursor=cursor, sort="pages")

    async def test_instants_can_be_sorted_by(self, system: Access) -> None:
        await store(system, *(letter(system.organization_id) for _ in range(3)))
        first = await letters.page(system, {}, view=LetterView, limit=2, cursor=None, sort="created_at")
        rest = await letters.page(
            system, {}, view=LetterView, limit=2, cursor=first.next_cursor, sort="created_at"
        )
        assert len({each.id for each in (*first.items, *rest.items)}) == 3


class Day(TenantDocument):
    """A document with a calendar date."""

    id_prefix: ClassVar[str] = "day"
    on: date

    class Settings(TenantDocument.Settings):
        name = "test_days"


class DayView(msgspec.Struct):
    on: date


class TestShapes:
    async def test_a_calendar_date_stays_a_date(self, system: Access) -> None:
        days: Repository[Day] = Repository(Day)
        stored = Day(id=days.new_id(), organization_id=system.organization_id, on=date(2026, 3, 1))
        await system.transact(lambda tx: days.insert(tx, stored))
        assert (await days.get(system, stored.id)).on == date(2026, 3, 1)
        assert (await days.get(system, stored.id, view=DayView)).on == date(2026, 3, 1)
        assert (await days.find_one(system, {"on": "2026-03-01"})) is not None
        assert (await days.get(system, stored.id)).created_at == stored.created_at

    async def test_figures_are_of_this_organization_only(self, system: Access, database: Database) -> None:
        await store(system, *(letter(system.organization_id, pages=count) for count in (1, 2, 3)))
        await store(database.as_system("org_other", "test"), letter("org_other", pages=100))
        total = [{"$group": {"_id": None, "pages": {"$sum": "$pages"}}}]
        assert (await letters.aggregate(system, total))[0]["pages"] == 6
        assert await letters.count(system, {"pages": {"$gte": 2}}) == 2

    async def test_an_aggregation_cannot_reach_further(self, system: Access) -> None:
        lookup: dict[str, Any] = {"$lookup": {"from": "test_letters", "pipeline": [], "as": "all"}}
        for stage in (
            lookup,
            {"$unionWith": "test_letters"},
            {"$facet": {"all": [lookup]}},
            {"$out": "test_days"},
        ):
            with pytest.raises(ValueError, match="beyond"):
                await letters.aggregate(system, [stage])

    async def test_a_stamp_is_not_narrowed_by_patient(self, system: Access, database: Database) -> None:
        stamp = Stamp(id=stamps.new_id(), organization_id=system.organization_id)
        await system.transact(lambda tx: stamps.insert(tx, stamp))
        assert (await stamps.get(patient(database, system.organization_id, "pat_1"), stamp.id)).id == stamp.id
