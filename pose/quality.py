"""The score of a repetition and of a set, with its parts.

`range` is ROM against the exercise's target, `form` 100 less deductions for findings, `consistency` the
evenness of ROM and duration, `tracking` how well the body was seen. Weights and deductions are in
data/scoring.yaml.
"""

import datetime as dt
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec
import numpy as np

from pose.analysis import Components, Finding, Quality, Severity
from pose.repetitions import Movement


class Scoring(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Deductions in points, weights of the components, and the spread at which consistency is 0."""

    as_of: dt.date
    source: str
    deductions: dict[Severity, float]
    partial_deduction: float
    weights: dict[str, float]
    inconsistent_from: float


@cache
def scoring() -> Scoring:
    path = Path(__file__).parent / "data" / "scoring.yaml"
    return msgspec.yaml.decode(path.read_bytes(), type=Scoring)


def repetition_score(movement: Movement, findings: Sequence[Finding]) -> float:
    """0..100 for one repetition: 100 less what its findings and its incompleteness cost."""
    rules = scoring()
    deducted = sum(rules.deductions[finding.severity] for finding in findings)
    return max(0.0, 100.0 - deducted - (rules.partial_deduction if movement.partial else 0.0))


def set_quality(
    movements: Sequence[Movement],
    scores: Sequence[float],
    *,
    target_rom_deg: float | None,
    rom_reliable: bool,
    tracking: float,
) -> Quality:
    """The quality of a set; a recording without movements scores 0.

    Args:
        movements: All movements, partial ones included.
        scores: The score of each.
        target_rom_deg: What to aim for; None leaves `range` out.
        rom_reliable: Whether the view allows ROM to be judged.
        tracking: 0..1, how well the body was seen.
    """
    seen = round(100.0 * tracking, 1)
    if not movements:
        return Quality(0.0, Components(None, None, None, seen))
    reached = None
    if target_rom_deg and rom_reliable:
        reached = 100.0 * float(
            np.mean([min(1.0, movement.rom_deg / target_rom_deg) for movement in movements])
        )
    form = float(np.mean(scores))
    parts = {"range": reached, "form": form, "consistency": _consistency(movements), "tracking": seen}
    told = {name: value for name, value in parts.items() if value is not None}
    weights = scoring().weights
    score = sum(weights[name] * value for name, value in told.items()) / sum(weights[name] for name in told)
    rounded = {name: None if value is None else round(value, 1) for name, value in parts.items()}
    return Quality(
        round(score, 1),
        Components(rounded["range"], rounded["form"], rounded["consistency"], seen),
    )


def _consistency(movements: Sequence[Movement]) -> float | None:
    """100 for identical repetitions; None for a single one."""
    if len(movements) < 2:  # noqa: PLR2004 - nothing to compare one repetition with
        return None
    roms = np.array([movement.rom_deg for movement in movements])
    durations = np.array([movement.end_s - movement.start_s for movement in movements])
    spread = float(np.mean([values.std() / max(values.mean(), 1e-9) for values in (roms, durations)]))
    return 100.0 * max(0.0, 1.0 - spread / scoring().inconsistent_from)
