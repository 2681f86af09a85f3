"""An installation whose parts are processes of their own, to be killed one by one."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import httpx

from api.rooms import DOCUMENTS, register_jobs
from core.clock import Clock, utc_now
from core.platform import Platform, open_platform
from core.settings import Secret, Settings

ROOT = Path(__file__).parents[2]
Part = Literal["api", "worker"]


@dataclass
class Installation:
    """One data folder and one database, with at most one API process and one worker process."""

    folder: Path
    mongodb_uri: str
    database: str
    environment: dict[str, str] = field(default_factory=dict[str, str])
    """What its processes are told besides where everything is."""
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    """Held open while the API is down, as the supervisor does: clients wait instead of being refused."""
    children: dict[Part, subprocess.Popen[bytes]] = field(
        default_factory=dict[Part, "subprocess.Popen[bytes]"]
    )
    ended: list[int] = field(default_factory=list[int])
    """Process ids of the workers that were killed."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    @property
    def settings(self) -> Settings:
        return Settings(
            data=self.folder, mongodb_uri=Secret(self.mongodb_uri), mongodb_database=self.database
        )

    def opened(self, clock: Clock = utc_now) -> AbstractAsyncContextManager[Platform]:
        """The installation as this process sees it, with every job known."""
        register_jobs()
        return open_platform(self.settings, DOCUMENTS, clock=clock)

    def start(self, part: Part) -> subprocess.Popen[bytes]:
        """Start the API or a worker as an operator does; what it says goes to `<part>.log`."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("HOMESTRETCH_")
        }
        environment |= {
            "HOMESTRETCH_DATA": str(self.folder),
            "HOMESTRETCH_MONGODB_URI": self.mongodb_uri,
            "HOMESTRETCH_MONGODB_DATABASE": self.database,
            "HOMESTRETCH_PUBLIC_URL": "http://localhost",
            **self.environment,
        }
        listener = self.listener.fileno()
        options = ["--listener", str(listener)] if part == "api" else []
        with (self.folder / f"{part}.log").open("ab") as log:
            child = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "api.cli", "run", part, *options],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(listener,) if part == "api" else (),
            )
        self.children[part] = child
        return child

    def kill(self, part: Part) -> None:
        """SIGKILL: no warning, nothing tidied up."""
        child = self.children.pop(part)
        child.send_signal(signal.SIGKILL)
        child.wait()
        if part == "worker":
            self.ended.append(child.pid)

    async def ready(self) -> None:
        """Returns when the API says that it is ready; fails when it ended instead."""
        async with httpx.AsyncClient(base_url=self.url, timeout=60) as client:
            while True:
                try:
                    if (await client.get("/health/ready")).is_success:
                        return
                except httpx.TransportError:
                    pass
                assert self.children["api"].poll() is None, self.said("api")
                await asyncio.sleep(0.05)

    def said(self, part: Part) -> str:
        """The end of what a part has said."""
        return (self.folder / f"{part}.log").read_text("utf-8", "replace")[-2000:]

    def decoders_without_parent(self) -> list[int]:
        """Confined decoders, still alive, of workers that were killed."""
        parents = [f'"parent":{pid},'.encode() for pid in self.ended]
        found: list[int] = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if b"pose.decoder" in command and any(parent in command for parent in parents):
                found.append(int(process.name))
        return found

    def close(self) -> None:
        """Stop whatever still runs, politely at first."""
        for child in self.children.values():
            child.terminate()
        for child in self.children.values():
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.children.clear()
        self.listener.close()


@contextmanager
def installed(folder: Path, mongodb_uri: str, database: str) -> Generator[Installation]:
    """An installation with nothing running yet; nothing is left running afterwards."""
    installation = Installation(folder, mongodb_uri, database)
    try:
        yield installation
    finally:
        installation.close()
