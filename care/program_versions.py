"""A home exercise program over time: dated versions, of which exactly one is in force on each of its dates.

A revision never changes what was prescribed on days gone by: it closes the version before it and keeps it.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated

from msgspec import Struct
from msgspec.structs import replace

from care.prescriptions import Prescription, PrescriptionDraft
from core.encrypted import Encrypted


class ProgramVersion(Struct, frozen=True, kw_only=True):
    """What is prescribed from `valid_from` through `valid_to` (patient-local dates; None: no end).

    A version that was replaced before it came into force ends on the day before it begins.
    """

    number: int
    title: Annotated[str, Encrypted()]
    valid_from: dt.date
    valid_to: dt.date | None
    prescriptions: tuple[Prescription, ...]
    prescribed_by: str
    prescribed_at: dt.datetime

    def in_force_on(self, date: dt.date) -> bool:
        return self.valid_from <= date and (self.valid_to is None or date <= self.valid_to)

    def prescription(self, prescription_id: str) -> Prescription | None:
        return next((each for each in self.prescriptions if each.id == prescription_id), None)


def version_on(versions: Sequence[ProgramVersion], date: dt.date) -> ProgramVersion | None:
    """The version in force on `date`, or None before the program begins and after it ends."""
    return next((version for version in versions if version.in_force_on(date)), None)


def succeeded_by(versions: Sequence[ProgramVersion], successor: ProgramVersion) -> tuple[ProgramVersion, ...]:
    """The versions with `successor` in force from its first day on."""
    eve = successor.valid_from - dt.timedelta(days=1)
    closed = [
        replace(version, valid_to=eve) if version.valid_to is None or version.valid_to > eve else version
        for version in versions
    ]
    return (*closed, successor)


def continued_ids(drafts: Sequence[PrescriptionDraft], before: ProgramVersion) -> list[str | None]:
    """For each draft the id of the prescription it continues: the one it names, else that of the same

    exercise and side; None for a new one. Each prescription is continued at most once.
    """
    named = {draft.id for draft in drafts if draft.id is not None}
    free = [each for each in before.prescriptions if each.id not in named]
    ids: list[str | None] = []
    for draft in drafts:
        if draft.id is not None:
            ids.append(draft.id)
            continue
        same = next(
            (each for each in free if (each.exercise_id, each.side) == (draft.exercise_id, draft.side)), None
        )
        if same is not None:
            free.remove(same)
        ids.append(None if same is None else same.id)
    return ids
