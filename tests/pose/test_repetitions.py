"""What counts as a repetition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose.landmarks import Floats
from pose.repetitions import Criteria, find_movements
from pose.smoothing import Curve, smooth
from tests.pose.stick_figure import rise_and_fall

USUAL = Criteria(
    rest_is_high=False, minimum_rom_deg=15, partial_below_fraction=0.65, minimum_s=0.8, maximum_s=20
)


def curve(t: Floats, degrees: Floats, noise_deg: float = 0.0) -> Curve:
    jitter = np.random.default_rng(3).normal(0.0, noise_deg, len(t))
    smoothed = smooth(t, degrees + jitter, np.ones(len(t), bool))
    assert smoothed is not None
    return smoothed


@given(
    count=st.integers(1, 8),
    peak=st.floats(40, 150),
    there=st.floats(0.6, 3.0),
    hold=st.floats(0.1, 2.0),
    noise=st.floats(0.0, 1.5),
)
def test_every_repetition_is_counted_whatever_its_size_and_tempo(
    count: int, peak: float, there: float, hold: float, noise: float
) -> None:
    t, degrees = rise_and_fall([peak] * count, there=there, hold=hold, back=there)
    found = find_movements(curve(t, degrees, noise), USUAL)
    assert len(found) == count
    assert not any(movement.partial for movement in found)
    assert np.mean([movement.rom_deg for movement in found]) == pytest.approx(peak - 5, abs=4)


@given(count=st.integers(1, 6))
def test_a_joint_that_rests_bent_is_counted_when_it_straightens(count: int) -> None:
    t, degrees = rise_and_fall([4.0] * count, rest=90.0)
    found = find_movements(curve(t, degrees), Criteria(**{**USUAL.__dict__, "rest_is_high": True}))
    assert len(found) == count
    assert found[0].start_deg == pytest.approx(90, abs=2)
    assert found[0].peak_deg == pytest.approx(4, abs=2)


def test_half_a_squat_is_a_movement_but_a_partial_one() -> None:
    t, degrees = rise_and_fall([95, 95, 45, 92, 40, 95])
    found = find_movements(curve(t, degrees), USUAL)
    assert [movement.partial for movement in found] == [False, False, True, False, True, False]


@given(wander=st.floats(0.0, 4.0))
def test_someone_standing_still_has_done_nothing(wander: float) -> None:
    t = np.arange(0, 15, 1 / 15)
    sway = 4 + wander * np.sin(2 * np.pi * 0.24 * t) + 0.3 * wander * np.sin(2 * np.pi * 1.3 * t)
    assert find_movements(curve(t, sway, 0.8), USUAL) == []


def test_a_wobble_at_the_top_is_not_a_second_repetition() -> None:
    t, degrees = rise_and_fall([90.0, 90.0], hold=2.0)
    held = degrees > 89.9
    wobbling = degrees - np.where(held, 30 * np.abs(np.sin(2 * np.pi * 0.5 * t)), 0.0)
    assert len(find_movements(curve(t, wobbling), USUAL)) == 2


def test_a_repetition_cut_off_by_the_end_of_the_video_is_not_counted_unless_it_has_turned() -> None:
    t, degrees = rise_and_fall([90.0, 90.0])
    still_rising = int(np.flatnonzero(degrees > 60)[-1]) - 25
    found = find_movements(curve(t[:still_rising], degrees[:still_rising]), USUAL)
    assert len(found) == 1


def test_start_peak_and_end_are_when_they_happened() -> None:
    t, degrees = rise_and_fall([90.0], there=1.5, hold=1.0, back=2.0)
    (movement,) = find_movements(curve(t, degrees), USUAL)
    assert movement.start_s == pytest.approx(1.0, abs=0.45)
    assert 2.2 <= movement.peak_s <= 3.7
    assert movement.end_s == pytest.approx(5.5, abs=0.6)
    assert movement.out_s < movement.back_s
    assert movement.hold_s == pytest.approx(1.0, abs=1.0)
    assert movement.out_s + movement.hold_s + movement.back_s == pytest.approx(
        movement.end_s - movement.start_s, abs=0.01
    )


def test_a_twitch_is_too_quick_and_sitting_down_for_a_minute_too_slow() -> None:
    t = np.arange(0, 90, 1 / 15)
    degrees = np.full(len(t), 5.0)
    degrees[30:34] = 60.0
    degrees[100:1200] = 90.0
    assert find_movements(curve(t, degrees), USUAL) == []
