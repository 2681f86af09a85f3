"""What this machine has and lacks for running Homestretch, in plain words, each with how to get it.

Nothing is changed. Libraries that may be missing are asked for one by one, so that one that is missing does
not hide the next.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from core.embedded_mongo import mongod_binary
from core.errors import HomestretchError
from core.settings import Settings, load_settings

Verdict = Literal["ok", "note", "missing"]

OLDEST_PYTHON = (3, 11)
OLDEST_NODE = 20
ENOUGH_DISK = 5 << 30
"""Bytes: the embedded database and a few hundred recordings."""
ENOUGH_MEMORY = 3 << 30
"""Bytes: the database, the API, a worker and one analysis at a time."""
_CONFINE = """
import os
from pose.confinement import confine
walls = confine(parent=os.getppid(), memory_bytes=4 << 30, cpu_s=20)
print("namespace" * walls.namespace, "filter" * walls.socket_filter)
"""
_CHECKOUT = Path(__file__).resolve().parent.parent
_LIBRARIES = (
    ("libEGL.so.1", "libegl1", "the landmark model"),
    ("libGLESv2.so.2", "libgles2", "the landmark model"),
    ("libcurl.so.4", "libcurl4", "the embedded database"),
    ("libssl.so.3", "libssl3", "the embedded database"),
)


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    says: str
    how: str | None = None
    """How to get what is missing, or what to do about the note."""


class Report(msgspec.Struct, frozen=True):
    """Everything that was looked at."""

    ready: bool
    """Whether nothing is missing."""
    findings: list[Finding]


def examine() -> Report:
    """Look at everything."""
    try:
        settings = load_settings()
        findings = [Finding("settings", "ok", f"{settings.environment}, data in {settings.data}")]
    except HomestretchError as error:
        settings = Settings()
        findings = [Finding("settings", "missing", error.detail, "correct it; docs/settings.md lists all")]
    for check in _CHECKS:
        findings += check(settings)
    return Report(all(finding.verdict != "missing" for finding in findings), findings)


def _python(settings: Settings) -> Iterator[Finding]:
    del settings
    found = platform.python_version()
    if sys.version_info >= OLDEST_PYTHON:
        yield Finding("python", "ok", found)
    else:
        yield Finding("python", "missing", f"{found} is too old", "install Python 3.11 or newer")


def _node(settings: Settings) -> Iterator[Finding]:
    del settings
    how = "install Node 20 or newer with npm: https://nodejs.org/, or your system's packages"
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        yield Finding("node", "missing", "there is no Node with npm: the web pages cannot be built", how)
        return
    version = _output(node, "--version").removeprefix("v")
    if int(version.partition(".")[0] or 0) < OLDEST_NODE:
        yield Finding("node", "missing", f"{version} is too old", how)
    else:
        yield Finding("node", "ok", version)


def _libraries(settings: Settings) -> Iterator[Finding]:
    if sys.platform != "linux":
        return
    for library, package, user in _LIBRARIES:
        if user == "the embedded database" and not settings.embedded:
            continue
        try:
            ctypes.CDLL(library)
        except OSError:
            how = f"sudo apt-get install {package}  (its name on Debian and Ubuntu)"
            yield Finding(library, "missing", f"{user} needs it", how)
        else:
            yield Finding(library, "ok", f"there, for {user}")


def _database(settings: Settings) -> Iterator[Finding]:
    if not settings.embedded:
        yield Finding("database", "ok", "a MongoDB of its own, by HOMESTRETCH_MONGODB_URI")
        return
    try:
        binary = mongod_binary(settings)
        version = _output(str(binary), "--version").partition("\n")[0] or "it does not start"
    except HomestretchError as error:
        how = "install MongoDB, or run a MongoDB and set HOMESTRETCH_MONGODB_URI"
        yield Finding("database", "missing", error.detail, how)
        return
    works = version.startswith("db version")
    says = f"embedded: {version.removeprefix('db version ')} ({binary})"
    how = "for trying things out or one small clinic; else set HOMESTRETCH_MONGODB_URI (docs/decisions/0002)"
    yield Finding("database", "note" if works else "missing", says, how)


def _models(settings: Settings) -> Iterator[Finding]:
    del settings
    from pose.models import missing_models, models_directory  # noqa: PLC0415 - the room may lack its libraries

    directory = models_directory()
    if missing := missing_models(directory):
        yield Finding(
            "models", "missing", f"not in {directory}: {', '.join(missing)}", "python -m pose.models"
        )
    else:
        yield Finding("models", "ok", f"complete in {directory}")


def _pages(settings: Settings) -> Iterator[Finding]:
    del settings
    clients = sorted(_CHECKOUT.glob("clients/*/package.json"))
    unbuilt = [each.parent.name for each in clients if not (each.parent / "dist/index.html").is_file()]
    if unbuilt:
        yield Finding("pages", "missing", f"not built: {', '.join(unbuilt)}", "make run builds them")
    else:
        yield Finding("pages", "ok", "built")


def _data_folder(settings: Settings) -> Iterator[Finding]:
    place = next(path for path in (settings.data, *settings.data.parents) if path.exists())
    if not os.access(place, os.W_OK):
        yield Finding(
            "data folder", "missing", f"{place} is not writable", "set HOMESTRETCH_DATA to one that is"
        )
        return
    free = shutil.disk_usage(place).free
    says = f"{free / (1 << 30):.0f} GiB free for {settings.data}"
    how = None if free >= ENOUGH_DISK else "make room: recordings and the database live there"
    yield Finding("data folder", "ok" if how is None else "note", says, how)


def _master_key(settings: Settings) -> Iterator[Finding]:
    path = settings.master_key_path
    if settings.master_key is not None:
        yield Finding("master key", "ok", "from HOMESTRETCH_MASTER_KEY")
    elif not path.exists():
        yield Finding("master key", "note", f"will be made in {path}", "back it up: nothing opens without it")
    elif stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield Finding("master key", "missing", f"others can read {path}", f"chmod 600 {path}")
    else:
        yield Finding("master key", "ok", f"in {path}; keep a copy elsewhere")


def _memory(settings: Settings) -> Iterator[Finding]:
    del settings
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    enough = total >= ENOUGH_MEMORY
    how = None if enough else "analyses may be ended by the system: give the machine 4 GiB"
    yield Finding("memory", "ok" if enough else "note", f"{total / (1 << 30):.1f} GiB", how)


def _clock(settings: Settings) -> Iterator[Finding]:
    del settings
    newest = max(path.stat().st_mtime for path in (_CHECKOUT / "pyproject.toml", Path(__file__)))
    if time.time() < newest:
        yield Finding("clock", "missing", "it is behind the files of this program", "set the system's clock")
        return
    timedatectl = shutil.which("timedatectl")
    synchronized = _output(timedatectl, "show", "-p", "NTPSynchronized", "--value") if timedatectl else ""
    if synchronized == "no":
        yield Finding("clock", "note", "not synchronized", "timedatectl set-ntp true")
    else:
        yield Finding("clock", "ok", time.strftime("%Y-%m-%d %H:%M:%S %Z"))


def _port(settings: Settings) -> Iterator[Finding]:
    where = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError:
            if _is_ours(where):
                yield Finding("port", "ok", f"Homestretch answers at {where}")
            else:
                yield Finding("port", "missing", f"another program has {where}", "set PORT to a free one")
            return
    yield Finding("port", "ok", f"{where} is free")


def _sandbox(settings: Settings) -> Iterator[Finding]:
    del settings
    if sys.platform != "linux":
        how = "only on Linux is the decoder of uploaded videos kept off the network"
        yield Finding("sandbox", "note", "reduced on this system", how)
        return
    walls = _output(sys.executable, "-c", _CONFINE).split()
    names = {"namespace": "no network", "filter": "no sockets"}
    standing = [names[wall] for wall in walls if wall in names]
    if not standing:
        how = "run as root, or allow user namespaces or seccomp in the container"
        yield Finding("sandbox", "note", "videos are decoded with limits but with the network in reach", how)
    else:
        yield Finding("sandbox", "ok", f"videos are decoded with limits and {' and '.join(standing)}")


def _is_ours(where: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{where}/health/live", timeout=2) as answer:
            return b'"status":"ok"' in answer.read(200)
    except (OSError, ValueError):
        return False


def _output(*command: str) -> str:
    """What a program prints; nothing if it cannot be run."""
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603 - fixed commands
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout.strip()


_CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _python,
    _node,
    _libraries,
    _database,
    _models,
    _pages,
    _data_folder,
    _master_key,
    _memory,
    _clock,
    _port,
    _sandbox,
)
