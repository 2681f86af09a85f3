"""`homestretch keys` and `homestretch audit`, as an operator types them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from made_up_room import Letter, letter, letters, store

from core.database import Database
from core.master_key import read_master_key
from core.mongo import RawDatabase
from core.settings import Settings


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.out)


Command = Callable[..., Awaitable[Outcome]]


@pytest.fixture
def homestretch(settings: Settings, mongodb_uri: str) -> Command:
    """Runs a command line against the test's installation."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HOMESTRETCH_")}
    environ |= {
        "HOMESTRETCH_DATA": str(settings.data),
        "HOMESTRETCH_MONGODB_URI": mongodb_uri,
        "HOMESTRETCH_MONGODB_DATABASE": settings.mongodb_database,
    }

    async def run(*arguments: str, **variables: str) -> Outcome:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "api.cli", *arguments),
            env=environ | variables,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return Outcome(process.returncode, out.decode(), err.decode())

    return run


@pytest.fixture
async def installation(raw: RawDatabase, settings: Settings, homestretch: Command) -> Database:
    """An installation with one letter in organization org_a, set up by a first command."""
    assert (await homestretch("keys", "show")).status == 0
    database = await Database.open(raw, read_master_key(settings.master_key_path))
    await database.prepare([Letter], indexes=False)
    await store(database.as_system("org_a", "test"), letter("org_a"))
    return database


@pytest.mark.usefixtures("installation")
class TestAudit:
    async def test_an_untouched_log_passes(self, homestretch: Command) -> None:
        done = await homestretch("audit", "verify")
        assert (done.status, done.err) == (0, "")
        assert "org_a: 1 entries" in done.out
        end = (await homestretch("audit", "verify", "--json")).document["organizations"][0]["end"]
        assert end in done.out
        assert (await homestretch("audit", "verify", "--organization", "org_a", "--expect", end)).status == 0

    async def test_a_byte_altered_behind_its_back_fails_and_is_named(
        self, homestretch: Command, raw: RawDatabase
    ) -> None:
        await raw["audit"].update_one({}, {"$set": {"action": "inserT"}})
        done = await homestretch("audit", "verify")
        assert done.status == 1
        assert done.err == "org_a: ALTERED: entry 1 was changed\n"
        report = await homestretch("audit", "verify", "--json")
        assert report.status == 1
        assert report.document["organizations"][0]["first_bad_seq"] == 1

    async def test_an_export_has_one_object_a_line(self, homestretch: Command) -> None:
        done = await homestretch("audit", "export", "--organization", "org_a")
        assert [json.loads(line)["seq"] for line in done.out.splitlines()] == [1]

    async def test_a_wrong_question_is_refused_in_one_line(self, homestretch: Command) -> None:
        for arguments in (
            ("audit", "verify", "--organization", "org_typo"),
            ("audit", "verify", "--organization", "org_a", "--expect", "nonsense"),
            ("audit", "verify", "--expect", "1:00"),
            ("audit", "export"),
        ):
            done = await homestretch(*arguments)
            assert done.status == 2, arguments
            assert done.err.count("\n") == 1, done.err


class TestKeys:
    async def test_the_master_key_is_replaced_and_everything_stays_readable(
        self, homestretch: Command, installation: Database, raw: RawDatabase, settings: Settings
    ) -> None:
        del installation
        before = (await homestretch("keys", "show", "--json")).document["master"]["present"]
        assert (await homestretch("keys", "rotate", "--master")).status == 0
        shown = await homestretch("keys", "show", "--json")
        after = shown.document["master"]["present"]
        assert after != before
        assert shown.document["master"]["admitted"] == [after]
        reopened = await Database.open(raw, read_master_key(settings.master_key_path))
        await reopened.prepare([Letter], indexes=False)
        (found,) = await letters.find(reopened.as_system("org_a", "test"), {})
        assert found.name == "Ada Lovelace"

    async def test_a_key_kept_elsewhere_is_admitted_and_the_old_one_retired(
        self, homestretch: Command, installation: Database, tmp_path: Path
    ) -> None:
        del installation
        file = tmp_path / "elsewhere.key"
        assert (await homestretch("keys", "rotate", "--master", "--new-key-file", str(file))).status == 0
        moved = {"HOMESTRETCH_MASTER_KEY_FILE": str(file)}
        assert (await homestretch("keys", "retire", **moved)).out == "1 retired.\n"
        refused = await homestretch("keys", "show")
        assert refused.status == 2
        assert "another master key" in refused.err

    async def test_a_destroyed_organization_needs_its_id_typed(
        self, homestretch: Command, installation: Database
    ) -> None:
        del installation
        assert (await homestretch("keys", "shred", "org_a", "--yes", "org_b")).status == 2
        assert (await homestretch("keys", "show", "--json")).document["organizations"][0][
            "destroyed_at"
        ] is None
        assert (await homestretch("keys", "shred", "org_a", "--yes", "org_a")).status == 0
        shown = (await homestretch("keys", "show", "--json")).document
        assert shown["organizations"][0]["destroyed_at"] is not None
        assert (await homestretch("audit", "verify")).status == 0

    async def test_an_organization_gets_a_new_key(self, homestretch: Command, installation: Database) -> None:
        del installation
        assert "version 2" in (await homestretch("keys", "rotate", "--tenant", "org_a")).out
        assert (await homestretch("keys", "rotate", "--tenant", "org_typo")).status == 2

    async def test_no_command_shows_a_key(
        self, homestretch: Command, installation: Database, settings: Settings
    ) -> None:
        del installation
        key = settings.master_key_path.read_text().strip()
        for arguments in (("keys", "show"), ("keys", "show", "--json"), ("keys", "rotate", "--master")):
            done = await homestretch(*arguments, HOMESTRETCH_LOG_LEVEL="debug")
            assert key not in done.out + done.err

    async def test_usage_is_explained(self, homestretch: Command) -> None:
        for arguments in (("keys", "rotate"), ("keys", "rotate", "--master", "--tenant", "org_a")):
            done = await homestretch(*arguments)
            assert done.status == 2
            assert "--master" in done.err
        for group in ("keys", "audit"):
            assert "Example: homestretch" in (await homestretch(group, "--help")).out
