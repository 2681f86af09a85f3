"""Joint angles are anatomical: 0 is standing straight, flexion and abduction are positive."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose.angles import SIGNALS, measure
from pose.landmarks import Floats
from pose.swaps import follow_limb
from pose.view import estimate_view
from tests.pose.stick_figure import stick_figure

T = np.arange(20) / 15


@given(
    knee=st.floats(0, 140),
    hip=st.floats(-20, 110),
    elbow=st.floats(0, 140),
    yaw=st.sampled_from([90.0, -90.0]),
)
def test_from_the_side_the_picture_gives_the_sagittal_angles(
    knee: float, hip: float, elbow: float, yaw: float
) -> None:
    track = stick_figure(
        T, yaw=yaw, knees=(knee, knee), hips=(hip, hip), elbows=(elbow, elbow), abduction=(0, 0)
    )
    for signal, angle in (("knee_flexion", knee), ("hip_flexion", hip), ("elbow_flexion", elbow)):
        for side in ("left", "right"):
            assert measure(track, signal, side, square_on=True) == pytest.approx(np.full(20, angle), abs=0.5)


@given(knee=st.floats(0, 140), shoulder=st.floats(0, 170), yaw=st.floats(-180, 180))
def test_space_gives_the_same_angle_from_wherever_it_is_filmed(
    knee: float, shoulder: float, yaw: float
) -> None:
    track = stick_figure(T, yaw=yaw, knees=(knee, 10), shoulders=(shoulder, 10))
    assert measure(track, "knee_flexion", "left", square_on=False)[0] == pytest.approx(knee, abs=0.5)
    assert measure(track, "shoulder_elevation", "left", square_on=False)[0] == pytest.approx(
        shoulder, abs=0.5
    )
    assert measure(track, "shoulder_elevation", "right", square_on=False)[0] == pytest.approx(10, abs=0.5)


@given(left=st.floats(-5, 45), right=st.floats(-5, 45))
def test_from_the_front_the_picture_gives_abduction_left_and_right_apart(left: float, right: float) -> None:
    track = stick_figure(T, yaw=0, abduction=(left, right), hips=(0, 0))
    assert measure(track, "hip_abduction", "left", square_on=True)[0] == pytest.approx(left, abs=0.5)
    assert measure(track, "hip_abduction", "right", square_on=True)[0] == pytest.approx(right, abs=0.5)


@pytest.mark.parametrize("yaw", [90.0, -90.0])
def test_leaning_ahead_is_positive_whichever_way_the_body_faces(yaw: float) -> None:
    track = stick_figure(T, yaw=yaw, lean=25.0)
    assert measure(track, "trunk_flexion", "left", square_on=True)[0] == pytest.approx(25, abs=0.5)
    back = stick_figure(T, yaw=yaw, lean=-12.0)
    assert measure(back, "trunk_flexion", "left", square_on=True)[0] == pytest.approx(-12, abs=0.5)


def test_leaning_to_a_side_is_positive_towards_that_side() -> None:
    track = stick_figure(T, yaw=0, sideways=14.0)
    assert measure(track, "trunk_lateral_lean", "left", square_on=True)[0] == pytest.approx(14, abs=0.5)
    assert measure(track, "trunk_lateral_lean", "right", square_on=True)[0] == pytest.approx(-14, abs=0.5)


def test_lying_on_the_back_a_raised_straight_leg_is_hip_flexion() -> None:
    track = stick_figure(T, yaw=90, lying=True, hips=(55.0, 0.0))
    assert measure(track, "hip_flexion", "left", square_on=True)[0] == pytest.approx(55, abs=0.5)


def test_every_signal_is_unknown_where_nobody_was_found() -> None:
    track = stick_figure(T, yaw=20, elbows=(90.0, 90.0))
    assert track.world is not None
    image, world = track.image.copy(), track.world.copy()
    image[5], world[5] = np.nan, np.nan
    gone = replace(track, image=image, world=world)
    for name in SIGNALS:
        for square_on in (True, False):
            angle = measure(gone, name, "left", square_on=square_on)
            assert np.isnan(angle[5]), name
            assert np.isfinite(np.delete(angle, 5)).all(), name


@given(yaw=st.floats(-179, 179))
def test_the_heading_of_the_camera_is_found(yaw: float) -> None:
    view = estimate_view(stick_figure(T, yaw=yaw))
    assert view.yaw_deg is not None
    assert (view.yaw_deg - yaw + 180) % 360 - 180 == pytest.approx(0, abs=1)
    turned = min(abs(yaw), 180 - abs(yaw))
    if turned < 20:
        assert view.label == "front"
    if turned > 70:
        assert view.label == "side"


def test_turning_the_forearm_outwards_is_external_rotation_and_unseen_on_a_straight_arm() -> None:
    bent = stick_figure(T, yaw=0, elbows=(90.0, 90.0), shoulders=(0.0, 0.0))
    assert measure(bent, "shoulder_external_rotation", "left", square_on=True)[0] == pytest.approx(0, abs=0.5)
    turned = stick_figure(T, yaw=0, elbows=(90.0, 90.0), shoulders=(0.0, 0.0), arm_plane=50)
    assert measure(turned, "shoulder_external_rotation", "left", square_on=True)[0] == pytest.approx(
        50, abs=0.5
    )
    straight = stick_figure(T, yaw=0, elbows=(5.0, 5.0), shoulders=(0.0, 0.0))
    assert np.isnan(measure(straight, "shoulder_external_rotation", "left", square_on=True)).all()


def test_a_track_without_depth_promises_no_view() -> None:
    view = estimate_view(stick_figure(T, yaw=90, depth=False))
    assert view.yaw_deg is None
    assert view.label == "oblique"


def test_a_leg_taken_for_the_other_one_for_a_moment_is_followed_all_the_same() -> None:
    t: Floats = np.arange(60) / 15
    bent, straight = np.full(60, 85.0), np.full(60, 5.0)
    own, other = straight.copy(), bent.copy()
    own[20:24], other[20:24] = bent[20:24], straight[20:24]
    assert follow_limb(t, own, other) == pytest.approx(straight)


def test_a_leg_that_moves_is_not_mistaken_for_the_one_that_rests() -> None:
    t: Floats = np.arange(60) / 15
    moving = 45 - 40 * np.cos(2 * np.pi * t / 2)
    assert follow_limb(t, moving, np.full(60, 40.0)) == pytest.approx(moving)
