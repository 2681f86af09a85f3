"""What can go wrong in the care room.

Every one of these is a `CareError`: `UnknownExercise` (choose an exercise of the library) and
`InvalidExercise` (mend the named field of an exercise file).
"""

from core.errors import HomestretchError, NotFound


class CareError(HomestretchError):
    """Anything the care room refuses."""


class UnknownExercise(CareError, NotFound):
    """The library has no exercise of this id."""

    def __init__(self, exercise_id: str) -> None:
        super().__init__("No exercise of that id in the library.")
        self.exercise_id = exercise_id


class InvalidExercise(CareError):
    """An exercise file that can't be used: one line naming the file, the field and the reason."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file = file
        self.reason = reason
