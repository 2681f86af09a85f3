"""Keys: what they open and what not, and that replacing them loses nothing, wherever it is interrupted."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from made_up_room import Letter, LetterView, letter, letters, store

from core import key_rotation
from core.audit_review import verify
from core.database import Database
from core.errors import NotFound
from core.ids import new_id
from core.key_rotation import (
    admit_master_key,
    destroy_organization_key,
    master_keys,
    replace_master_key,
    retire_old_master_keys,
    rotate_organization_key,
)
from core.keys import KeyDestroyed, KeyRing, SealBroken
from core.master_key import KeyFault, MasterKey, load_master_key, read_master_key
from core.mongo import RawDatabase
from core.settings import Secret, Settings


async def opened(raw: RawDatabase, settings: Settings) -> Database:
    """The database as a process sees it that starts now."""
    database = await Database.open(raw, load_master_key(settings, may_create=True))
    await database.prepare([Letter], indexes=False)
    return database


class TestMasterKey:
    def test_development_makes_one_that_only_its_owner_can_read(self, tmp_path: Path) -> None:
        settings = Settings(data=tmp_path)
        made = load_master_key(settings, may_create=True)
        assert stat.S_IMODE(settings.master_key_path.stat().st_mode) == 0o600
        assert load_master_key(settings, may_create=True).fingerprint == made.fingerprint

    def test_production_refuses_to_make_one(self, tmp_path: Path) -> None:
        with pytest.raises(KeyFault, match="There is no master key"):
            load_master_key(Settings(data=tmp_path, environment="production"), may_create=True)
        assert list(tmp_path.iterdir()) == []

    def test_a_file_that_others_can_read_is_refused(self, tmp_path: Path) -> None:
        MasterKey.random().write(tmp_path / "key")
        (tmp_path / "key").chmod(0o640)
        with pytest.raises(KeyFault, match="chmod 600"):
            read_master_key(tmp_path / "key")

    def test_writing_never_replaces_a_key(self, tmp_path: Path) -> None:
        MasterKey.random().write(tmp_path / "key")
        before = (tmp_path / "key").read_bytes()
        with pytest.raises(FileExistsError):
            MasterKey.random().write(tmp_path / "key")
        assert (tmp_path / "key").read_bytes() == before
        assert [each.name for each in tmp_path.iterdir()] == ["key"]

    @pytest.mark.parametrize("text", ["not base64!", "c2hvcnQ=", "ключ"])
    def test_a_malformed_key_is_named_but_not_shown(self, text: str) -> None:
        with pytest.raises(KeyFault, match="HOMESTRETCH_MASTER_KEY") as caught:
            load_master_key(Settings(master_key=Secret(text)), may_create=True)
        assert text not in caught.value.detail

    async def test_a_database_refuses_another_ones_key(self, raw: RawDatabase, database: Database) -> None:
        await database.keys.ensure(new_id("org"))
        with pytest.raises(KeyFault, match="another master key"):
            await KeyRing.open(raw, MasterKey.random())

    async def test_a_lost_root_key_is_never_replaced(
        self, raw: RawDatabase, database: Database, master_key: MasterKey
    ) -> None:
        await database.keys.ensure(new_id("org"))
        await raw["root_keys"].delete_many({})
        with pytest.raises(KeyFault, match="backup"):
            await KeyRing.open(raw, master_key)


class TestSealing:
    @how(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
    @given(content=st.binary(max_size=200), context=st.text(max_size=20), data=st.data())
    async def test_opens_only_unchanged_and_for_what_it_was_sealed(
        self, database: Database, content: bytes, context: str, data: st.DataObject
    ) -> None:
        keys = database.keys
        sealed = await keys.seal("org_a", content, context)
        assert await keys.unseal("org_a", sealed, context) == content
        place = data.draw(st.integers(0, len(sealed) - 1))
        changed = bytearray(sealed)
        changed[place] ^= data.draw(st.integers(1, 255))
        for organization, sealed_bytes, said in (
            ("org_a", bytes(changed), context),
            ("org_a", sealed[:place], context),
            ("org_a", sealed, context + "x"),
            ("org_b", sealed, context),
        ):
            with pytest.raises(SealBroken):
                await keys.unseal(organization, sealed_bytes, said)

    async def test_the_key_of_one_object_does_not_open_another(self, database: Database) -> None:
        wrapped = await database.keys.wrap_object_key("org_a", b"k" * 32, "obj_1")
        assert await database.keys.unwrap_object_key("org_a", wrapped, "obj_1") == b"k" * 32
        with pytest.raises(SealBroken):
            await database.keys.unwrap_object_key("org_a", wrapped, "obj_2")

    async def test_derived_keys_differ_by_purpose_and_stay_the_same(
        self, raw: RawDatabase, database: Database, master_key: MasterKey
    ) -> None:
        again = await KeyRing.open(raw, master_key)
        assert database.keys.derive("tokens") == again.derive("tokens")
        assert database.keys.derive("tokens") != again.derive("directory")
        assert database.keys.audit_key("org_a") != again.audit_key("org_b")

    async def test_two_processes_that_meet_a_new_organization_agree_on_its_key(
        self, raw: RawDatabase, database: Database, master_key: MasterKey
    ) -> None:
        other = await KeyRing.open(raw, master_key)
        organization = new_id("org")
        sealed = await database.keys.seal(organization, b"x", "c")
        assert await other.unseal(organization, sealed, "c") == b"x"
        assert await other.organizations() == [organization]


STEPS = ("write", "admit_master", "put_in_place", "retire_masters")
"""What replacing the master key consists of, in order."""


class TestRotation:
    async def test_the_old_master_key_opens_nothing_and_everything_stays_readable(
        self, raw: RawDatabase, settings: Settings
    ) -> None:
        database = await opened(raw, settings)
        old = read_master_key(settings.master_key_path)
        access = database.as_system("org_a", "test")
        stored = letter("org_a", email="ada@example.org")
        await store(access, stored)
        sealed = await database.keys.wrap_object_key("org_a", b"k" * 32, "obj_1")

        replaced = await replace_master_key(database, settings)

        assert replaced.present != old.fingerprint
        with pytest.raises(KeyFault):
            await KeyRing.open(raw, old)
        later = await opened(raw, settings)
        view = await letters.get(later.as_system("org_a", "test"), stored.id, view=LetterView)
        assert (view.name, view.email) == ("Ada Lovelace", "ada@example.org")
        assert await later.keys.unwrap_object_key("org_a", sealed, "obj_1") == b"k" * 32
        assert (await verify(later, "org_a")).ok

    async def test_a_process_that_runs_meanwhile_goes_on_and_loses_nothing(
        self, raw: RawDatabase, settings: Settings
    ) -> None:
        running = await opened(raw, settings)
        await replace_master_key(await opened(raw, settings), settings)
        # It still has the old master key only, and meets a new organization.
        stored = letter("org_new")
        await store(running.as_system("org_new", "test"), stored)

        later = await opened(raw, settings)
        read = await letters.get(later.as_system("org_new", "test"), stored.id)
        assert read.name == "Ada Lovelace"

    @pytest.mark.parametrize("crash_at", STEPS)
    @pytest.mark.parametrize("when", ["before", "after"])
    async def test_a_crash_anywhere_leaves_everything_readable_and_can_be_repeated(
        self, raw: RawDatabase, settings: Settings, monkeypatch: pytest.MonkeyPatch, crash_at: str, when: str
    ) -> None:
        database = await opened(raw, settings)
        stored = letter("org_a")
        await store(database.as_system("org_a", "test"), stored)
        with monkeypatch.context() as patch:
            crash(patch, crash_at, when)
            with pytest.raises(Crash):
                await replace_master_key(database, settings)

        restarted = await opened(raw, settings)
        access = restarted.as_system("org_a", "test")
        assert (await letters.get(access, stored.id)).name == "Ada Lovelace"
        await replace_master_key(restarted, settings)
        assert (await master_keys(restarted, settings)).admitted == [
            read_master_key(settings.master_key_path).fingerprint
        ]
        again = await opened(raw, settings)
        assert (await letters.get(again.as_system("org_a", "test"), stored.id)).name == "Ada Lovelace"

    async def test_a_key_from_elsewhere_is_admitted_then_the_old_one_retired(
        self, raw: RawDatabase, settings: Settings, tmp_path: Path
    ) -> None:
        database = await opened(raw, settings)
        file = tmp_path / "new.key"
        await admit_master_key(database, settings, file)
        old, new = read_master_key(settings.master_key_path), read_master_key(file)
        await KeyRing.open(raw, old)
        await KeyRing.open(raw, new)

        moved = Settings(data=settings.data, master_key_file=file, mongodb_uri=settings.mongodb_uri)
        assert await retire_old_master_keys(database, moved) == 1
        await KeyRing.open(raw, new)
        with pytest.raises(KeyFault):
            await KeyRing.open(raw, old)

    async def test_an_organizations_new_key_seals_what_comes_and_the_old_one_opens_what_was(
        self, database: Database
    ) -> None:
        access = database.as_system("org_a", "test")
        before = letter("org_a", email="ada@example.org")
        await store(access, before)
        sealed = await database.keys.seal("org_a", b"before", "c")

        assert await rotate_organization_key(database, "org_a") == 2

        assert await database.keys.unseal("org_a", sealed, "c") == b"before"
        assert sealed[1:5] != (await database.keys.seal("org_a", b"after", "c"))[1:5]
        after = letter("org_a", name="Grace Hopper", email="grace@example.org")
        await store(access, after)
        for stored in (before, after):
            assert (await letters.get(access, stored.id)).name == stored.name
            assert await letters.find_one(access, {"email": stored.email}) is not None
        assert (await verify(database, "org_a")).ok

    async def test_a_mistyped_organization_gets_no_key(self, database: Database) -> None:
        for use in (rotate_organization_key, destroy_organization_key):
            with pytest.raises(NotFound):
                await use(database, "org_typo")
        assert await database.keys.organizations() == []


class TestDestruction:
    async def test_nothing_of_the_organization_can_be_read_again_and_others_can(
        self, raw: RawDatabase, database: Database, master_key: MasterKey
    ) -> None:
        mine, others = letter("org_a"), letter("org_b")
        await store(database.as_system("org_a", "test"), mine)
        await store(database.as_system("org_b", "test"), others)
        sealed = await database.keys.seal("org_a", b"video", "c")

        await destroy_organization_key(database, "org_a")

        restarted = await Database.open(raw, master_key)
        await restarted.prepare([Letter], indexes=False)
        with pytest.raises(KeyDestroyed):
            await letters.get(restarted.as_system("org_a", "test"), mine.id)
        with pytest.raises(KeyDestroyed):
            await restarted.keys.unseal("org_a", sealed, "c")
        with pytest.raises(KeyDestroyed):
            await store(restarted.as_system("org_a", "test"), letter("org_a"))
        assert (await letters.get(restarted.as_system("org_b", "test"), others.id)).name == "Ada Lovelace"
        assert await restarted.directory.organizations() == ["org_b"]

    async def test_the_audit_log_says_so_and_stays_verifiable(self, database: Database) -> None:
        await store(database.as_system("org_a", "test"), letter("org_a"))
        await destroy_organization_key(database, "org_a")
        result = await verify(database, "org_a")
        assert (result.ok, result.entries) == (True, 2)
        with pytest.raises(NotFound):
            await destroy_organization_key(database, "org_a")


class Crash(Exception):
    """The process ends here."""


def crash(patch: pytest.MonkeyPatch, step: str, when: str) -> None:
    """Let the process end before or after one step of replacing the master key."""
    owner = MasterKey if step == "write" else key_rotation
    real = getattr(owner, step)

    def ending(*arguments: object) -> object:
        if when == "before":
            raise Crash
        result = real(*arguments)
        if hasattr(result, "__await__"):
            return crash_after(result)
        raise Crash

    patch.setattr(owner, step, ending)


async def crash_after(work: object) -> None:
    await work  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues] - whatever the step returned
    raise Crash
