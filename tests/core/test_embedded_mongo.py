"""The database that comes along: private, one for each data folder, and gone with whoever started it."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from core.embedded_mongo import mongod_binary, running_mongod
from core.errors import Unavailable
from core.settings import Settings

OWNER = """
import asyncio, signal, sys
from pathlib import Path
from core.embedded_mongo import running_mongod
from core.settings import Settings

async def main():
    async with running_mongod(Settings(data=Path(sys.argv[1]))) as uri:
        print(uri, flush=True)
        await asyncio.sleep(600)

# A shell that starts the tests in the background has them, and so this process, ignore the signal.
signal.signal(signal.SIGINT, signal.default_int_handler)
asyncio.run(main())
"""


@pytest.fixture
def folder() -> Generator[Path]:
    with TemporaryDirectory(prefix="hs-") as name:  # pytest's own folders are too deep for a socket
        yield Path(name)


@asynccontextmanager
async def client(uri: str) -> AsyncGenerator[AsyncMongoClient[dict[str, Any]]]:
    connection: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(uri, serverSelectionTimeoutMS=5000)
    try:
        yield connection
    finally:
        await connection.close()


async def count(uri: str) -> int:
    async with client(uri) as connection:
        await connection.test.things.insert_one({})
        return await connection.test.things.count_documents({})


def servers_of(folder: Path) -> list[int]:
    """The processes that serve the folder's database."""
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if command[0].endswith(b"mongod") and os.fsencode(folder / "mongo") in command:
            found.append(int(process.name))
    return found


def listening_sockets(process: int) -> set[str]:
    """The network sockets on which a process accepts connections."""
    listening = {
        f"socket:[{line.split()[9]}]"
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{process}/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A"
    }
    return listening & {str(entry.readlink()) for entry in Path(f"/proc/{process}/fd").iterdir()}


async def owner_of(folder: Path) -> tuple[asyncio.subprocess.Process, str]:
    """Another process that runs the folder's database, and the address it got."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, str(folder), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    return process, (await process.stdout.readline()).decode().strip()


async def test_what_was_written_is_there_after_a_restart(folder: Path) -> None:
    for expected in (1, 2):
        async with running_mongod(Settings(data=folder)) as uri:
            assert await count(uri) == expected
        assert servers_of(folder) == []


async def test_a_data_folder_can_be_moved(folder: Path) -> None:
    async with running_mongod(Settings(data=folder / "old")) as uri:
        assert await count(uri) == 1
    (folder / "old").rename(folder / "new")
    async with running_mongod(Settings(data=folder / "new")) as uri:
        assert await count(uri) == 2


async def test_only_this_user_reaches_it_and_no_network_does(folder: Path) -> None:
    async with running_mongod(Settings(data=folder)) as uri:
        assert stat.S_IMODE((folder / "mongo").stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "mongo" / "mongod.sock").stat().st_mode) == 0o600
        async with client(uri) as connection:
            options = await connection.admin.command("getCmdLineOpts")
        assert options["parsed"]["net"]["bindIp"] == str(folder / "mongo" / "mongod.sock")
        (server,) = servers_of(folder)
        assert listening_sockets(server) == set()


async def test_a_path_too_long_for_a_socket_gets_a_private_short_one(folder: Path) -> None:
    deep = folder / ("d" * 60) / ("e" * 60)
    async with running_mongod(Settings(data=deep)) as uri:
        assert await count(uri) == 1
        assert str(deep).replace("/", "%2F") not in uri


async def test_a_command_uses_the_server_that_runs_already(folder: Path) -> None:
    owner, its_uri = await owner_of(folder)
    try:
        async with running_mongod(Settings(data=folder)) as uri:
            assert uri == its_uri
            assert len(servers_of(folder)) == 1
        assert len(servers_of(folder)) == 1, "the server outlives the command"
    finally:
        owner.send_signal(signal.SIGINT)
        await owner.wait()


async def test_who_must_own_the_server_is_told_that_another_process_does(folder: Path) -> None:
    async with running_mongod(Settings(data=folder)):
        with pytest.raises(Unavailable, match="Another process"):
            async with running_mongod(Settings(data=folder), own=True, timeout_s=0.3):
                pass


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
async def test_it_ends_with_a_killed_owner_and_the_next_one_starts_at_once(folder: Path) -> None:
    owner, uri = await owner_of(folder)
    assert await count(uri) == 1
    owner.send_signal(signal.SIGKILL)
    await owner.wait()
    async with running_mongod(Settings(data=folder)) as uri:
        assert await count(uri) == 2
    assert servers_of(folder) == []


async def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    broken = folder / "mongod"
    broken.write_text("#!/bin/sh\necho 'error while loading shared libraries: libcurl.so.4'\nexit 127\n")
    broken.chmod(0o700)
    with pytest.raises(Unavailable, match=r"libcurl\.so\.4"):
        async with running_mongod(Settings(data=folder, mongod_bin=broken)):
            pass


def test_the_program_that_is_configured_comes_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, path = folder / "own-mongod", folder / "bin" / "mongod"
    path.parent.mkdir()
    for program in (own, path):
        program.touch(0o700)
    monkeypatch.setenv("PATH", str(path.parent))
    monkeypatch.setenv("MONGOD_BIN", str(own))
    assert mongod_binary(Settings(mongod_bin=path)) == path
    assert mongod_binary(Settings()) == own
    monkeypatch.delenv("MONGOD_BIN")
    assert mongod_binary(Settings()) == path
    with pytest.raises(Unavailable, match="HOMESTRETCH_MONGOD_BIN"):
        mongod_binary(Settings(mongod_bin=folder / "missing"))
