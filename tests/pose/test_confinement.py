"""The process that decodes untrusted video can do little else."""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pose import sandbox
from pose.errors import DecoderFailed, UnreadableVideo
from pose.sandbox import decode
from pose.sources import FileSource, RangeSource
from tests.pose.recordings import CLIPS

pytestmark = [
    pytest.mark.video,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="namespaces and seccomp are Linux's"),
]

CLIP = CLIPS / "28_idle_standing.mp4"
ROOT = Path(__file__).parents[2]

CONFINED = """
import json, os, socket, sys
sys.path.insert(0, {root!r})
from pose.confinement import confine
walls = confine(parent=os.getppid(), memory_bytes={memory}, cpu_s={cpu}) if {confined} else None
{act}
"""


def confined(
    act: str, *, is_confined: bool = True, memory: int = 2 << 30, cpu: int = 20
) -> subprocess.CompletedProcess[str]:
    """Runs a few statements in a process that has confined itself, or, to compare, in one that has not."""
    program = CONFINED.format(root=str(ROOT), memory=memory, cpu=cpu, confined=is_confined, act=act)
    return _run(program)


def _run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own few lines
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )


ASK_FOR_A_SOCKET = "socket.socket(socket.AF_INET, socket.SOCK_STREAM); print('got one')"


def test_asking_for_an_internet_socket_ends_the_process() -> None:
    assert confined(ASK_FOR_A_SOCKET, is_confined=False).stdout == "got one\n"
    assert confined(ASK_FOR_A_SOCKET).returncode == -signal.SIGSYS


def test_local_sockets_and_other_programs_are_refused() -> None:
    act = "socket.socket(socket.AF_UNIX)"
    assert confined(act, is_confined=False).returncode == 0
    assert "PermissionError" in confined(act).stderr
    act = "import subprocess; subprocess.run(['/bin/true'], check=True)"
    assert confined(act, is_confined=False).returncode == 0
    assert "PermissionError" in confined(act).stderr


def test_nothing_can_be_written_to_disk(tmp_path: Path) -> None:
    act = f"loot = open({str(tmp_path / 'loot')!r}, 'wb'); loot.write(b'x' * 10); loot.close()"
    assert confined(act, is_confined=False).returncode == 0
    assert "File too large" in confined(act).stderr
    assert (tmp_path / "loot").read_bytes() == b""


def test_memory_and_processor_time_are_bounded() -> None:
    assert "MemoryError" in confined("bytearray(1 << 30)", memory=1 << 29).stderr
    assert confined("while True: pass", cpu=1).returncode in {-signal.SIGXCPU, -signal.SIGKILL}


def test_the_walls_that_stand_are_told() -> None:
    told = json.loads(confined("print(json.dumps([walls.offline, walls.socket_filter]))").stdout)
    assert told == [True, True]


@pytest.mark.skipif(os.geteuid() != 0, reason="already without privileges")
def test_a_process_without_privileges_is_kept_offline_too() -> None:
    program = CONFINED.format(
        root=str(ROOT),
        memory=2 << 30,
        cpu=20,
        confined=True,
        act=f"print(walls.offline, flush=True); {ASK_FOR_A_SOCKET}",
    ).replace("walls =", "os.setgroups([]); os.setgid(65534); os.setuid(65534)\nwalls =")
    ended = _run(program)
    assert ended.stdout == "True\n"
    assert ended.returncode == -signal.SIGSYS


async def test_decoding_a_video_opens_no_socket_and_sees_no_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The filter would kill the decoder on its first internet socket, so a result means there was none."""
    monkeypatch.setenv("HOMESTRETCH_MASTER_KEY", "very secret")
    seen: dict[str, bytes] = {}

    async def look(_: float) -> None:
        for child in _children(os.getpid(), "pose.decoder"):
            for file in ("environ", "net/dev", "status"):
                with contextlib.suppress(OSError):
                    seen.setdefault(file, _proc(f"{child}/{file}"))

    result = await decode(FileSource(CLIP), model="lite", on_fraction=look)
    assert result.track.present.all()
    assert "sandbox_reduced" not in {warning.code for warning in result.warnings}
    assert b"very secret" not in seen["environ"]
    assert b"Seccomp:\t2" in seen["status"]
    if os.geteuid() == 0:
        assert re.findall(rb"(\w+):", seen["net/dev"]) == [b"lo"]


async def test_a_decoder_that_reaches_for_the_network_is_our_fault_not_the_video_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reaching = f"import os,sys; sys.path.insert(0, {str(ROOT)!r}); from pose.confinement import confine; "
    reaching += "confine(parent=os.getppid(), memory_bytes=1<<31, cpu_s=9); import socket; socket.socket(); "
    monkeypatch.setattr(sandbox, "START", reaching + "#")
    with pytest.raises(DecoderFailed, match="network"):
        await decode(FileSource(CLIP), model="lite")


async def test_a_decoder_that_takes_too_long_is_killed() -> None:
    with pytest.raises(UnreadableVideo) as refusal:
        await decode(FileSource(CLIP), model="lite", wall_s=0.3)
    assert refusal.value.code == "too_costly"
    assert _children(os.getpid(), "pose.decoder") == []


async def test_giving_up_on_an_analysis_takes_its_decoder_with_it() -> None:
    started = asyncio.Event()

    async def on_fraction(_: float) -> None:
        started.set()

    task = asyncio.create_task(decode(FileSource(CLIP), model="lite", on_fraction=on_fraction))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert _children(os.getpid(), "pose.decoder") == []


async def test_storage_that_fails_half_way_is_our_fault_not_the_video_s() -> None:
    content = (CLIPS / "05_squat_side_partial_fast.mp4").read_bytes()

    async def read(offset: int, length: int) -> bytes:
        if offset > 0:
            raise ConnectionResetError("storage is gone")
        return content[offset : offset + length]

    with pytest.raises(ConnectionResetError):
        await decode(RangeSource(read, len(content)), model="lite")


def _proc(name: str) -> bytes:
    return (Path("/proc") / name).read_bytes()


def _children(parent: int, command: str = "") -> list[int]:
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            status = (folder / "status").read_text()
            is_child = f"PPid:\t{parent}\n" in status
            if is_child and command in (folder / "cmdline").read_text():
                found.append(int(folder.name))
    return found
