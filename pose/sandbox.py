"""The parent's side of decoding: one confined child process per video, and never a second chance for it.

The child confines itself (`pose.confinement`) before it reads a byte; here it gets an empty environment,
its own session, nothing inherited but the recording, and a wall clock. When the caller is cancelled, the
child is killed.
"""

import asyncio
import contextlib
import io
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pose.decoder import Message, Order
from pose.errors import DecoderFailed, UnreadableVideo
from pose.landmarks import LandmarkTrack, load_track
from pose.models import Variant, model_path
from pose.recording import Caveat, VideoFacts
from pose.sniffing import HEAD_BYTES, sniff
from pose.sources import VideoSource

SAMPLES_PER_S = 15.0
"""Frames a second that are analysed; at 15 no repetition of the validation clips is lost and half the time
is won.
"""

MEMORY_BYTES = 2 << 30
CPU_S = 900
WALL_S = 1200.0
LARGEST_BYTES = 4 << 30
_ROOMS = Path(__file__).resolve().parent.parent
START = f"import sys; sys.path.insert(0, {str(_ROOMS)!r}); from pose.decoder import main; main(sys.argv[1])"
"""What the child runs; isolated Python does not look for our packages by itself."""

_LONGEST_LINE = 1 << 20
_LARGEST_TRACK = 256 << 20
_DIAGNOSTICS = 4000

OnFraction = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class DecodedVideo:
    """What the child made of a recording; seconds spent decoding and running the network."""

    track: LandmarkTrack
    video: VideoFacts
    warnings: list[Caveat]
    decode_s: float
    pose_s: float


async def decode(
    source: VideoSource,
    *,
    model: Variant = "full",
    on_fraction: OnFraction | None = None,
    wall_s: float = WALL_S,
) -> DecodedVideo:
    """Decodes a recording in a confined child process and tracks the person in it.

    Args:
        source: The recording.
        model: Landmark model variant.
        on_fraction: Awaited with the fraction done, 0..1.
        wall_s: Seconds after which the child is killed.

    Raises:
        UnreadableVideo: with the reason, when the recording cannot be analysed.
        ModelMissing: when the models are not built.
        DecoderFailed: when the child broke.
    """
    sniff(await source.head(HEAD_BYTES))
    if source.size > LARGEST_BYTES:
        raise UnreadableVideo("too_large", f"The file is larger than {LARGEST_BYTES >> 30} GB.")
    async with source.descriptor() as descriptor:
        order = Order(
            descriptor=descriptor,
            size=source.size,
            is_file=source.is_file,
            bundle=str(model_path(model)),
            people_bundle=str(model_path("lite")),
            samples_per_s=SAMPLES_PER_S,
            parent=os.getpid(),
            memory_bytes=MEMORY_BYTES,
            cpu_s=CPU_S,
        )
        child = await _start(order)
        try:
            async with asyncio.timeout(wall_s):
                return await _result(child, on_fraction)
        except TimeoutError as error:
            raise UnreadableVideo("too_costly", "The video takes too long to decode.") from error
        finally:
            await _end(child)


async def _start(order: Order) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-c",
        START,
        msgspec.json.encode(order).decode(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        pass_fds=(order.descriptor,),
        start_new_session=True,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": "/nonexistent",
            "LANG": "C.UTF-8",
            "OPENCV_FOR_THREADS_NUM": "1",
        },
        limit=_LONGEST_LINE,
    )


async def _result(child: asyncio.subprocess.Process, on_fraction: OnFraction | None) -> DecodedVideo:
    if child.stdout is None or child.stderr is None:
        raise DecoderFailed("the decoder has no output")
    diagnostics = asyncio.create_task(_last_words(child.stderr))
    try:
        while line := await child.stdout.readline():
            message = msgspec.json.decode(line, type=Message)
            if message.progress is not None and on_fraction is not None:
                await on_fraction(message.progress)
            if message.refused is not None:
                raise UnreadableVideo(*message.refused)
            if message.track_bytes is not None and message.video is not None:
                return await _decoded(child.stdout, message, message.video, message.track_bytes)
        raise _broken(await child.wait(), await diagnostics)
    except (msgspec.MsgspecError, ValueError, asyncio.IncompleteReadError) as error:
        raise DecoderFailed("the decoder's answer is garbled") from error
    finally:
        diagnostics.cancel()


async def _decoded(
    stdout: asyncio.StreamReader, message: Message, video: VideoFacts, track_bytes: int
) -> DecodedVideo:
    if track_bytes > _LARGEST_TRACK:
        raise DecoderFailed("the decoder's track is too large")
    track = load_track(io.BytesIO(await stdout.readexactly(track_bytes)))
    warnings = list(message.warnings)
    if not message.offline:
        warnings.append(
            Caveat(
                "sandbox_reduced",
                "This machine cannot cut the video decoder off the network; memory and time are limited.",
            )
        )
    return DecodedVideo(
        track=track, video=video, warnings=warnings, decode_s=message.decode_s, pose_s=message.pose_s
    )


def _broken(status: int, words: str) -> UnreadableVideo | DecoderFailed:
    """Tells a recording that breaks or exhausts the decoder from a decoder that is broken."""
    if status == -signal.SIGXCPU:
        return UnreadableVideo("too_costly", "The video takes too much computing to decode.")
    if status in (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGFPE, -signal.SIGILL):
        return UnreadableVideo("undecodable", "The video breaks the decoder.")
    if status == -signal.SIGSYS:
        return DecoderFailed("the decoder was killed because it tried to reach the network")
    return DecoderFailed(f"the decoder ended with status {status}: {words.strip()[-600:]}")


async def _last_words(stderr: asyncio.StreamReader) -> str:
    kept = b""
    while chunk := await stderr.read(4096):
        kept = (kept + chunk)[-_DIAGNOSTICS:]
    return kept.decode(errors="replace")


async def _end(child: asyncio.subprocess.Process) -> None:
    """Kills the child's whole session, if it is still there, and reaps it."""
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    await child.wait()
