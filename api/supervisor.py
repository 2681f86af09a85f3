"""`homestretch run`: the database, the API and the workers as children of one process.

A child that ends is started again, after a pause that grows while it keeps ending. All of them end with the
supervisor, however that ends (`api.lifeline`). They are stopped in order: first whoever takes requests, then
whoever works, then the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import shutil
import signal
import socket
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from prometheus_client import multiprocess

from api.cli import BAD_INPUT
from core.embedded_mongo import running_mongod
from core.errors import Invalid, Unavailable
from core.settings import Settings

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
HEALTHY_AFTER_S = 60.0
"""A child that lived this long is not in trouble: its next pause is the first one again."""
READY_WITHIN_S = 120.0
STOP_WITHIN_S = 25.0
_DATABASE_CHECK_S = 2.0

_log = structlog.get_logger("homestretch.run")


@dataclass(frozen=True, slots=True)
class Part:
    """A child: its name, the arguments of its `homestretch` command, the file descriptors it inherits."""

    name: str
    arguments: Sequence[str]
    descriptors: Sequence[int] = ()


class Supervisor:
    """Keeps the parts of one installation running until it is told to stop."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self.settings = settings
        self.listener = listener
        self.address: tuple[str, int] = listener.getsockname()[:2]
        self.stop = asyncio.Event()
        # The writing end is never written to: it closes when this process ends.
        self._lifeline, self._lifeline_end = os.pipe()
        self._failure: Exception | None = None

    async def run(
        self, prepare: Callable[[Mapping[str, str]], Awaitable[None]], announce: Callable[[], None]
    ) -> None:
        """Start everything; `prepare` once the database is there, `announce` once requests are answered.

        `prepare` gets the environment that children run in. Returns when everything has stopped.

        Raises:
            Invalid: a part says that it was set up wrongly.
            Unavailable: the database does not start, or requests are not answered in time.
        """
        self._heed_signals()
        socket_number = self.listener.fileno()
        api = Part("api", ["run", "api", f"--listener={socket_number}"], [socket_number])
        workers = [Part(f"worker {n}", ["run", "worker"]) for n in range(1, self.settings.workers + 1)]
        async with self._database() as database_uri:
            environment = self._environment(database_uri)
            await prepare(environment)
            async with self._kept(workers, environment), self._kept([api], environment):
                await self._first(self._answering())
                if not self.stop.is_set():
                    announce()
                await self.stop.wait()
                _log.info("stopping")
        if self._failure is not None:
            raise self._failure

    def _heed_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._heed)

    def _heed(self) -> None:
        if self.stop.is_set():
            os._exit(1)  # asked twice: the children follow through the lifeline
        self.stop.set()

    def _give_up(self, reason: Exception) -> None:
        self._failure = self._failure or reason
        self.stop.set()

    def _environment(self, database_uri: str) -> Mapping[str, str]:
        """What the children run in: our own, the database, and a folder for their common figures."""
        figures = self.settings.data / "metrics"
        shutil.rmtree(figures, ignore_errors=True)
        figures.mkdir(parents=True)
        host, port = self.address
        return {
            **os.environ,
            "HOMESTRETCH_MONGODB_URI": database_uri,
            "HOMESTRETCH_DATA": str(self.settings.data),
            "HOMESTRETCH_HOST": host,
            "HOMESTRETCH_PORT": str(port),
            "PROMETHEUS_MULTIPROC_DIR": str(figures),
        }

    async def _first(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work`, but not longer than until the stop."""
        task, stopping = asyncio.create_task(work), asyncio.create_task(self.stop.wait())
        await asyncio.wait({task, stopping}, return_when="FIRST_COMPLETED")
        for each in (task, stopping):
            each.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def _answering(self) -> None:
        """Returns when requests are answered; gives up when they are not in good time."""
        deadline = time.monotonic() + READY_WITHIN_S
        while not await asyncio.to_thread(_is_ready, self.address):
            if time.monotonic() > deadline:
                self._give_up(Unavailable("The API does not get ready. Its log says why."))
                return
            await asyncio.sleep(0.1)

    @asynccontextmanager
    async def _kept(self, parts: Sequence[Part], environment: Mapping[str, str]) -> AsyncGenerator[None]:
        """The parts run, and run again, for as long as the context lasts."""
        closing = asyncio.Event()
        keepers = [asyncio.create_task(self._keep(part, environment, closing)) for part in parts]
        try:
            yield
        finally:
            closing.set()
            await asyncio.gather(*keepers)

    async def _keep(self, part: Part, environment: Mapping[str, str], closing: asyncio.Event) -> None:
        pause_s = FIRST_PAUSE_S
        while not closing.is_set():
            began = time.monotonic()
            child = await self._spawn(part, environment)
            await _either(child.wait(), closing.wait())
            if child.returncode is None:
                await _stop(part, child)
            _forget_figures(child.pid, environment["PROMETHEUS_MULTIPROC_DIR"])
            if closing.is_set():
                return
            if child.returncode == BAD_INPUT:
                self._give_up(Invalid(f"The {part.name} cannot run as it was set up; it said why."))
                return
            if time.monotonic() - began > HEALTHY_AFTER_S:
                pause_s = FIRST_PAUSE_S
            _log.warning("restarting", part=part.name, status=child.returncode, pause_s=pause_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(closing.wait(), pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _spawn(self, part: Part, environment: Mapping[str, str]) -> Process:
        # A session of its own: Ctrl-C in a terminal reaches the supervisor alone, which stops all in order.
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "api.cli", *part.arguments, f"--lifeline={self._lifeline}"),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=[self._lifeline, *part.descriptors],
            start_new_session=True,
        )

    @asynccontextmanager
    async def _database(self) -> AsyncGenerator[str]:
        """The database's address. The embedded server is started, and started again should it end."""
        if self.settings.mongodb_uri is not None:
            yield self.settings.mongodb_uri.reveal()
            return
        closing = asyncio.Event()
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        keeper = asyncio.create_task(self._keep_database(address, closing))
        try:
            await _either(address, keeper)
            if keeper.done():
                keeper.result()
            yield address.result()
        finally:
            closing.set()
            await asyncio.gather(keeper, return_exceptions=True)

    async def _keep_database(self, address: asyncio.Future[str], closing: asyncio.Event) -> None:
        while not closing.is_set():
            try:
                async with running_mongod(self.settings, own=True) as uri:
                    if not address.done():
                        address.set_result(uri)
                    await _either(_until_gone(uri), closing.wait())
            except Unavailable as error:
                if not address.done():
                    raise
                _log.error("database does not start", reason=error.detail)
                await asyncio.sleep(FIRST_PAUSE_S)
            if not closing.is_set():
                _log.warning("restarting", part="database")


async def _either(*awaitables: Awaitable[object]) -> None:
    """Wait until the first is done, and call off the others that are not futures of somebody else."""
    tasks = [asyncio.ensure_future(each) for each in awaitables]
    try:
        await asyncio.wait(tasks, return_when="FIRST_COMPLETED")
    finally:
        for task, given in zip(tasks, awaitables, strict=True):
            if task is not given:
                task.cancel()


async def _stop(part: Part, child: Process) -> None:
    """Ask the child to end; end it if it does not."""
    with contextlib.suppress(ProcessLookupError):
        child.terminate()
        try:
            await asyncio.wait_for(child.wait(), STOP_WITHIN_S)
        except TimeoutError:
            _log.warning("killed", part=part.name, reason=f"it did not end within {STOP_WITHIN_S:.0f} s")
            child.kill()
            await child.wait()


async def _until_gone(uri: str) -> None:
    """Returns when nobody listens on the embedded database's socket any more."""
    path = unquote(urlsplit(uri).netloc)
    while True:
        try:
            _, writer = await asyncio.open_unix_connection(path)
        except OSError:
            return
        writer.close()
        await asyncio.sleep(_DATABASE_CHECK_S)


def _is_ready(address: tuple[str, int]) -> bool:
    host, port = address
    connection = http.client.HTTPConnection("127.0.0.1" if host == "0.0.0.0" else host, port, timeout=2)  # noqa: S104 - compared, not bound
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _forget_figures(pid: int, folder: str) -> None:
    """What is measured at this moment ends with the process; what it counted stays."""
    untyped: Any = multiprocess
    untyped.mark_process_dead(pid, folder)
