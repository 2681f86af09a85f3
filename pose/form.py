"""Faults of form: what the exercise's rules say about one repetition."""

from collections.abc import Iterable

import numpy as np

from care.exercises import Exercise, FormRule, View
from pose.analysis import Finding
from pose.angles import SIDES, SIGNALS, Side
from pose.landmarks import LandmarkTrack
from pose.limbs import Limb, angle_of
from pose.repetitions import Movement
from pose.smoothing import Curve


class FormJudge:
    """Applies the rules of one exercise to repetitions of one limb.

    Args:
        track: The landmarks.
        exercise: Whose rules apply.
        view: The camera view; rules that cannot be judged from it are left out.
        limb: The limb that exercises.
    """

    def __init__(self, track: LandmarkTrack, exercise: Exercise, view: View, limb: Limb) -> None:
        self._rules: list[tuple[FormRule, list[Curve]]] = []
        for rule in exercise.form_rules:
            if view in rule.views and rule.measure in SIGNALS and track.measurable:
                sides: Iterable[Side] = SIDES if limb.side == "both" and view == "front" else limb.measured_on
                curves = [angle_of(track, rule.measure, (side,), square_on=True) for side in sides]
                self._rules.append((rule, [curve for curve in curves if curve is not None]))

    def findings(self, movement: Movement) -> list[Finding]:
        """The rules that this repetition breaks, each by its worst side."""
        broken: list[Finding] = []
        for rule, curves in self._rules:
            measured = [_statistic(rule, curve, movement) for curve in curves]
            worst = (max if rule.direction == "above" else min)(
                measured, key=lambda pair: pair[0], default=None
            )
            if worst is not None and _breaks(rule, worst[0]):
                broken.append(
                    Finding(
                        code=rule.code,
                        label=rule.label.en,
                        severity=rule.severity,
                        measured=round(worst[0], 1),
                        limit=rule.limit,
                        unit=rule.unit,
                        at_s=round(worst[1], 2),
                    )
                )
        return broken


def _breaks(rule: FormRule, measured: float) -> bool:
    return measured > rule.limit if rule.direction == "above" else measured < rule.limit


def _statistic(rule: FormRule, curve: Curve, movement: Movement) -> tuple[float, float]:
    """The rule's statistic over a movement, and the second at which it was reached."""
    inside = (curve.t >= movement.start_s) & (curve.t <= movement.end_s)
    times, values = curve.t[inside], curve.deg[inside]
    highest, lowest = int(values.argmax()), int(values.argmin())
    if rule.statistic == "mean":
        return float(values.mean()), movement.peak_s
    if rule.statistic == "at_peak":
        return float(np.interp(movement.peak_s, times, values)), movement.peak_s
    if rule.statistic == "range":
        away = highest if abs(values[highest] - values[0]) >= abs(values[lowest] - values[0]) else lowest
        return float(values[highest] - values[lowest]), float(times[away])
    return float(values[highest]), float(times[highest])
