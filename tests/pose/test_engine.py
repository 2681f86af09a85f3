"""From landmarks to the result a therapist reads."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from care.exercises import load_library
from pose.analysis import Analysis, tally
from pose.engine import analyze_track
from pose.errors import UnreadableTrack
from pose.landmarks import LandmarkTrack
from pose.study import PLOTTED_POINTS, SideWish
from tests.pose.stick_figure import rise_and_fall, stick_figure


def analyzed(track: LandmarkTrack, exercise: str | None, side: SideWish | None = None) -> Analysis:
    chosen = None if exercise is None else load_library().get(exercise)
    return analyze_track(track, exercise=chosen, side=side).analysis


def squats(*depths: float, yaw: float = 90.0, lean: float = 0.3) -> LandmarkTrack:
    t, knee = rise_and_fall(depths)
    return stick_figure(
        t, yaw=yaw, knees=(knee, knee), hips=(knee * 0.9, knee * 0.9), lean=knee * lean, noise_deg=0.5
    )


def codes(analysis: Analysis) -> set[str]:
    return {warning.code for warning in analysis.warnings}


def test_squats_filmed_from_the_side_are_counted_and_measured() -> None:
    result = analyzed(squats(90, 95, 88), "squat")
    assert (result.count, result.partial_count) == (3, 0)
    assert result.rom is not None
    assert (result.rom.joint, result.rom.motion) == ("knee", "flexion")
    assert result.rom.median_deg == pytest.approx(85, abs=4)
    assert result.rom.best_deg == pytest.approx(90, abs=4)
    assert result.tracking.view.suited
    assert codes(result) == set()


def test_two_shallow_squats_are_listed_in_their_place_but_not_counted() -> None:
    result = analyzed(squats(92, 40, 95, 42, 90), "squat")
    assert (result.count, result.partial_count) == (3, 2)
    assert tally(result) == "3 repetitions, 2 partial"
    assert [one.counted for one in result.repetitions] == [True, False, True, False, True]
    assert [one.index for one in result.repetitions] == list(range(5))
    assert [one.peak_s for one in result.repetitions] == sorted(one.peak_s for one in result.repetitions)


@pytest.mark.parametrize("yaw", [0.0, 30.0, -50.0, 180.0])
def test_a_view_that_does_not_suit_still_counts_and_says_so(yaw: float) -> None:
    result = analyzed(squats(90, 90, 90, 90, yaw=yaw), "squat")
    assert result.count == 4
    assert not result.tracking.view.suited
    assert "view_unsuited" in codes(result)


@pytest.mark.parametrize("exercise", [exercise.id for exercise in load_library().all()])
@pytest.mark.parametrize("yaw", [0.0, 90.0, -35.0])
def test_standing_still_is_no_repetition_of_anything(exercise: str, yaw: float) -> None:
    t = np.arange(0, 12, 1 / 15)
    sway = 1.5 * np.sin(2 * np.pi * 0.2 * t)
    still = stick_figure(t, yaw=yaw, lean=sway, knees=(4 + sway, 4 + sway), noise_deg=0.4)
    result = analyzed(still, exercise)
    assert result.repetitions == []
    assert result.quality.score == 0
    assert result.rom is None


def test_lunges_that_take_turns_are_counted_on_both_legs() -> None:
    t, left = rise_and_fall([90, 3, 90, 3], rest=3.0)
    _, right = rise_and_fall([3, 90, 3, 90], rest=3.0)
    track = stick_figure(t, yaw=35, knees=(left, right), hips=(left, right))
    result = analyzed(track, "lunge")
    assert [one.side for one in result.repetitions] == ["left", "right", "left", "right"]


def test_the_named_side_is_the_one_that_is_measured() -> None:
    t, left = rise_and_fall([90, 90])
    _, right = rise_and_fall([50, 50])
    track = stick_figure(t, yaw=0, arm_plane=90, shoulders=(left, right))
    both_sides = {side: analyzed(track, "shoulder_abduction", side).rom for side in ("left", "right")}
    assert both_sides["left"] is not None
    assert both_sides["left"].median_deg == pytest.approx(85, abs=3)
    assert both_sides["right"] is not None
    assert both_sides["right"].median_deg == pytest.approx(45, abs=3)


def one_legged(*, seen: tuple[float, float] = (0.0, 99.0), yaw: float = 0.0, holds: int = 1) -> LandmarkTrack:
    """On the left leg for 8 s, from 2.2 s on, and for 1.2 s more on either side while the foot moves."""
    t, knee = rise_and_fall([90.0] * holds, rest=3.0, hold=8.0, pause=2.0)
    track = stick_figure(t, yaw=yaw, knees=(3.0, knee), hips=(2.0, knee * 0.5), noise_deg=0.3)
    assert track.world is not None
    kept = (t >= seen[0]) & (t <= seen[1])
    return replace(track, t=t[kept] - t[kept][0], image=track.image[kept], world=track.world[kept])


@pytest.mark.parametrize("side", ["left", None])
@pytest.mark.parametrize("yaw", [0.0, 90.0, -40.0])
def test_standing_on_one_leg_is_a_hold_with_its_length(side: SideWish | None, yaw: float) -> None:
    result = analyzed(one_legged(yaw=yaw, holds=2), "single_leg_stance", side)
    assert [(one.side, one.counted) for one in result.repetitions] == [("left", True)] * 2
    assert [one.hold_s for one in result.repetitions] == pytest.approx([9, 9], abs=1)
    assert tally(result) == "2 holds"
    assert result.rom is None
    assert "cut_off" not in codes(result)


@pytest.mark.parametrize("side", ["left", None])
@pytest.mark.parametrize(
    ("seen", "held_s"),
    [((0.0, 8.0), 6.3), ((5.0, 99.0), 5.7), ((3.0, 9.0), 6.0)],
    ids=["until the end", "from the beginning", "all the time"],
)
def test_a_hold_that_the_recording_cuts_off_counts_with_the_time_that_was_seen(
    seen: tuple[float, float], held_s: float, side: SideWish | None
) -> None:
    result = analyzed(one_legged(seen=seen), "single_leg_stance", side)
    assert (result.count, result.partial_count) == (1, 0)
    assert result.repetitions[0].side == "left"
    assert result.repetitions[0].hold_s == pytest.approx(held_s, abs=0.6)
    assert "cut_off" in codes(result)


def test_a_foot_that_only_taps_is_no_hold() -> None:
    t, knee = rise_and_fall([90.0] * 3, rest=3.0, there=0.4, hold=0.2, back=0.4)
    track = stick_figure(t, yaw=0, knees=(3.0, knee), hips=(2.0, knee * 0.5))
    assert analyzed(track, "single_leg_stance").repetitions == []


def test_lowering_is_the_eccentric_phase_of_a_squat_and_raising_the_concentric_one_of_a_curl() -> None:
    t, angle = rise_and_fall([90, 90, 90], there=2.0, back=1.0)
    squat = analyzed(stick_figure(t, knees=(angle, angle), hips=(angle, angle)), "squat").repetitions[0]
    assert squat.eccentric_s > squat.concentric_s
    curl = analyzed(stick_figure(t, elbows=(angle, angle)), "elbow_flexion", "left").repetitions[0]
    assert curl.concentric_s > curl.eccentric_s


def test_a_trunk_that_leans_too_far_is_found_with_its_moment() -> None:
    result = analyzed(squats(90, 90, lean=0.9), "squat")
    for repetition in result.repetitions:
        (finding,) = [one for one in repetition.findings if one.code == "trunk_lean"]
        assert finding.measured > finding.limit
        assert repetition.start_s <= finding.at_s <= repetition.end_s
        assert repetition.score < 100
    assert analyzed(squats(90, 90), "squat").repetitions[0].findings == []


def test_without_an_exercise_the_likely_one_is_guessed() -> None:
    result = analyzed(squats(90, 95, 90), None)
    assert result.exercise == "squat"
    assert result.exercise_confidence is not None
    assert result.exercise_confidence > 0.5
    assert result.count == 3


def test_a_motion_that_is_in_no_library_is_counted_all_the_same() -> None:
    t, angle = rise_and_fall([100, 100, 100, 100])
    track = stick_figure(t, yaw=90, knees=(angle, 4.0), hips=(-10.0, 2.0), elbows=(angle, angle), lean=70.0)
    result = analyzed(track, None)
    assert result.exercise is None
    assert result.exercise_confidence is None
    assert "exercise_unknown" in codes(result)
    assert result.count + result.partial_count == 4


def test_a_track_that_lost_its_proportions_is_counted_but_not_measured() -> None:
    track = replace(squats(90, 90, 90), world=None, width=None, height=None)
    result = analyzed(track, "squat")
    assert result.count + result.partial_count == 3
    assert result.rom is None
    assert "rom_unavailable" in codes(result)


def test_a_person_who_leaves_the_picture_for_a_while_loses_only_what_was_not_seen() -> None:
    track = squats(90, 90, 90, 90)
    assert track.world is not None
    image, world = track.image.copy(), track.world.copy()
    gone = (track.t > 4.6) & (track.t < 8.2)
    image[gone], world[gone] = np.nan, np.nan
    result = analyzed(replace(track, image=image, world=world), "squat")
    assert result.count == 3
    assert result.tracking.detection_rate < 0.85


def test_nobody_and_next_to_nothing_are_refused() -> None:
    track = squats(90)
    with pytest.raises(UnreadableTrack, match="Nobody"):
        analyzed(replace(track, image=np.full_like(track.image, np.nan)), "squat")
    short = LandmarkTrack(t=track.t[:5], image=track.image[:5], width=480, height=848)
    with pytest.raises(UnreadableTrack, match="shorter"):
        analyzed(short, "squat")


def test_the_same_track_gives_the_same_result_and_a_short_curve_to_draw() -> None:
    track = squats(*[90.0] * 20)
    once, again = (analyze_track(track, exercise=load_library().get("squat")) for _ in range(2))
    assert once.analysis.repetitions == again.analysis.repetitions
    assert once.curve is not None
    assert len(once.curve.t_s) == len(once.curve.deg) <= PLOTTED_POINTS
    assert once.curve.signal == "knee_flexion"


def test_the_document_has_the_agreed_keys() -> None:
    document = msgspec.to_builtins(analyzed(squats(90, 90), "squat"))
    assert set(document) == {
        "algorithm", "exercise", "exercise_confidence", "video", "tracking", "repetitions", "count",
        "partial_count", "rom", "tempo", "quality", "warnings", "timings",
    }  # fmt: skip
    assert set(document["video"]) == {"duration_s", "fps", "width", "height", "frames", "rotation_deg"}
    assert set(document["tracking"]) == {
        "model", "frames_analyzed", "detection_rate", "mean_visibility", "view",
    }  # fmt: skip
    assert set(document["tracking"]["view"]) == {"yaw_deg", "label", "suited"}
    assert set(document["repetitions"][0]) == {
        "index", "side", "start_s", "peak_s", "end_s", "rom_deg", "peak_deg", "start_deg", "concentric_s",
        "eccentric_s", "hold_s", "score", "findings", "counted",
    }  # fmt: skip
    assert set(document["rom"]) == {"joint", "motion", "median_deg", "best_deg", "error_deg"}
    assert set(document["quality"]) == {"score", "components"}
    assert set(document["timings"]) == {"decode_s", "pose_s", "analysis_s", "total_s", "realtime_factor"}
