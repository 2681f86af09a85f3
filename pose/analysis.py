"""The result of an analysis, as people and machines read it: the JSON of `homestretch analyze --json`.

Degrees are anatomical (0 is the anatomical position; flexion, abduction and plantarflexion positive), seconds
count from the first frame of the recording, scores run from 0 to 100.
"""

from typing import Literal

from msgspec import Struct

from care.exercises import View, load_library
from pose.recording import Caveat, VideoFacts

ALGORITHM = "pose/1.1.0"
"""Changes whenever the same recording could give another number."""

RepetitionSide = Literal["left", "right", "both"]
Severity = Literal["info", "minor", "major"]


class ViewInfo(Struct, frozen=True):
    """From where the camera looks: 0 front, +90 the body's left side. `suited`: ROM may be relied on."""

    yaw_deg: float | None
    label: View
    suited: bool


class Tracking(Struct, frozen=True):
    """How well the body was followed; fractions 0..1."""

    model: str
    frames_analyzed: int
    detection_rate: float
    mean_visibility: float
    view: ViewInfo


class Finding(Struct, frozen=True):
    """A fault of form in one repetition: what was measured, against which limit, when."""

    code: str
    label: str
    severity: Severity
    measured: float
    limit: float
    unit: str
    at_s: float


class Repetition(Struct, frozen=True):
    """One movement. A partial one has `counted` false."""

    index: int
    side: RepetitionSide
    start_s: float
    peak_s: float
    end_s: float
    rom_deg: float
    peak_deg: float
    start_deg: float
    concentric_s: float
    eccentric_s: float
    hold_s: float
    score: float
    findings: list[Finding]
    counted: bool


class RangeOfMotion(Struct, frozen=True):
    """ROM over the counted repetitions; `error_deg` is the expected error in this view
    (pose/data/validation.yaml).
    """

    joint: str
    motion: str
    median_deg: float
    best_deg: float
    error_deg: float | None


class Tempo(Struct, frozen=True):
    """Medians over the counted repetitions, and how much their duration varies (SD / mean)."""

    concentric_s: float
    hold_s: float
    eccentric_s: float
    repetition_s: float
    per_minute: float
    variation: float | None


class Components(Struct, frozen=True):
    """The parts of the score, each 0..100; None where the recording cannot tell."""

    range: float | None
    form: float | None
    consistency: float | None
    tracking: float


class Quality(Struct, frozen=True):
    """The score of the set and what it is made of."""

    score: float
    components: Components


class Timings(Struct, frozen=True):
    """Seconds spent; `realtime_factor` is total time over the recording's duration."""

    decode_s: float
    pose_s: float
    analysis_s: float
    total_s: float
    realtime_factor: float


class Analysis(Struct, frozen=True):
    """The whole result. Without a named exercise, `exercise` is a guess and `exercise_confidence` says how
    sure.
    """

    algorithm: str
    exercise: str | None
    exercise_confidence: float | None
    video: VideoFacts
    tracking: Tracking
    repetitions: list[Repetition]
    count: int
    partial_count: int
    rom: RangeOfMotion | None
    tempo: Tempo | None
    quality: Quality
    warnings: list[Caveat]
    timings: Timings


def is_held(analysis: Analysis) -> bool:
    """Whether its repetitions are holds, which have a length instead of a range of motion."""
    return analysis.exercise is not None and load_library().get(analysis.exercise).motion.kind == "hold"


def tally(analysis: Analysis) -> str:
    """What was counted, in words: "5 repetitions, 2 partial", "1 hold"."""
    noun = "hold" if is_held(analysis) else "repetition"
    partial = f", {analysis.partial_count} partial" if analysis.partial_count else ""
    return f"{analysis.count} {noun}{'' if analysis.count == 1 else 's'}{partial}"
