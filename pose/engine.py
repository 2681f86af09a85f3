"""From a recording or a landmark track to its analysis.

`analyze_track` is a pure function. `analyze_source` and `analyze_video` decode in a confined child process
first.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import Literal

from care.exercises import Exercise
from pose.analysis import Timings
from pose.errors import UnreadableTrack
from pose.landmarks import LandmarkTrack
from pose.models import Variant
from pose.recording import VideoFacts
from pose.sandbox import DecodedVideo, decode
from pose.sources import FileSource, RangeSource, ReadRange, VideoSource
from pose.study import SideWish, Study, VideoAnalysis

Model = Literal["lite", "full", "heavy", "auto"]
OnProgress = Callable[[str, float], Awaitable[None]]
"""Awaited with the stage ("reading" or "analysing") and the fraction done, 0..1."""

AUTO_MODEL: Variant = "full"
"""The variant every threshold was validated with; trends must not mix variants."""

SHORTEST_TRACK_S = 1.0


async def analyze_source(
    read: ReadRange,
    size: int,
    *,
    exercise: Exercise | None,
    side: SideWish | None = None,
    model: Model = "auto",
    on_progress: OnProgress | None = None,
) -> VideoAnalysis:
    """Analyses a recording that is read in ranges, such as an encrypted one; nothing is written to disk.

    Args:
        read: `await read(offset, length)` gives that part of the recording.
        size: Of the recording, bytes.
        exercise: What the patient was asked to do; None to guess it.
        side: The limb that exercises; "both" or None lets the movement decide.
        model: Landmark model variant; "auto" is the validated one.
        on_progress: See `OnProgress`.

    Raises:
        UnreadableVideo, ModelMissing, DecoderFailed: see `pose.errors`.
    """
    return await _analyze(RangeSource(read, size), exercise, side, model, on_progress)


async def analyze_video(
    path: Path,
    *,
    exercise: Exercise | None,
    side: SideWish | None = None,
    model: Model = "auto",
    on_progress: OnProgress | None = None,
) -> VideoAnalysis:
    """Analyses a recording in a plain file; see `analyze_source`."""
    return await _analyze(FileSource(path), exercise, side, model, on_progress)


def analyze_track(
    track: LandmarkTrack, *, exercise: Exercise | None, side: SideWish | None = None
) -> VideoAnalysis:
    """Analyses landmarks.

    Raises:
        UnreadableTrack: when it is too short or nobody is in it.
    """
    started = perf_counter()
    if not track.present.any():
        raise UnreadableTrack("Nobody is in this track.")
    if track.frames < 2 or track.t[-1] < SHORTEST_TRACK_S:  # noqa: PLR2004 - one frame has no duration
        raise UnreadableTrack(f"The track is shorter than {SHORTEST_TRACK_S:.0f} second.")
    video = VideoFacts(
        duration_s=round(float(track.t[-1] + 1.0 / track.rate), 3),
        fps=round(track.rate, 3),
        width=track.width,
        height=track.height,
        frames=track.frames,
        rotation_deg=0,
    )
    return Study(track, exercise, side).result(
        video, "unknown", [], lambda: _timings(0.0, 0.0, perf_counter() - started, video.duration_s)
    )


async def _analyze(
    source: VideoSource,
    exercise: Exercise | None,
    side: SideWish | None,
    model: Model,
    on_progress: OnProgress | None,
) -> VideoAnalysis:
    variant: Variant = AUTO_MODEL if model == "auto" else model

    async def on_fraction(fraction: float) -> None:
        if on_progress is not None:
            await on_progress("reading", fraction)

    decoded = await decode(source, model=variant, on_fraction=on_fraction)
    if on_progress is not None:
        await on_progress("analysing", 0.0)
    result = await asyncio.to_thread(_analyze_decoded, decoded, variant, exercise, side)
    if on_progress is not None:
        await on_progress("analysing", 1.0)
    return result


def _analyze_decoded(
    decoded: DecodedVideo, model: Variant, exercise: Exercise | None, side: SideWish | None
) -> VideoAnalysis:
    started = perf_counter()
    return Study(decoded.track, exercise, side).result(
        decoded.video,
        model,
        decoded.warnings,
        lambda: _timings(
            decoded.decode_s, decoded.pose_s, perf_counter() - started, decoded.video.duration_s
        ),
    )


def _timings(decode_s: float, pose_s: float, analysis_s: float, duration_s: float) -> Timings:
    total = decode_s + pose_s + analysis_s
    return Timings(
        round(decode_s, 3),
        round(pose_s, 3),
        round(analysis_s, 3),
        round(total, 3),
        round(total / duration_s, 4),
    )
