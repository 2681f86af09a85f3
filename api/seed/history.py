"""Eight plausible weeks of one demo patient: which doses are done, how much of them, and how it felt.

Pure and deterministic: the same patient, dates and seed always have the same history.
"""

import datetime as dt
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from api.seed.plan import DemoPatient, Trajectory
from care.local_time import DAYS_IN_WEEK, weekday_of
from care.prescriptions import PrescriptionDraft

WEEKS = 8

Told = Literal["self_report", "clinician_observed"]

# How much of a bad day is shared by all exercises of the program: who skips one often skips the others.
_SHARED = 0.8
_CUT_SHORT = 0.12
_FILMED = 0.35
_OBSERVED = 0.1
_HIGHEST_PAIN = 10


@dataclass(frozen=True)
class DoneDose:
    """One exercise done on a day. `exercise` counts from 0 in the order of the program."""

    exercise: int
    sets: int
    told: Told
    filmed: bool
    pain_before: int
    pain_after: int
    exertion_after: int


@dataclass(frozen=True)
class ActiveDay:
    """A day on which something was done, and when it began on the patient's clock."""

    date: dt.date
    begins: dt.time
    doses: tuple[DoneDose, ...]


def history_of(
    patient: DemoPatient, trajectory: Trajectory, first: dt.date, days: int, seed: int
) -> list[ActiveDay]:
    """What the patient did in the `days` from `first` on."""
    chance = random.Random(f"{seed}/{patient.given_name}/{patient.family_name}")  # noqa: S311 - a story, no secret
    history: list[ActiveDay] = []
    for number in range(days):
        progress = number / max(1, days - 1)
        date = first + dt.timedelta(days=number)
        doses = tuple(_doses(patient, trajectory, date, progress, chance))
        hour, minute = chance.choice((7, 8, 12, 17, 18, 19)), chance.randrange(60)
        if doses:
            history.append(ActiveDay(date, dt.time(hour, minute), doses))
    return history


def due_on(draft: PrescriptionDraft, date: dt.date) -> bool:
    """Whether the patient means to do it on that day; whoever may choose spreads the days evenly."""
    if draft.days_of_week is not None:
        return weekday_of(date) in draft.days_of_week
    often = draft.days_per_week or DAYS_IN_WEEK
    return (date.weekday() * often) % DAYS_IN_WEEK < often


def _doses(
    patient: DemoPatient, trajectory: Trajectory, date: dt.date, progress: float, chance: random.Random
) -> Iterator[DoneDose]:
    share = _between(trajectory.first, trajectory.last, progress)
    pain = _between(patient.pain.first, patient.pain.last, progress)
    shared_luck = chance.random()
    for number, draft in enumerate(patient.program.exercises):
        luck = _SHARED * shared_luck + (1 - _SHARED) * chance.random()
        if not due_on(draft, date) or luck >= _quantile(share):
            continue
        cut_short = draft.sets > 1 and chance.random() < _CUT_SHORT
        before = _rated(pain + chance.gauss(0, 0.6))
        observed = number == 0 and date.weekday() < 5 and chance.random() < _OBSERVED  # noqa: PLR2004 - a working day
        yield DoneDose(
            exercise=number,
            sets=draft.sets - 1 if cut_short else draft.sets,
            told="clinician_observed" if observed else "self_report",
            filmed=not observed and chance.random() < _FILMED,
            pain_before=before,
            pain_after=_rated(before + chance.choice((-1, 0, 0, 1))),
            exertion_after=chance.randint(3, 6),
        )


def _quantile(share: float) -> float:
    """Below which value the sum of the shared and the own luck lies in that share of cases.

    The sum of two uniform numbers, the larger one `_SHARED` long: a trapezium, whose sides count for little.
    """
    own = 1 - _SHARED
    edge = own / (2 * _SHARED)
    if share < edge:
        return (2 * share * _SHARED * own) ** 0.5
    if share > 1 - edge:
        return 1 - (2 * (1 - share) * _SHARED * own) ** 0.5
    return share * _SHARED + own / 2


def _between(first: float, last: float, progress: float) -> float:
    return first + (last - first) * progress


def _rated(pain: float) -> int:
    return min(_HIGHEST_PAIN, max(0, round(pain)))


def adherence(patient: DemoPatient, history: Sequence[ActiveDay], first: dt.date, days: int) -> float:
    """The share of doses that were meant to be done and were, whole or in part."""
    meant = sum(
        due_on(draft, first + dt.timedelta(days=number))
        for number in range(days)
        for draft in patient.program.exercises
    )
    return sum(len(day.doses) for day in history) / meant
