"""The exercise library as therapists, patients and the people who write exercise files meet it."""

import re
from copy import deepcopy
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import care.exercises
from care.errors import CareError, InvalidExercise, UnknownExercise
from care.exercises import (
    BodyRegion,
    Equipment,
    Exercise,
    ExerciseLibrary,
    InstructionText,
    Language,
    Phases,
    load_library,
    load_terms,
)
from core.errors import NotFound

LIBRARY = load_library()
EVERY_EXERCISE = pytest.mark.parametrize("exercise", LIBRARY.all(), ids=lambda exercise: exercise.id)
UNTIMED = settings(deadline=None)
PRESCRIBED_DAILY = {
    "squat", "sit_to_stand", "lunge", "seated_knee_extension", "straight_leg_raise", "heel_slide",
    "standing_hip_abduction", "heel_raise", "bridge", "shoulder_flexion", "shoulder_abduction",
    "shoulder_external_rotation", "wall_slide", "elbow_flexion", "push_up", "single_leg_stance",
}  # fmt: skip


class TestTheShippedLibrary:
    def test_has_the_exercises_that_therapists_prescribe_daily(self) -> None:
        assert {exercise.id for exercise in LIBRARY.all()} >= PRESCRIBED_DAILY

    def test_is_read_once(self) -> None:
        assert load_library() is LIBRARY

    def test_finds_an_exercise_by_its_id(self) -> None:
        assert LIBRARY.get("sit_to_stand").names.en == "Sit to stand"

    def test_refuses_an_unknown_exercise_without_repeating_what_was_asked(self) -> None:
        with pytest.raises(UnknownExercise) as refusal:
            LIBRARY.get("<script>")
        assert isinstance(refusal.value, CareError)
        assert isinstance(refusal.value, NotFound)
        assert "<script>" not in str(refusal.value)

    def test_knows_in_which_exercises_the_weight_is_let_down_before_it_is_raised(self) -> None:
        let_down_first = {one.id for one in LIBRARY.all() if one.motion.first_phase == "eccentric"}
        assert let_down_first & PRESCRIBED_DAILY == {"squat", "lunge", "push_up"}

    def test_an_easier_exercise_knows_the_harder_one_and_the_other_way_round(self) -> None:
        up = {(easier.id, harder) for easier in LIBRARY.all() for harder in easier.progressions}
        down = {(easier, harder.id) for harder in LIBRARY.all() for easier in harder.regressions}
        assert up == down

    def test_names_every_body_region_and_piece_of_equipment(self) -> None:
        assert set(load_terms().body_regions) == set(get_args(BodyRegion))
        assert set(load_terms().equipment) == set(get_args(Equipment))


@EVERY_EXERCISE
class TestEveryExercise:
    def test_asks_for_no_more_than_sixth_grade_english(self, exercise: Exercise) -> None:
        assert flesch_kincaid_grade(lines_of(exercise.instructions.en)) <= 6

    def test_is_written_in_short_sentences_in_both_languages(self, exercise: Exercise) -> None:
        for text in (exercise.instructions.en, exercise.instructions.es):
            assert max(len(sentence.split()) for sentence in sentences(lines_of(text))) <= 20

    def test_says_the_same_number_of_things_in_both_languages(self, exercise: Exercise) -> None:
        english, spanish = exercise.instructions.en, exercise.instructions.es
        assert (len(english.set_up), len(english.steps), len(english.safety)) == (
            len(spanish.set_up),
            len(spanish.steps),
            len(spanish.safety),
        )

    def test_leaves_doses_to_the_plan(self, exercise: Exercise) -> None:
        steps = " ".join(exercise.instructions.en.steps + exercise.instructions.es.steps)
        assert not re.search(r"\b(seconds?|segundos?|times|veces)\b", steps)

    def test_tells_the_patient_to_stop_at_pain_or_dizziness(self, exercise: Exercise) -> None:
        warnings = " ".join(exercise.instructions.en.safety)
        assert re.search(r"\b(pain|hurts?|dizzy)\b", warnings)

    def test_marks_conventions_as_conventions(self, exercise: Exercise) -> None:
        for source in exercise.sources:
            assert (source.basis == "convention") == source.citation.startswith("Clinical convention")


class TestSearching:
    @pytest.mark.parametrize(
        ("text", "language", "expected"),
        [
            ("squat", "en", "squat"),
            ("SHOULDER abd", "en", "shoulder_abduction"),
            ("rotacion externa", "es", "shoulder_external_rotation"),
            ("Rotación", "es", "shoulder_external_rotation"),
            ("puente", "es", "bridge"),
        ],
    )
    def test_finds_by_name_without_accents_or_case(
        self, text: str, language: Language, expected: str
    ) -> None:
        assert LIBRARY.search(text, language)[0].id == expected

    def test_finds_by_body_region_and_equipment(self) -> None:
        assert "squat" in {exercise.id for exercise in LIBRARY.search("rodilla", "es")}
        assert {exercise.id for exercise in LIBRARY.search("elastic band", "en")} == {
            "shoulder_external_rotation"
        }

    def test_puts_names_before_descriptions(self) -> None:
        found = [exercise.id for exercise in LIBRARY.search("shoulder", "en")]
        named = [exercise_id for exercise_id in found if exercise_id.startswith("shoulder")]
        assert len(named) == 3
        assert found[:3] == sorted(named)
        assert "elbow_flexion" in found[3:]

    def test_a_blank_text_finds_everything_and_nonsense_nothing(self) -> None:
        assert set(LIBRARY.search("  ", "en")) == set(LIBRARY.all())
        assert LIBRARY.search("xylophone", "en") == ()

    @UNTIMED
    @given(st.data())
    def test_any_beginning_of_any_word_of_a_name_finds_it(self, data: st.DataObject) -> None:
        exercise = data.draw(st.sampled_from(LIBRARY.all()))
        language: Language = data.draw(st.sampled_from(get_args(Language)))
        word = data.draw(st.sampled_from(re.findall(r"\w+", exercise.names.into(language))))
        beginning = word[: data.draw(st.integers(1, len(word)))]
        assert exercise in LIBRARY.search(beginning.upper(), language)


class TestWritingAnExerciseFile:
    @pytest.mark.parametrize(
        ("field", "value", "reason"),
        [
            ("names.es", None, "names: Object missing required field `es`"),
            ("instructions.es", None, "instructions: Object missing required field `es`"),
            ("names.fr", "Squat", "names: Object contains unknown field `fr`"),
            ("names.en", "  ", "names.en: Expected `str` matching regex"),
            ("colour", "red", "Object contains unknown field `colour`"),
            ("body_region", "tail", "body_region: Invalid enum value 'tail'"),
            ("equipment", ["sofa"], "equipment[0]: Invalid enum value 'sofa'"),
            ("camera.view", "above", "camera.view: Invalid enum value 'above'"),
            ("camera.view", "front", "camera.view: 'front' is not one of motion.suited_views"),
            ("motion.suited_views", [], "motion.suited_views: Expected `array` of length >= 1"),
            ("motion.rest", "high", "motion.rest: 'high' disagrees with phases.rest_deg"),
            ("motion.first_phase", None, "motion: Object missing required field `first_phase`"),
            ("motion.first_phase", "isometric", "motion.first_phase: Invalid enum value 'isometric'"),
            ("phases.peak_deg", 20, "phases: minimum_rom_deg 25 is not below the 15 degrees"),
            ("phases.minimum_repetition_s", 15, "phases: minimum_repetition_s is not below"),
            ("phases.partial_below_fraction", 1, "phases.partial_below_fraction: Expected `float` < 1"),
            ("target_rom_deg", 20, "target_rom_deg: not between"),
            ("target_rom_deg", 86, "target_rom_deg: not between"),
            ("target_rom_deg", None, "target_rom_deg: missing"),
            ("dosage.hold_s", 5, "phases.hold_band_deg: missing"),
            ("dosage.days_per_week", 8, "dosage.days_per_week: Expected `int` <= 7"),
            ("form_rules.0.source", None, "form_rules[0]: Object missing required field `source`"),
            ("form_rules.0.source", "", "form_rules[0].source: Expected `str`"),
            ("form_rules.0.code", "trunk_lean", "form_rules: two rules have the same code"),
            ("form_rules.0.views", ["top"], "form_rules[0].views[0]: Invalid enum value 'top'"),
            ("contraindications", [], "contraindications: Expected `array` of length >= 1"),
            ("sources", [], "sources: Expected `array` of length >= 1"),
            ("id", "deep_squat", "id: 'deep_squat' is not the name of the file"),
            ("progressions", ["handstand"], "progressions: no exercise 'handstand'"),
            ("regressions", ["handstand"], "regressions: no exercise 'handstand'"),
            ("progressions", ["squat"], "progressions: go round in a circle: squat → squat"),
        ],
    )
    def test_a_mistake_is_told_in_one_line_with_its_field(
        self, tmp_path: Path, field: str, value: object, reason: str
    ) -> None:
        with pytest.raises(InvalidExercise) as refusal:
            load_library(folder_with(tmp_path, changed(SQUAT, field, value)))
        told = str(refusal.value)
        assert told.startswith("squat.yaml: ")
        assert reason in told
        assert "\n" not in told

    @pytest.mark.parametrize(
        ("field", "value", "reason"),
        [
            ("target_rom_deg", 20, "target_rom_deg: a hold exercise has no range"),
            ("dosage.hold_s", 0, "dosage.hold_s: a hold exercise needs a time"),
        ],
    )
    def test_a_hold_exercise_has_a_time_and_no_range(
        self, tmp_path: Path, field: str, value: object, reason: str
    ) -> None:
        with pytest.raises(InvalidExercise, match=re.escape(reason)):
            load_library(folder_with(tmp_path, changed(STANCE, field, value), "single_leg_stance"))

    def test_a_file_that_is_not_yaml_is_told_in_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "squat.yaml").write_text("id: squat\nnames: {en: [\n")
        with pytest.raises(InvalidExercise, match=r"^squat\.yaml: not YAML: .*line") as refusal:
            load_library(tmp_path)
        assert "\n" not in str(refusal.value)

    def test_a_sound_file_is_read_from_any_folder(self, tmp_path: Path) -> None:
        library = load_library(folder_with(tmp_path, SQUAT))
        assert library.all() == (library.get("squat"),)

    def test_two_exercises_may_not_share_an_id(self) -> None:
        squat = LIBRARY.get("squat")
        with pytest.raises(InvalidExercise, match="id: used twice"):
            ExerciseLibrary([squat, squat])


class TestProgressions:
    @UNTIMED
    @given(st.data())
    def test_any_ladder_from_easy_to_hard_is_accepted_however_it_is_declared(
        self, data: st.DataObject
    ) -> None:
        count, rungs = data.draw(ladders())
        declared_by_the_easier = [data.draw(st.booleans()) for _ in rungs]
        library = ExerciseLibrary(linked(count, rungs, declared_by_the_easier))
        assert len(library.all()) == count

    @UNTIMED
    @given(st.data())
    def test_a_ladder_that_comes_back_to_its_start_is_refused(self, data: st.DataObject) -> None:
        count, rungs = data.draw(ladders(least_rungs=1))
        easier, harder = data.draw(st.sampled_from(rungs))
        declared_by_the_easier = [data.draw(st.booleans()) for _ in [*rungs, None]]
        with pytest.raises(InvalidExercise, match="circle"):
            ExerciseLibrary(linked(count, [*rungs, (harder, easier)], declared_by_the_easier))


@UNTIMED
@given(
    rest=st.integers(-180, 180),
    peak=st.integers(-180, 180),
    minimum=st.integers(1, 180),
    shortest=st.integers(1, 600),
    longest=st.integers(1, 600),
)
def test_thresholds_are_accepted_exactly_when_they_agree(
    rest: int, peak: int, minimum: int, shortest: int, longest: int
) -> None:
    thresholds = {
        "rest_deg": rest,
        "peak_deg": peak,
        "minimum_rom_deg": minimum,
        "partial_below_fraction": 0.6,
        "minimum_repetition_s": shortest,
        "maximum_repetition_s": longest,
    }
    if minimum < abs(peak - rest) and shortest < longest:
        assert msgspec.convert(thresholds, Phases).excursion_deg == abs(peak - rest)
    else:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(thresholds, Phases)


def declared(exercise_id: str, **fields: object) -> dict[str, Any]:
    """What the shipped file of an exercise declares, without links and with some fields replaced."""
    file = Path(care.exercises.__file__).parent / "data" / "exercises" / f"{exercise_id}.yaml"
    return {**yaml.safe_load(file.read_text("utf-8")), "progressions": [], "regressions": [], **fields}


SQUAT = declared(
    "squat",
    phases={
        "rest_deg": 5,
        "peak_deg": 90,
        "minimum_rom_deg": 25,
        "partial_below_fraction": 0.6,
        "minimum_repetition_s": 1,
        "maximum_repetition_s": 15,
    },
    target_rom_deg=70,
)
STANCE = declared("single_leg_stance")


def changed(exercise: dict[str, Any], field: str, value: object) -> dict[str, Any]:
    """A copy with one field set, or left out where the value is None."""
    copy = deepcopy(exercise)
    *path, last = field.split(".")
    place: Any = copy
    for step in path:
        place = place[int(step)] if step.isdecimal() else place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return copy


def folder_with(folder: Path, exercise: dict[str, Any], name: str = "squat") -> Path:
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(exercise, allow_unicode=True), encoding="utf-8")
    return folder


Rungs = list[tuple[int, int]]


@st.composite
def ladders(draw: st.DrawFn, least_rungs: int = 0) -> tuple[int, Rungs]:
    """A number of exercises and links that only ever lead from a lower number to a higher one."""
    count = draw(st.integers(2, 8))
    pairs = [(easier, harder) for harder in range(count) for easier in range(harder)]
    return count, draw(st.lists(st.sampled_from(pairs), min_size=least_rungs, max_size=12, unique=True))


def linked(count: int, rungs: Rungs, declared_by_the_easier: list[bool]) -> list[Exercise]:
    """Exercises step_0, step_1, … with each link declared as a progression or as a regression."""
    progressions: dict[int, list[str]] = {step: [] for step in range(count)}
    regressions: dict[int, list[str]] = {step: [] for step in range(count)}
    for (easier, harder), by_the_easier in zip(rungs, declared_by_the_easier, strict=True):
        if by_the_easier:
            progressions[easier].append(f"step_{harder}")
        else:
            regressions[harder].append(f"step_{easier}")
    return [
        msgspec.structs.replace(
            LIBRARY.get("squat"),
            id=f"step_{step}",
            progressions=tuple(progressions[step]),
            regressions=tuple(regressions[step]),
        )
        for step in range(count)
    ]


def lines_of(text: InstructionText) -> str:
    return " ".join([text.summary, *text.set_up, *text.steps, *text.safety])


def sentences(text: str) -> list[str]:
    return [sentence for sentence in re.split(r"[.!?]\s*", text) if sentence]


def flesch_kincaid_grade(text: str) -> float:
    """US school grade by Kincaid et al. 1975, syllables estimated by groups of vowels."""
    words = re.findall(r"[a-z]+", text.lower())
    syllables = sum(
        max(1, len(re.findall(r"[aeiouy]+", word)) - bool(re.search(r"[^aeiouyl]e$", word))) for word in words
    )
    return 0.39 * len(words) / len(sentences(text)) + 11.8 * syllables / len(words) - 15.59
