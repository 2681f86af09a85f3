"""The score, its parts, and the expected error that comes with a range of motion."""

from hypothesis import given
from hypothesis import strategies as st

from care.exercises import load_library
from pose.analysis import Finding, Severity
from pose.angles import SIGNALS
from pose.quality import repetition_score, scoring, set_quality
from pose.recognition import profiles
from pose.repetitions import Movement
from pose.validation import expected_error, validation_table


def movement(rom: float = 80.0, *, partial: bool = False, length: float = 3.0) -> Movement:
    return Movement(1.0, 1.0 + length / 2, 1.0 + length, 5.0, 5.0 + rom, rom, 1.0, 0.5, 1.0, partial)


def finding(severity: Severity) -> Finding:
    return Finding("lean", "Leans", severity, 50.0, 45.0, "deg", 2.0)


severities = st.lists(st.sampled_from(["info", "minor", "major"]), max_size=8)


@given(have=severities, more=st.sampled_from(["info", "minor", "major"]))
def test_another_fault_never_raises_the_score(have: list[Severity], more: Severity) -> None:
    faults = [finding(severity) for severity in have]
    assert 0 <= repetition_score(movement(), [*faults, finding(more)]) <= repetition_score(movement(), faults)


def test_a_partial_repetition_scores_less_than_a_full_one() -> None:
    assert repetition_score(movement(partial=True), []) < repetition_score(movement(), []) == 100


@given(
    roms=st.lists(st.floats(10, 150), min_size=1, max_size=10),
    tracking=st.floats(0, 1),
    reliable=st.booleans(),
)
def test_the_score_of_a_set_lies_between_its_parts(
    roms: list[float], tracking: float, *, reliable: bool
) -> None:
    movements = [movement(rom) for rom in roms]
    quality = set_quality(
        movements, [100.0] * len(roms), target_rom_deg=90, rom_reliable=reliable, tracking=tracking
    )
    parts = quality.components
    told = [part for part in (parts.range, parts.form, parts.consistency, parts.tracking) if part is not None]
    assert min(told) - 0.1 <= quality.score <= max(told) + 0.1
    assert (parts.range is None) != reliable
    assert (parts.consistency is None) == (len(roms) == 1)


def test_nothing_done_scores_nothing() -> None:
    assert set_quality([], [], target_rom_deg=90, rom_reliable=True, tracking=1.0).score == 0


def test_the_weights_and_the_deductions_are_complete() -> None:
    assert set(scoring().deductions) == {"info", "minor", "major"}
    assert set(scoring().weights) == {"range", "form", "consistency", "tracking"}


def test_an_exercise_of_its_own_goes_before_its_signal_and_what_was_never_validated_is_unknown() -> None:
    own = expected_error("knee_flexion", "side", "sit_to_stand", square_on=True)
    general = expected_error("knee_flexion", "side", "bridge", square_on=True)
    assert own is not None
    assert general is not None
    assert own != general
    assert expected_error("knee_flexion", "back", "squat", square_on=True) is None  # pyright: ignore[reportArgumentType] - no such view


def test_what_the_exercises_ask_for_can_be_measured() -> None:
    for exercise in load_library().all():
        assert exercise.motion.signal in SIGNALS
        for rule in exercise.form_rules:
            assert rule.measure in SIGNALS
    assert {row.signal for row in validation_table().errors} <= set(SIGNALS)
    assert set(profiles().unknown_motion.usual_excursion_deg) <= set(SIGNALS)


def test_every_exercise_with_repetitions_has_a_profile_to_be_recognised_by() -> None:
    repeated = {exercise.id for exercise in load_library().all() if exercise.motion.kind == "repetitions"}
    assert set(profiles().profiles) == repeated
