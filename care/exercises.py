"""The exercise library: everything declared about each exercise, read from one YAML file per exercise.

Angles are anatomical, in degrees: 0 is the anatomical position, flexion and abduction are positive.
Times are seconds, distances metres. Every clinical number lives in the files, with its source; this module
only checks that a file agrees with itself and with the rest of the library.
"""

import datetime as dt
import graphlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from care.errors import InvalidExercise, UnknownExercise

Language = Literal["en", "es"]
View = Literal["front", "oblique", "side"]
BodyRegion = Literal["hip", "knee", "ankle", "shoulder", "elbow", "trunk", "balance"]
Equipment = Literal["chair", "counter", "elastic_band", "light_weight", "mat", "towel", "wall"]
Joint = Literal["hip", "knee", "ankle", "shoulder", "elbow", "trunk"]
Movement = Literal[
    "flexion", "extension", "abduction", "external_rotation", "elevation", "plantarflexion", "stance"
]

Text = Annotated[str, Meta(pattern=r"\S")]
Lines = Annotated[tuple[Text, ...], Meta(min_length=1)]
Key = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*$")]
Views = Annotated[tuple[View, ...], Meta(min_length=1)]
Angle = Annotated[float, Meta(ge=-180, le=180)]
PositiveAngle = Annotated[float, Meta(gt=0, le=180)]
Seconds = Annotated[float, Meta(ge=0, le=600)]


class Localized(Struct, frozen=True, forbid_unknown_fields=True):
    """The same text for every language a patient may read."""

    en: Text
    es: Text

    def into(self, language: Language) -> str:
        return self.en if language == "en" else self.es


class InstructionText(Struct, frozen=True, forbid_unknown_fields=True):
    """What the patient reads: plain language, at about the reading level of US grade 6."""

    summary: Text
    set_up: Lines
    steps: Lines
    safety: Lines


class Instructions(Struct, frozen=True, forbid_unknown_fields=True):
    """The patient's instructions in every language."""

    en: InstructionText
    es: InstructionText

    def into(self, language: Language) -> InstructionText:
        return self.en if language == "en" else self.es


class Camera(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to put the phone so that the motion can be seen; `height` names the level of the lens."""

    view: View
    distance_m: Annotated[float, Meta(gt=0, le=6)]
    height: Literal["floor", "knee", "hip", "chest"]
    orientation: Literal["portrait", "landscape"]
    framing: Localized
    tip: Localized


class Motion(Struct, frozen=True, forbid_unknown_fields=True):
    """The primary joint motion.

    `signal` and the `measure` of form rules are names of signals that the pose engine computes.
    `rest` says whether the joint angle is high or low between repetitions.
    `first_phase` is how the muscles work on the way out from rest: `concentric` where the effort comes first
    (raising an arm), `eccentric` where the weight is let down first (a squat); the way back is the other one.
    `sides`: `both` move together, `single` is one named side at a time, `alternating` takes turns.
    `suited_views` are the camera views in which range of motion (ROM) may be reported.
    """

    kind: Literal["repetitions", "hold"]
    joint: Joint
    movement: Movement
    signal: Key
    rest: Literal["high", "low"]
    first_phase: Literal["concentric", "eccentric"]
    sides: Literal["both", "single", "alternating"]
    suited_views: Views


class Phases(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds on the primary signal: starting points that adapt to the patient's own range.

    `rest_deg` and `peak_deg` are the usual angles at rest and at the turning point of the effort. A movement
    smaller than `minimum_rom_deg` is no repetition; one smaller than `partial_below_fraction` of the
    patient's usual range in the same recording is a partial one. Repetitions last from `minimum_repetition_s`
    to `maximum_repetition_s`; the holds of a hold exercise last at least `minimum_repetition_s`. A position
    is held while the angle stays within `hold_band_deg` of its peak, or of its median in a hold exercise.
    """

    rest_deg: Angle
    peak_deg: Angle
    minimum_rom_deg: PositiveAngle
    partial_below_fraction: Annotated[float, Meta(gt=0, lt=1)]
    minimum_repetition_s: Annotated[float, Meta(gt=0)]
    maximum_repetition_s: Annotated[float, Meta(gt=0, le=600)]
    hold_band_deg: PositiveAngle | None = None

    def __post_init__(self) -> None:
        if self.minimum_rom_deg >= self.excursion_deg:
            raise ValueError(
                f"minimum_rom_deg {self.minimum_rom_deg:g} is not below the {self.excursion_deg:g} degrees "
                "between rest_deg and peak_deg"
            )
        if self.minimum_repetition_s >= self.maximum_repetition_s:
            raise ValueError("minimum_repetition_s is not below maximum_repetition_s")

    @property
    def excursion_deg(self) -> float:
        """Degrees travelled from rest to peak."""
        return abs(self.peak_deg - self.rest_deg)


class Dosage(Struct, frozen=True, forbid_unknown_fields=True):
    """The default prescription; a therapist changes it for the patient. `hold_s` 0 means no hold."""

    sets: Annotated[int, Meta(ge=1, le=10)]
    repetitions: Annotated[int, Meta(ge=1, le=50)]
    hold_s: Seconds
    days_per_week: Annotated[int, Meta(ge=1, le=7)]


class FormRule(Struct, frozen=True, forbid_unknown_fields=True):
    """One fault that can be seen: a statistic of a measured signal on the wrong side of its limit.

    `statistic` is taken over one repetition: `peak` the largest value, `range` largest less smallest,
    `at_peak` the value at the turning point, `mean` the average. `views` are the camera views in which the
    measure can be trusted. `source` says where the limit comes from, or that it is a convention.
    """

    code: Key
    label: Localized
    measure: Key
    statistic: Literal["peak", "range", "at_peak", "mean"]
    limit: float
    direction: Literal["above", "below"]
    unit: Literal["deg", "s", "m"]
    severity: Literal["info", "minor", "major"]
    views: Views
    advice: Localized
    source: Text


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a claim comes from, and on which date and how well it was last checked.

    `basis`: `read` in the source's own text or abstract, `secondary` in a work that quotes it, `recalled`
    from general knowledge of the source (confirm before relying on it), or `convention` of clinical practice.
    """

    claim: Text
    citation: Text
    basis: Literal["read", "secondary", "recalled", "convention"]
    as_of: dt.date


class Exercise(Struct, frozen=True, forbid_unknown_fields=True):
    """One exercise. `target_rom_deg` is the excursion to aim for, None for a hold.

    `progressions` are harder exercises to go on to, `regressions` easier ones to fall back on (ids).
    """

    id: Key
    version: Annotated[int, Meta(ge=1)]
    names: Localized
    body_region: BodyRegion
    equipment: tuple[Equipment, ...]
    instructions: Instructions
    camera: Camera
    motion: Motion
    phases: Phases
    dosage: Dosage
    contraindications: Lines
    form_rules: tuple[FormRule, ...]
    sources: Annotated[tuple[Source, ...], Meta(min_length=1)]
    target_rom_deg: PositiveAngle | None = None
    progressions: tuple[Key, ...] = ()
    regressions: tuple[Key, ...] = ()

    def __post_init__(self) -> None:
        fault = next(_contradictions(self), None)
        if fault:
            raise ValueError(fault)


class ExerciseLibrary:
    """Exercises by id, each file valid and every link between them leading somewhere."""

    def __init__(self, exercises: Iterable[Exercise]) -> None:
        """Take the exercises; raises InvalidExercise if an id repeats or a link is broken or circular."""
        self._by_id: dict[str, Exercise] = {}
        for exercise in exercises:
            if exercise.id in self._by_id:
                raise InvalidExercise(_file_name(exercise.id), "id: used twice")
            self._by_id[exercise.id] = exercise
        _check_links(self._by_id)

    def get(self, exercise_id: str) -> Exercise:
        """The exercise of that id; raises UnknownExercise."""
        try:
            return self._by_id[exercise_id]
        except KeyError:
            raise UnknownExercise(exercise_id) from None

    def all(self) -> tuple[Exercise, ...]:
        """Every exercise, in order of id."""
        return tuple(self._by_id[exercise_id] for exercise_id in sorted(self._by_id))

    def search(self, text: str, language: Language) -> tuple[Exercise, ...]:
        """Exercises with a word beginning with each word of the text, matches in the name first.

        Looks at name, summary, body region and equipment in that language; accents and case don't matter.
        A blank text finds everything.
        """
        wanted = _words(text)
        ranked: list[tuple[bool, str, Exercise]] = []
        for exercise in self.all():
            name = exercise.names.into(language)
            in_name = _all_begin(wanted, _words(name))
            if in_name or _all_begin(wanted, _words(" ".join(_searchable(exercise, language)))):
                ranked.append((not in_name, name, exercise))
        return tuple(exercise for _, _, exercise in sorted(ranked, key=lambda match: match[:2]))


class ExerciseTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """The words people read for the keys of body regions and equipment."""

    body_regions: dict[BodyRegion, Localized]
    equipment: dict[Equipment, Localized]


def load_library(directory: Path | None = None) -> ExerciseLibrary:
    """Read every `*.yaml` of a folder; without one, the shipped library (read once).

    Raises InvalidExercise with one line that names the file and the field.
    """
    return _shipped_library() if directory is None else _read_library(directory)


@cache
def load_terms() -> ExerciseTerms:
    """The words for body regions and equipment, read once."""
    return msgspec.yaml.decode((_DATA / "exercise_terms.yaml").read_bytes(), type=ExerciseTerms)


_DATA = Path(__file__).parent / "data"


@cache
def _shipped_library() -> ExerciseLibrary:
    return _read_library(_DATA / "exercises")


def _read_library(directory: Path) -> ExerciseLibrary:
    return ExerciseLibrary(_read_exercise(path) for path in sorted(directory.glob("*.yaml")))


def _read_exercise(path: Path) -> Exercise:
    try:
        exercise = msgspec.yaml.decode(path.read_bytes(), type=Exercise)
    except msgspec.ValidationError as error:
        raise InvalidExercise(path.name, _field_first(str(error))) from error
    except msgspec.DecodeError as error:
        raise InvalidExercise(path.name, f"not YAML: {' '.join(str(error).split())}") from error
    if path.name != _file_name(exercise.id):
        raise InvalidExercise(path.name, f"id: {exercise.id!r} is not the name of the file")
    return exercise


def _file_name(exercise_id: str) -> str:
    return f"{exercise_id}.yaml"


def _field_first(message: str) -> str:
    """Turn msgspec's "reason - at `$.field`" into "field: reason"."""
    reason, _, path = message.partition(" - at `$")
    field = path.rstrip("`").lstrip(".")
    return f"{field}: {reason}" if field else reason


def _contradictions(exercise: Exercise) -> Iterator[str]:
    """What the fields of one exercise say against each other, each beginning with the field to mend."""
    motion, phases, dosage = exercise.motion, exercise.phases, exercise.dosage
    starts_high = phases.rest_deg > phases.peak_deg
    if starts_high != (motion.rest == "high"):
        yield f"motion.rest: {motion.rest!r} disagrees with phases.rest_deg and phases.peak_deg"
    if exercise.camera.view not in motion.suited_views:
        yield f"camera.view: {exercise.camera.view!r} is not one of motion.suited_views"
    if motion.kind == "hold":
        if exercise.target_rom_deg is not None:
            yield "target_rom_deg: a hold exercise has no range of motion to aim for"
        if not dosage.hold_s:
            yield "dosage.hold_s: a hold exercise needs a time to hold"
    elif exercise.target_rom_deg is None:
        yield "target_rom_deg: missing"
    elif not phases.minimum_rom_deg < exercise.target_rom_deg <= phases.excursion_deg:
        yield "target_rom_deg: not between phases.minimum_rom_deg and the excursion from rest to peak"
    if dosage.hold_s and phases.hold_band_deg is None:
        yield "phases.hold_band_deg: missing, though dosage.hold_s asks for a hold"
    codes = [rule.code for rule in exercise.form_rules]
    if len(set(codes)) < len(codes):
        yield "form_rules: two rules have the same code"


def _check_links(by_id: dict[str, Exercise]) -> None:
    """Every progression and regression exists, and no exercise is harder than itself."""
    easier_than: dict[str, set[str]] = {exercise_id: set() for exercise_id in by_id}
    for exercise in by_id.values():
        links = {"progressions": exercise.progressions, "regressions": exercise.regressions}
        for field, others in links.items():
            for other in others:
                if other not in by_id:
                    raise InvalidExercise(_file_name(exercise.id), f"{field}: no exercise {other!r}")
                easier, harder = (exercise.id, other) if field == "progressions" else (other, exercise.id)
                easier_than[harder].add(easier)
    try:
        graphlib.TopologicalSorter(easier_than).prepare()
    except graphlib.CycleError as error:
        circle: list[str] = error.args[1]
        raise InvalidExercise(
            _file_name(circle[0]), f"progressions: go round in a circle: {' → '.join(circle)}"
        ) from error


def _searchable(exercise: Exercise, language: Language) -> Iterator[str]:
    terms = load_terms()
    yield exercise.names.into(language)
    yield exercise.instructions.into(language).summary
    yield terms.body_regions[exercise.body_region].into(language)
    for item in exercise.equipment:
        yield terms.equipment[item].into(language)


def _all_begin(wanted: list[str], words: list[str]) -> bool:
    return all(any(word.startswith(beginning) for word in words) for beginning in wanted)


def _words(text: str) -> list[str]:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    unaccented = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return re.findall(r"\w+", unaccented.replace("_", " "))
