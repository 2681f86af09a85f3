"""The numbers of the compliance formula, from `data/compliance.yaml` with their reasons."""

import datetime as dt
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from care.evidence import Grade

Ratio = Annotated[str, Meta(pattern=r"^(0(\.\d+)?|1)$")]
"""A decimal from 0 to 1, kept as text so that it is computed with exactly."""


class GradeWeight(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much one repetition counts when this grade of evidence attests to it."""

    grade: Grade
    weight: Ratio
    reason: str


class Threshold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The compliance from which a patient counts as keeping up."""

    value: Ratio
    source: str


class ComplianceRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything the formula takes for granted; `formula` names its version in every result."""

    formula: str
    as_of: dt.date
    threshold: Threshold
    grades: tuple[GradeWeight, ...]

    @property
    def threshold_ratio(self) -> Fraction:
        return Fraction(self.threshold.value)

    def weights(self) -> dict[Grade, Fraction]:
        return {each.grade: Fraction(each.weight) for each in self.grades}


RULES = msgspec.yaml.decode(
    (Path(__file__).parent / "data" / "compliance.yaml").read_bytes(), type=ComplianceRules
)
