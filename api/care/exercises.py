"""Routes of the exercise library."""

from typing import Annotated

from litestar import Controller, get
from litestar.params import FromPath, QueryParameter
from msgspec import Struct

from api.authorization import needs
from care.exercises import BodyRegion, Dosage, Equipment, Exercise, Language, load_library
from core.pages import Page
from identity.policy import Permission

_Search = Annotated[
    str | None, QueryParameter(max_length=100, description="Beginnings of words in name or summary.")
]
_Language = Annotated[Language, QueryParameter(description="The language to search in and to answer in.")]
_BodyRegion = Annotated[BodyRegion | None, QueryParameter(description="Only exercises for this region.")]


class ExerciseSummary(Struct, frozen=True, kw_only=True):
    """An exercise as it stands in a list, in the language asked for."""

    id: str
    version: int
    name: str
    summary: str
    body_region: BodyRegion
    equipment: list[Equipment]
    dosage: Dosage
    target_rom_deg: float | None


class ExerciseController(Controller):
    path = "/exercises"
    tags = ("Exercises",)

    @get("/", opt=needs(Permission.EXERCISES_READ), sync_to_thread=False)
    def list_exercises(
        self, q: _Search = None, language: _Language = "en", body_region: _BodyRegion = None
    ) -> Page[ExerciseSummary]:
        """List or find exercises of the library, all on one page."""
        found = load_library().search(q or "", language)
        return Page(
            items=[
                _summary(exercise, language)
                for exercise in found
                if body_region is None or exercise.body_region == body_region
            ]
        )

    @get("/{exercise_id:str}", opt=needs(Permission.EXERCISES_READ), sync_to_thread=False)
    def get_exercise(self, exercise_id: FromPath[str]) -> Exercise:
        """Get everything declared about an exercise, in every language."""
        return load_library().get(exercise_id)


def _summary(exercise: Exercise, language: Language) -> ExerciseSummary:
    return ExerciseSummary(
        id=exercise.id,
        version=exercise.version,
        name=exercise.names.into(language),
        summary=exercise.instructions.into(language).summary,
        body_region=exercise.body_region,
        equipment=list(exercise.equipment),
        dosage=exercise.dosage,
        target_rom_deg=exercise.target_rom_deg,
    )
