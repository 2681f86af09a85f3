"""One exercise as it is prescribed: how much of it, on which days, and what counts as one dose.

A *dose* is one day's work on one prescription: its sets times its repetitions, each held for `hold_s`.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from care.errors import UnknownExercise
from care.exercises import ExerciseLibrary
from care.limits import LIMITS
from care.local_time import DAYS_IN_WEEK, WEEKDAYS, Weekday, weekday_of
from core.encrypted import Encrypted
from core.errors import FieldFault

Side = Literal["left", "right", "both"]

Sets = Annotated[int, Meta(ge=1, le=LIMITS.sets, description="Sets in one day.")]
Repetitions = Annotated[int, Meta(ge=1, le=LIMITS.repetitions, description="Repetitions in one set.")]
HoldSeconds = Annotated[
    float, Meta(ge=0, le=LIMITS.hold_s, description="Seconds to hold each repetition; 0 for no hold.")
]
NamedDays = Annotated[
    list[Weekday], Meta(max_length=DAYS_IN_WEEK, examples=[["monday", "wednesday", "friday"]])
]
DaysPerWeek = Annotated[int, Meta(ge=1, le=DAYS_IN_WEEK, examples=[None])]
TargetRom = Annotated[
    float, Meta(gt=0, le=180, description="Range of motion to aim for, in degrees.", examples=[80])
]
Notes = Annotated[str, Meta(max_length=LIMITS.notes_length, examples=["Go slowly on the way down."])]


class PrescriptionDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a therapist prescribes of one exercise.

    Either `days_of_week` names the days, or `days_per_week` leaves their choice to the patient. `side` says
    which side to work on; repetitions are counted over both sides together.
    """

    exercise_id: Annotated[str, Meta(min_length=1, max_length=80, examples=["sit_to_stand"])]
    sets: Sets
    repetitions: Repetitions
    side: Side = "both"
    hold_s: HoldSeconds = 0
    days_of_week: NamedDays | None = None
    days_per_week: DaysPerWeek | None = None
    target_rom_deg: TargetRom | None = None
    notes: Notes | None = None
    id: Annotated[str, Meta(max_length=60, examples=[None])] | None = None
    """In a revision: the prescription it continues. Left out, it is the one of the same exercise and side."""


class Prescription(Struct, frozen=True, kw_only=True):
    """One exercise of a program. Its id stays the same while revisions change the dosage."""

    id: str
    exercise_id: str
    sets: int
    repetitions: int
    side: Side = "both"
    hold_s: float = 0
    days_of_week: tuple[Weekday, ...] | None = None
    days_per_week: int | None = None
    target_rom_deg: float | None = None
    notes: Annotated[str | None, Encrypted()] = None

    @property
    def dose_repetitions(self) -> int:
        """Repetitions in one dose, all sets together."""
        return self.sets * self.repetitions

    @property
    def names_its_days(self) -> bool:
        """Whether the calendar says on which days it is due: days are named, or it is every day."""
        return self.days_of_week is not None or self.days_per_week == DAYS_IN_WEEK

    def due_on(self, date: dt.date) -> bool:
        """Whether the calendar asks for a dose on that very date."""
        if self.days_of_week is not None:
            return weekday_of(date) in self.days_of_week
        return self.days_per_week == DAYS_IN_WEEK


def prescribed(draft: PrescriptionDraft, prescription_id: str) -> Prescription:
    """The prescription that a checked draft becomes."""
    named = draft.days_of_week
    return Prescription(
        id=prescription_id,
        exercise_id=draft.exercise_id,
        sets=draft.sets,
        repetitions=draft.repetitions,
        side=draft.side,
        hold_s=draft.hold_s,
        days_of_week=None if named is None else tuple(day for day in WEEKDAYS if day in named),
        days_per_week=draft.days_per_week,
        target_rom_deg=draft.target_rom_deg,
        notes=draft.notes,
    )


def faults_of(drafts: Sequence[PrescriptionDraft], library: ExerciseLibrary) -> list[FieldFault]:
    """Everything about the drafts that cannot be prescribed, by JSON pointer into `prescriptions`."""
    if not drafts:
        return [FieldFault("/prescriptions", "prescribe at least one exercise")]
    if len(drafts) > LIMITS.prescriptions:
        return [FieldFault("/prescriptions", f"prescribe at most {LIMITS.prescriptions} exercises")]
    return [
        FieldFault(f"/prescriptions/{index}/{field}", detail)
        for index, draft in enumerate(drafts)
        for field, detail in _faults(draft, library)
    ]


def _faults(draft: PrescriptionDraft, library: ExerciseLibrary) -> Iterator[tuple[str, str]]:
    try:
        exercise = library.get(draft.exercise_id)
    except UnknownExercise:
        yield "exercise_id", "is not an exercise of the library"
    else:
        if exercise.motion.kind == "hold" and not draft.hold_s:
            yield "hold_s", "is required for an exercise that is held"
    if (draft.days_of_week is None) == (draft.days_per_week is None):
        yield "days_of_week", "give either days_of_week or days_per_week"
    elif draft.days_of_week is not None:
        if not draft.days_of_week:
            yield "days_of_week", "name at least one day"
        elif len(set(draft.days_of_week)) < len(draft.days_of_week):
            yield "days_of_week", "names a day twice"
    bounds = {
        "sets": (1, LIMITS.sets),
        "repetitions": (1, LIMITS.repetitions),
        "hold_s": (0, LIMITS.hold_s),
    }
    for field, (lowest, highest) in bounds.items():
        if not lowest <= getattr(draft, field) <= highest:
            yield field, f"is not between {lowest} and {highest}"
