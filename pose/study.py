"""One landmark track under one question: which exercise, which side, and what was done."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

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
from pose.form import FormJudge
from pose.landmarks import ANKLE, ELBOW, HIP, KNEE, SHOULDER, WRIST, LandmarkTrack
from pose.limbs import Limb, Motion, follow
from pose.quality import repetition_score, set_quality
from pose.recognition import Guess, counting_without_exercise, recognize
from pose.recording import Caveat, VideoFacts
from pose.repetitions import SWING_OF_RANGE, UNSURE_SWING_OF_RANGE, Criteria, Movement
from pose.smoothing import Curve
from pose.validation import expected_error
from pose.view import CameraView, estimate_view

SideWish = Literal["left", "right", "both"]

BODY_LANDMARKS = [
    landmark[side] for landmark in (SHOULDER, ELBOW, WRIST, HIP, KNEE, ANKLE) for side in ("left", "right")
]
"""What must be seen of a body for its joints to be followed."""

FAINT = 0.5
"""Fraction of the frames below which the exercising limb has not been seen for long enough."""

PLOTTED_POINTS = 600
"""Most points of a curve for drawing: as many as a phone's screen can tell apart."""

SHRUNK_ROM = 0.4
"""What 3-D landmarks may leave of a range of motion when the view does not suit; the smallest movement that
counts is this much smaller there.
"""

STILL_WANDER_DEG = 6.0
"""How far the 3-D angles of someone standing still wander: no movement is smaller, whatever the view."""

UNEVEN_SHRINKING = 0.75
"""3-D landmarks take more off a shallow movement than off a deep one, so a movement must be this much smaller
there before it is called partial.
"""


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


class Study:
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

    def result(
        self, video: VideoFacts, model: str, warnings: Sequence[Caveat], timings: Callable[[], Timings]
    ) -> VideoAnalysis:
        """What was found.

        Args:
            video: The recording.
            model: The variant of the landmark model that followed the body.
            warnings: What the decoder had to say.
            timings: Asked for the time spent once all is done.
        """
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
            timings=timings(),
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
        if not repetitions or not self._track.measurable or self._exercise is None or self._motion.isometric:
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
            else max(STILL_WANDER_DEG, phases.minimum_rom_deg * SHRUNK_ROM),
            partial_below_fraction=phases.partial_below_fraction * (1.0 if faithful else UNEVEN_SHRINKING),
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
