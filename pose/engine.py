"""From a recording or a landmark track to its analysis.

`analyze_track` is a pure function. `analyze_source` and `analyze_video` decode in a confined child process
first.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Literal

import numpy as np
from msgspec import structs

from care.exercises import Exercise, load_library
from pose.analysis import (
    ALGORITHM,
    Analysis,
    RangeOfMotion,
    Repetition,
    Tempo,
    Timings,
    Tracking,
    ViewInfo,
)
from pose.angles import SIGNALS
from pose.errors import UnreadableTrack
from pose.form import FormJudge
from pose.landmarks import LandmarkTrack
from pose.limbs import Limb, Motion, follow
from pose.models import Variant
from pose.quality import repetition_score, set_quality
from pose.recognition import Guess, counting_without_exercise, recognize
from pose.recording import Caveat, VideoFacts
from pose.repetitions import SWING_OF_RANGE, UNSURE_SWING_OF_RANGE, Criteria, Movement
from pose.sandbox import DecodedVideo, decode
from pose.smoothing import Curve
from pose.sources import FileSource, RangeSource, ReadRange, VideoSource
from pose.validation import expected_error
from pose.view import CameraView, estimate_view

Model = Literal["lite", "full", "heavy", "auto"]
SideWish = Literal["left", "right", "both"]
OnProgress = Callable[[str, float], Awaitable[None]]
"""Awaited with the stage ("reading" or "analysing") and the fraction done, 0..1."""

AUTO_MODEL: Variant = "full"
"""The variant every threshold was validated with; trends must not mix variants."""

BODY_LANDMARKS = [11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]
"""Shoulders, elbows, wrists, hips, knees, ankles."""

SHORTEST_TRACK_S = 1.0
FAINT = 0.5
PLOTTED_POINTS = 600
SHRUNK_RANGE = 0.4
"""3-D takes up to two thirds off a range of motion, so the smallest movement that counts shrinks with
it...
"""

NOISE_DEG = 6.0
"""...but not below what the angles of someone standing still wander."""

UNEVEN_RANGE = 0.75
"""3-D takes more off a shallow movement than off a deep one, so fewer are called partial."""


@dataclass(frozen=True)
class PlottedCurve:
    """The primary angle for drawing: seconds and degrees, at most `PLOTTED_POINTS`; None where it is not
    known.
    """

    t_s: list[float]
    deg: list[float | None]
    signal: str


@dataclass(frozen=True)
class VideoAnalysis:
    """An analysis with what it rests on."""

    analysis: Analysis
    track: LandmarkTrack
    curve: PlottedCurve | None


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
    result = _Study(track, exercise, side).result(video, "unknown", [])
    spent = perf_counter() - started
    timings = _timings(0.0, 0.0, spent, video.duration_s)
    return replace(result, analysis=_with_timings(result.analysis, timings))


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
    result = _Study(decoded.track, exercise, side).result(decoded.video, model, decoded.warnings)
    spent = perf_counter() - started
    timings = _timings(decoded.decode_s, decoded.pose_s, spent, decoded.video.duration_s)
    return replace(result, analysis=_with_timings(result.analysis, timings))


class _Study:
    """One track under one question: which exercise, which side."""

    def __init__(self, track: LandmarkTrack, exercise: Exercise | None, side: SideWish | None) -> None:
        self._track = track
        self._view = estimate_view(track)
        self._guess: Guess | None = None if exercise else recognize(track, self._view, load_library().all())
        self._exercise = exercise or (self._guess.exercise if self._guess else None)
        self._motion = (
            _motion(self._exercise, track, self._view)
            if self._exercise
            else counting_without_exercise(track, self._view)
        )
        self._limbs = follow(track, self._motion, self._view, side)
        self._suited = bool(
            self._exercise and self._view.label in self._exercise.motion.suited_views and track.measurable
        )

    def result(self, video: VideoFacts, model: str, warnings: list[Caveat]) -> VideoAnalysis:
        repetitions, movements = self._repetitions()
        counted = [one for one in repetitions if one.counted]
        tracking = self._tracking(model)
        analysis = Analysis(
            algorithm=ALGORITHM,
            exercise=self._exercise.id if self._exercise else None,
            exercise_confidence=round(self._guess.confidence, 2) if self._guess else None,
            video=video,
            tracking=tracking,
            repetitions=repetitions,
            count=len(counted),
            partial_count=len(repetitions) - len(counted),
            rom=self._rom(counted or repetitions),
            tempo=_tempo(counted or repetitions),
            quality=set_quality(
                movements,
                [one.score for one in repetitions],
                target_rom_deg=self._exercise.target_rom_deg if self._exercise else None,
                rom_reliable=self._suited,
                tracking=tracking.detection_rate * tracking.mean_visibility,
            ),
            warnings=[*warnings, *self._warnings(tracking)],
            timings=_timings(0.0, 0.0, 0.0, video.duration_s),
        )
        return VideoAnalysis(analysis, self._track, self._plotted())

    def _repetitions(self) -> tuple[list[Repetition], list[Movement]]:
        found: list[tuple[Limb, Movement, FormJudge | None]] = []
        for limb in self._limbs:
            judge = FormJudge(self._track, self._exercise, self._view.label, limb) if self._exercise else None
            found += [(limb, movement, judge) for movement in limb.movements]
        found.sort(key=lambda entry: entry[1].peak_s)
        eccentric_first = self._exercise is not None and self._exercise.motion.first_phase == "eccentric"
        repetitions: list[Repetition] = []
        for index, (limb, movement, judge) in enumerate(found):
            findings = judge.findings(movement) if judge else []
            concentric, eccentric = (
                (movement.back_s, movement.out_s) if eccentric_first else (movement.out_s, movement.back_s)
            )
            repetitions.append(
                Repetition(
                    index=index,
                    side=limb.side,
                    start_s=round(movement.start_s, 2),
                    peak_s=round(movement.peak_s, 2),
                    end_s=round(movement.end_s, 2),
                    rom_deg=round(movement.rom_deg, 1),
                    peak_deg=round(movement.peak_deg, 1),
                    start_deg=round(movement.start_deg, 1),
                    concentric_s=round(concentric, 2),
                    eccentric_s=round(eccentric, 2),
                    hold_s=round(movement.hold_s, 2),
                    score=round(repetition_score(movement, findings), 1),
                    findings=findings,
                    counted=not movement.partial,
                )
            )
        return repetitions, [movement for _, movement, _ in found]

    def _tracking(self, model: str) -> Tracking:
        present = self._track.present
        visible = self._track.image[present][:, BODY_LANDMARKS, 3]
        view = self._view
        return Tracking(
            model=model,
            frames_analyzed=self._track.frames,
            detection_rate=round(float(np.mean(present)), 4),
            mean_visibility=round(float(np.clip(np.nanmean(visible), 0.0, 1.0)), 4),
            view=ViewInfo(None if view.yaw_deg is None else round(view.yaw_deg, 1), view.label, self._suited),
        )

    def _rom(self, repetitions: list[Repetition]) -> RangeOfMotion | None:
        if not repetitions or not self._track.measurable or self._exercise is None:
            return None
        motion = self._exercise.motion
        roms = [one.rom_deg for one in repetitions]
        return RangeOfMotion(
            joint=motion.joint,
            motion=motion.movement,
            median_deg=round(float(np.median(roms)), 1),
            best_deg=round(max(roms), 1),
            error_deg=expected_error(
                motion.signal, self._view.label, self._exercise.id, square_on=self._suited
            ),
        )

    def _warnings(self, tracking: Tracking) -> list[Caveat]:
        warnings: list[Caveat] = []
        if not self._track.timed:
            warnings.append(Caveat("assumed_rate", "The track has no times; 30 frames a second are assumed."))
        if not self._track.measurable:
            warnings.append(
                Caveat(
                    "rom_unavailable",
                    "The picture's proportions are unknown: range of motion is not available.",
                )
            )
        elif self._exercise and not self._suited:
            wanted = " or ".join(self._exercise.motion.suited_views)
            warnings.append(
                Caveat(
                    "view_unsuited",
                    f"Filmed from the {tracking.view.label}; range of motion here needs the {wanted}.",
                )
            )
        if self._exercise is None:
            warnings.append(
                Caveat("exercise_unknown", "The exercise was not recognised; its movements are counted.")
            )
        if any(movement.cut_off for limb in self._limbs for movement in limb.movements):
            during = (
                "a hold; the time that was seen counts"
                if self._motion.isometric
                else "a movement; it is listed as partial"
            )
            warnings.append(Caveat("cut_off", f"The recording begins or ends during {during}."))
        trusted = max((limb.trusted for limb in self._limbs), default=0.0)
        if trusted < FAINT or tracking.detection_rate < FAINT:
            warnings.append(
                Caveat(
                    "low_visibility",
                    "The exercising limb is hidden or out of the picture for much of the time.",
                )
            )
        return warnings

    def _plotted(self) -> PlottedCurve | None:
        if not self._limbs:
            return None
        curve = max(self._limbs, key=lambda limb: len(limb.movements)).curve
        return _thinned(curve, self._motion.signal)


def _motion(exercise: Exercise, track: LandmarkTrack, view: CameraView) -> Motion:
    phases, motion = exercise.phases, exercise.motion
    square_on = view.label in motion.suited_views
    faithful = (square_on or SIGNALS[motion.signal].flat) and track.measurable
    return Motion(
        signal=motion.signal,
        criteria=Criteria(
            rest_is_high=motion.rest == "high",
            minimum_rom_deg=phases.minimum_rom_deg
            if faithful
            else max(NOISE_DEG, phases.minimum_rom_deg * SHRUNK_RANGE),
            partial_below_fraction=phases.partial_below_fraction * (1.0 if faithful else UNEVEN_RANGE),
            minimum_s=phases.minimum_repetition_s,
            maximum_s=phases.maximum_repetition_s,
            rest_deg=phases.rest_deg,
            hold_band_deg=phases.hold_band_deg,
            swing_of_range=SWING_OF_RANGE if track.measurable else UNSURE_SWING_OF_RANGE,
        ),
        square_on=square_on,
        both_together=motion.sides == "both",
        isometric=motion.kind == "hold",
    )


def _tempo(repetitions: list[Repetition]) -> Tempo | None:
    if not repetitions:
        return None
    durations = np.array([one.end_s - one.start_s for one in repetitions])
    span_s = max(one.end_s for one in repetitions) - min(one.start_s for one in repetitions)
    return Tempo(
        concentric_s=round(float(np.median([one.concentric_s for one in repetitions])), 2),
        hold_s=round(float(np.median([one.hold_s for one in repetitions])), 2),
        eccentric_s=round(float(np.median([one.eccentric_s for one in repetitions])), 2),
        repetition_s=round(float(np.median(durations)), 2),
        per_minute=round(60.0 * len(repetitions) / span_s, 1) if span_s > 0 else 0.0,
        variation=round(float(durations.std() / durations.mean()), 3) if len(durations) > 1 else None,
    )


def _thinned(curve: Curve, signal: str) -> PlottedCurve:
    stride = max(1, -(-len(curve.t) // PLOTTED_POINTS))
    kept = slice(None, None, stride)
    return PlottedCurve(
        t_s=[round(float(t), 3) for t in curve.t[kept]],
        deg=[
            round(float(deg), 1) if known else None
            for deg, known in zip(curve.deg[kept], curve.known[kept], strict=True)
        ],
        signal=signal,
    )


def _with_timings(analysis: Analysis, timings: Timings) -> Analysis:
    return structs.replace(analysis, timings=timings)


def _timings(decode_s: float, pose_s: float, analysis_s: float, duration_s: float) -> Timings:
    total = decode_s + pose_s + analysis_s
    return Timings(
        round(decode_s, 3),
        round(pose_s, 3),
        round(analysis_s, 3),
        round(total, 3),
        round(total / duration_s, 4),
    )
