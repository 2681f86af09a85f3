"""The recording again with what was measured drawn into it: skeleton, angle, repetition count, findings.

Run on a recording that the analysis has already accepted. It decodes in the calling process: for the person
who made the recording, at the command line. Faces are left visible; nothing is uploaded.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import av
import cv2
import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from care.exercises import Exercise
from pose.analysis import Analysis, Repetition
from pose.landmarks import ANKLE, ELBOW, HEEL, HIP, KNEE, SHOULDER, TOE, WRIST, Floats, LandmarkTrack
from pose.pictures import Picture, upright
from pose.sniffing import HEAD_BYTES, sniff
from pose.study import PlottedCurve, VideoAnalysis

Untyped: TypeAlias = Any
"""PyAV's encoder, whose types are only half known."""

Colour = tuple[int, int, int]

LONG_SIDE = 960
FAINT = 0.3
LEFT_COLOUR: Colour = (255, 176, 59)
RIGHT_COLOUR: Colour = (79, 195, 247)
MIDDLE_COLOUR: Colour = (236, 239, 241)
PANEL: Colour = (18, 24, 31)
TEXT: Colour = (245, 247, 250)
MUTED: Colour = (176, 186, 197)
GOOD: Colour = (77, 208, 165)
FAULT: Colour = (255, 112, 97)
PARTIAL: Colour = (255, 193, 94)
FONT = cv2.FONT_HERSHEY_DUPLEX
UNIT_SIGNS = {"deg": "°", "s": " s", "m": " m"}

_LIMB = [
    (SHOULDER, ELBOW),
    (ELBOW, WRIST),
    (SHOULDER, HIP),
    (HIP, KNEE),
    (KNEE, ANKLE),
    (ANKLE, HEEL),
    (HEEL, TOE),
]
_JOINT_OF_SIGNAL = {
    "knee_flexion": (HIP, KNEE, ANKLE),
    "hip_flexion": (SHOULDER, HIP, KNEE),
    "hip_abduction": (SHOULDER, HIP, KNEE),
    "elbow_flexion": (SHOULDER, ELBOW, WRIST),
    "shoulder_elevation": (HIP, SHOULDER, ELBOW),
    "shoulder_external_rotation": (SHOULDER, ELBOW, WRIST),
    "ankle_plantarflexion": (KNEE, ANKLE, TOE),
}


def save_overlay(
    recording: Path,
    result: VideoAnalysis,
    exercise: Exercise | None,
    path: Path,
    *,
    on_fraction: Callable[[float], None] | None = None,
) -> None:
    """Writes the recording with the drawing as an MP4 (H.264).

    Args:
        recording: The video that was analysed.
        result: Its analysis.
        exercise: What it was analysed as, for its name; None when unknown.
        path: Where to write.
        on_fraction: Called with the fraction done, 0..1.
    """
    painter = _Painter(result, exercise)
    duration = max(result.analysis.video.duration_s, 1e-3)
    rate = Fraction(result.analysis.video.fps or 30).limit_denominator(1001)
    ticks_per_s = 90_000
    output: Untyped
    stream: Untyped = None
    with av.open(str(path), "w", format="mp4") as output:
        for t, picture in _upright_pictures(recording):
            if stream is None:
                options = {"crf": "23", "preset": "veryfast"}
                stream = output.add_stream("libx264", rate=rate, options=options)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.codec_context.time_base = Fraction(1, ticks_per_s)
            painter.paint(picture, t)
            frame = VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(t * ticks_per_s), Fraction(1, ticks_per_s)
            output.mux(stream.encode(frame))
            if on_fraction is not None:
                on_fraction(min(1.0, t / duration))
        if stream is not None:
            output.mux(stream.encode(None))


def _upright_pictures(recording: Path) -> Iterator[tuple[float, Picture]]:
    with recording.open("rb") as file:
        container_format = sniff(file.read(HEAD_BYTES))
        file.seek(0)
        with av.open(file, "r", format=container_format, options={"protocol_whitelist": "none"}) as container:
            first: float | None = None
            last = -1.0
            try:
                for frame in container.decode(video=0):
                    if frame.pts is None:
                        continue
                    first = frame.time if first is None else first
                    t = frame.time - first
                    if t > last:
                        last = t
                        yield t, upright(frame, LONG_SIDE)
            except FFmpegError:
                return


class _Painter:
    """Draws one analysis into pictures."""

    def __init__(self, result: VideoAnalysis, exercise: Exercise | None) -> None:
        self._analysis: Analysis = result.analysis
        self._track: LandmarkTrack = result.track
        self._curve: PlottedCurve | None = result.curve
        self._title = exercise.names.en if exercise else "Movement"

    def paint(self, picture: Picture, t: float) -> None:
        landmarks = self._landmarks(t)
        height, width = picture.shape[:2]
        if landmarks is not None:
            points = landmarks[:, :2] * (width, height)
            visible = landmarks[:, 3] >= FAINT
            self._skeleton(picture, points, visible)
            self._angle(picture, points, t)
        self._counter(picture, t)
        self._findings(picture, t)

    def _landmarks(self, t: float) -> Floats | None:
        """(33, 4) landmarks at a time between two analysed frames; None where nobody was found."""
        times = self._track.t
        after = int(np.clip(np.searchsorted(times, t), 1, len(times) - 1)) if len(times) > 1 else 0
        before = max(after - 1, 0)
        share = float(np.clip((t - times[before]) / max(times[after] - times[before], 1e-9), 0.0, 1.0))
        mixed = (1 - share) * self._track.image[before] + share * self._track.image[after]
        return mixed if np.isfinite(mixed[:, :2]).all() else None

    def _skeleton(self, picture: Picture, points: Floats, visible: NDArray[np.bool_]) -> None:
        weight = _weight(picture)
        for part in (SHOULDER, HIP):
            _bone(picture, points[part["left"]], points[part["right"]], MIDDLE_COLOUR, weight)
        for side, colour in (("left", LEFT_COLOUR), ("right", RIGHT_COLOUR)):
            for one, other in _LIMB:
                if visible[one[side]] and visible[other[side]]:
                    _bone(picture, points[one[side]], points[other[side]], colour, weight)
            for landmark in (SHOULDER, ELBOW, WRIST, HIP, KNEE, ANKLE):
                if visible[landmark[side]]:
                    centre = _pixel(points[landmark[side]])
                    cv2.circle(picture, centre, weight + 3, PANEL, -1, cv2.LINE_AA)
                    cv2.circle(picture, centre, weight + 1, colour, -1, cv2.LINE_AA)

    def _angle(self, picture: Picture, points: Floats, t: float) -> None:
        """The arc of the measured joint with its angle in degrees."""
        curve = self._curve
        if curve is None or curve.signal not in _JOINT_OF_SIGNAL:
            return
        index = int(np.clip(np.searchsorted(curve.t_s, t), 0, len(curve.t_s) - 1))
        angle = curve.deg[index]
        if angle is None:
            return
        side = self._side(t)
        above, joint, below = (points[landmark[side]] for landmark in _JOINT_OF_SIGNAL[curve.signal])
        weight = _weight(picture)
        radius = int(0.35 * min(np.linalg.norm(above - joint), np.linalg.norm(below - joint))) + 6
        # Flexion is measured from the straight joint, elevation of the arm from the trunk.
        zero = above - joint if curve.signal == "shoulder_elevation" else joint - above
        start, end = (float(np.degrees(np.arctan2(ray[1], ray[0]))) for ray in (zero, below - joint))
        sweep = (end - start + 180.0) % 360.0 - 180.0
        from_zero = joint + radius * zero / max(float(np.linalg.norm(zero)), 1e-9)
        for colour, thickness in ((PANEL, weight + 3), (TEXT, weight)):
            cv2.line(picture, _pixel(joint), _pixel(from_zero), colour, max(1, thickness - 1), cv2.LINE_AA)
            cv2.ellipse(
                picture,
                _pixel(joint),
                (radius, radius),
                0,
                start,
                start + sweep,
                colour,
                thickness,
                cv2.LINE_AA,
            )
        middle = np.radians(start + sweep / 2)
        _label(picture, f"{angle:.0f}°", joint + (radius + 24) * np.array([np.cos(middle), np.sin(middle)]))

    def _side(self, t: float) -> str:
        """The limb to draw the angle at: of the repetition at that time, or the one nearer the camera."""
        for repetition in self._analysis.repetitions:
            if repetition.side != "both" and repetition.start_s <= t <= repetition.end_s:
                return repetition.side
        named = [repetition.side for repetition in self._analysis.repetitions if repetition.side != "both"]
        if named:
            return named[0]
        yaw = self._analysis.tracking.view.yaw_deg
        return "right" if yaw is not None and yaw < 0 else "left"

    def _counter(self, picture: Picture, t: float) -> None:
        done = [repetition for repetition in self._analysis.repetitions if repetition.end_s <= t]
        count = sum(repetition.counted for repetition in done)
        partial = len(done) - count
        unit = _unit(picture)
        detail = f"of {self._analysis.count}" + (f", {partial} partial" if partial else "")
        beside = _text_width(str(count), 1.05 * unit) + int(10 * unit)
        width = max(_text_width(self._title, 0.62 * unit), beside + _text_width(detail, 0.5 * unit))
        box = (int(14 * unit), int(14 * unit), width + int(28 * unit), int(78 * unit))
        _panel(picture, box)
        left, top = box[0] + int(14 * unit), box[1]
        _write(picture, self._title, (left, top + int(27 * unit)), 0.62 * unit, TEXT)
        _write(picture, str(count), (left, top + int(64 * unit)), 1.05 * unit, GOOD)
        _write(picture, detail, (left + beside, top + int(61 * unit)), 0.5 * unit, MUTED)

    def _findings(self, picture: Picture, t: float) -> None:
        """The findings of the repetition that is under way or has just ended, at the foot of the picture."""
        shown = [one for one in self._analysis.repetitions if one.start_s <= t <= one.end_s + 0.5]
        unit = _unit(picture)
        lines = [line for one in shown[-1:] for line in _finding_lines(one)]
        for index, (line, colour) in enumerate(lines):
            top = picture.shape[0] - int((52 + 38 * index) * unit)
            _panel(
                picture,
                (int(14 * unit), top, _text_width(line, 0.52 * unit) + int(28 * unit), int(34 * unit)),
            )
            _write(picture, line, (int(28 * unit), top + int(23 * unit)), 0.52 * unit, colour)


def _finding_lines(repetition: Repetition) -> list[tuple[str, Colour]]:
    """What to say of a repetition, and in which colour."""
    said = [(f"{one.label}: {one.measured:.0f}{UNIT_SIGNS[one.unit]}", FAULT) for one in repetition.findings]
    return said if repetition.counted else [("Partial repetition", PARTIAL), *said]


def _unit(picture: Picture) -> float:
    """Size of the lettering relative to a picture 540 pixels wide."""
    return max(0.6, min(picture.shape[1] / 540, 1.6))


def _weight(picture: Picture) -> int:
    return max(2, round(max(picture.shape[:2]) / 320))


def _pixel(point: Floats) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))


def _bone(picture: Picture, one: Floats, other: Floats, colour: Colour, weight: int) -> None:
    cv2.line(picture, _pixel(one), _pixel(other), PANEL, weight + 3, cv2.LINE_AA)
    cv2.line(picture, _pixel(one), _pixel(other), colour, weight, cv2.LINE_AA)


def _text_width(text: str, scale: float) -> int:
    return int(cv2.getTextSize(text, FONT, scale, 1)[0][0])


def _write(picture: Picture, text: str, place: tuple[int, int], scale: float, colour: Colour) -> None:
    cv2.putText(picture, text, place, FONT, scale, colour, 1, cv2.LINE_AA)


def _label(picture: Picture, text: str, centre: Floats) -> None:
    scale = 0.5 * _unit(picture)
    (width, height), _ = cv2.getTextSize(text, FONT, scale, 1)
    left, base = _pixel(centre - np.array([width / 2, -height / 2]))
    left = int(np.clip(left, 6, max(6, picture.shape[1] - width - 6)))
    _panel(picture, (left - 6, base - height - 6, width + 12, height + 12))
    _write(picture, text, (left, base), scale, TEXT)


def _panel(picture: Picture, box: tuple[int, int, int, int]) -> None:
    """Darkens a rectangle (left, top, width, height) so that letters on it can be read."""
    left, top, width, height = box
    region = picture[max(top, 0) : top + height, max(left, 0) : left + width]
    region[:] = (0.28 * region + 0.72 * np.array(PANEL)).astype(np.uint8)
