"""What counts as a repetition."""

from dataclasses import replace

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
    found = find_movements(curve(t, degrees), replace(USUAL, rest_is_high=True))
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


def within(t: Floats, degrees: Floats, start_s: float, end_s: float) -> Curve:
    kept = (t >= start_s) & (t <= end_s)
    return curve(t[kept] - start_s, degrees[kept], noise_deg=0.5)


# Movements of 2.8 s, 0.8 s apart; the first is at its peak from 2.2 to 2.6 s, the third from 9.4 to 9.8 s.
@pytest.mark.parametrize(
    ("start_s", "end_s", "partial"),
    [
        (0.0, 99.0, [False, False, False]),
        (0.0, 9.2, [False, False]),
        (0.0, 9.7, [False, False]),
        (0.0, 10.3, [False, False, True]),
        (0.0, 10.8, [False, False, False]),
        (1.4, 99.0, [False, False, False]),
        (1.7, 99.0, [True, False, False]),
        (2.4, 99.0, [False, False]),
        (1.7, 10.3, [True, False, True]),
    ],
    ids=[
        "nothing cut off",
        "still on the way out",
        "at the peak",
        "just turned",
        "nearly back",
        "hardly begun",
        "half-way out at the beginning",
        "at the peak at the beginning",
        "both ends",
    ],
)
def test_a_repetition_that_the_recording_cuts_off_is_partial_once_it_is_seen_to_turn(
    start_s: float, end_s: float, partial: list[bool]
) -> None:
    t, degrees = rise_and_fall([90.0] * 3)
    found = find_movements(within(t, degrees, start_s, end_s), USUAL)
    assert [movement.partial for movement in found] == partial
    assert [movement.cut_off for movement in found] == partial
    assert all(movement.rom_deg > 55 for movement in found)


def test_a_clip_of_a_single_squat_that_starts_near_the_bottom_shows_half_a_movement() -> None:
    t, degrees = rise_and_fall([90.0, 90.0])
    (movement,) = find_movements(within(t, degrees, 1.7, 5.4), USUAL)
    assert movement.partial
    assert movement.cut_off


@pytest.mark.parametrize("wander", [0.0, 3.0])
def test_sitting_down_to_begin_and_getting_up_to_stop_the_camera_are_no_repetitions(wander: float) -> None:
    _, degrees = rise_and_fall([5.0] * 3, rest=85.0)
    steps = int(1.5 * 15)
    down = 5.0 + 80.0 * np.arange(steps) / steps
    standing = np.full(30, 5.0)
    whole = np.concatenate([standing, down, degrees, down[::-1], standing])
    times = np.arange(len(whole)) / 15
    whole = whole + wander * np.sin(2 * np.pi * 0.4 * times)
    found = find_movements(curve(times, whole, 0.5), replace(USUAL, rest_is_high=True))
    assert [movement.partial for movement in found] == [False] * 3


def test_straightening_up_from_the_phone_is_no_repetition() -> None:
    t, degrees = rise_and_fall([90.0] * 2)
    bent = 70.0 * (1 - np.arange(20) / 20) + 5.0
    times = np.arange(len(t) + 20) / 15
    assert len(find_movements(curve(times, np.concatenate([bent, degrees]), 0.5), USUAL)) == 2


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
