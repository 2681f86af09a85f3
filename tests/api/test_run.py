"""`homestretch run`: everything starts, goes on through crashes, and stops."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.api.command_line import homestretch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks processes up in /proc")

PATIENCE_S = 300
"""For a machine that is busy with other things; nothing here measures time."""


@dataclass
class Running:
    """A started installation."""

    process: asyncio.subprocess.Process
    url: str
    data: Path
    printed: str

    def descendants(self) -> dict[int, str]:
        """Process ids and command lines of everything that was started."""
        found = {self.process.pid}
        while grown := {pid for pid, parent in _parents().items() if parent in found} - found:
            found |= grown
        return {pid: _command_of(pid) for pid in found - {self.process.pid}}

    def pid_of(self, part: str) -> int:
        return next(pid for pid, command in self.descendants().items() if part in command)


def _parents() -> dict[int, int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
    return parents


def _command_of(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def _gone(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    return True


@asynccontextmanager
async def running(data: Path, *arguments: str) -> AsyncGenerator[Running]:
    """`homestretch run` on a free port, once it has printed its addresses."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HOMESTRETCH_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api.cli", "run", *arguments),
        env={**environment, "HOMESTRETCH_DATA": str(data), "PORT": "0"},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            printed = (await process.stdout.readuntil(b"Ctrl-C stops everything.")).decode()
        url = re.search(r"Homestretch runs at (\S+)", printed)
        assert url is not None
        yield Running(process, url[1], data, printed)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110 - processes tell nobody
            await asyncio.sleep(0.05)


async def _until_ready(url: str) -> None:
    async with asyncio.timeout(PATIENCE_S), httpx.AsyncClient(base_url=url, timeout=5) as client:
        while True:
            with suppress(httpx.HTTPError):
                if (await client.get("/health/ready")).status_code == 200:
                    return
            await asyncio.sleep(0.1)


async def test_it_starts_with_a_demo_clinic_survives_crashes_and_stops(short_folder: Path) -> None:
    data = short_folder / "run"
    async with running(data) as installation, httpx.AsyncClient(base_url=installation.url) as client:
        assert installation.url.startswith("http://127.0.0.1:")
        assert str(data) in installation.printed
        assert "embedded" in installation.printed
        await _sign_in(client, installation.printed)
        await _survive_crashes(installation)
        assert "homestretch_http_requests_total" in (await client.get("/metrics")).text

        # A command that is typed meanwhile uses the database that is running.
        verified = homestretch("audit", "verify", "--json", environment={"HOMESTRETCH_DATA": str(data)})
        assert json.loads(verified.stdout)["ok"] is True
        port = installation.url.rsplit(":", 1)[1]
        second = homestretch("run", environment={"PORT": port})
        assert (second.returncode, second.stderr.count("\n")) == (2, 1)
        assert "Set PORT" in second.stderr

        parts = list(installation.descendants())
        installation.process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(installation.process.wait(), PATIENCE_S) == 0
        assert all(_gone(pid) for pid in parts)
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", int(port)))


async def _sign_in(client: httpx.AsyncClient, printed: str) -> None:
    """Sign in with what was printed."""
    login = re.search(r"administrator\s+(\S+@\S+)\s+(\S+)", printed)
    assert login is not None
    answer = await client.post("/v1/auth/sign-in", json={"email": login[1], "password": login[2]})
    assert answer.json()["me"]["organization"]["demo"] is True


async def _survive_crashes(installation: Running) -> None:
    """Every part that is killed is there again, and requests are answered."""
    for part in ("run api", "run worker", "mongod --dbpath"):
        killed = installation.pid_of(part)
        os.kill(killed, signal.SIGKILL)
        await _until(lambda gone=killed: _gone(gone))
        await _until(lambda part=part: any(part in each for each in installation.descendants().values()))
        await _until_ready(installation.url)


async def test_nothing_outlives_a_killed_supervisor(short_folder: Path) -> None:
    async with running(short_folder / "killed", "--no-demo") as installation:
        parts = list(installation.descendants())
        assert len(parts) >= 3
        installation.process.kill()
        await _until(lambda: all(_gone(pid) for pid in parts))
