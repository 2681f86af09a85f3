"""Real video in, verified repetitions out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from care.exercises import load_library
from pose.analysis import Analysis
from pose.engine import VideoAnalysis, analyze_source, analyze_track, analyze_video
from tests.pose.recordings import CLIPS, pictures_of, write_video

pytestmark = pytest.mark.video

TRUTH: dict[str, dict[str, Any]] = json.loads((CLIPS / "truth.json").read_text())
SQUATS = "05_squat_side_partial_fast.mp4"
SIT_TO_STAND = "26_sit_to_stand_side.mp4"


@pytest.fixture(scope="module")
async def analyzed() -> dict[str, VideoAnalysis]:
    """Every committed clip, analysed once as what it shows."""
    return {
        clip: await analyze_video(
            CLIPS / clip, exercise=load_library().get(truth["exercise"]), side=truth["side"]
        )
        for clip, truth in TRUTH.items()
    }


@pytest.mark.parametrize("clip", TRUTH)
def test_the_count_is_the_number_of_movements_shown(clip: str, analyzed: dict[str, VideoAnalysis]) -> None:
    result = analyzed[clip].analysis
    assert result.count + result.partial_count == len(TRUTH[clip]["repetitions"])
    for found, real in zip(result.repetitions, TRUTH[clip]["repetitions"], strict=True):
        assert found.start_s <= real["peak_s"] <= found.end_s + 0.1
        assert abs(found.rom_deg - real["rom_deg"]) < 15


@pytest.mark.parametrize("clip", [clip for clip, truth in TRUTH.items() if truth["repetitions"]])
def test_the_same_is_counted_when_nobody_says_which_exercise_it_is(
    clip: str, analyzed: dict[str, VideoAnalysis]
) -> None:
    result = analyze_track(analyzed[clip].track, exercise=None).analysis
    assert result.exercise == TRUTH[clip]["exercise"]
    assert result.count + result.partial_count == len(TRUTH[clip]["repetitions"])


def test_the_two_half_squats_are_partial(analyzed: dict[str, VideoAnalysis]) -> None:
    assert [not one.counted for one in analyzed[SQUATS].analysis.repetitions] == [
        real["partial"] for real in TRUTH[SQUATS]["repetitions"]
    ]


def test_the_view_is_told_and_range_of_motion_comes_with_its_expected_error(
    analyzed: dict[str, VideoAnalysis],
) -> None:
    for clip, truth in TRUTH.items():
        view = analyzed[clip].analysis.tracking.view
        assert view.yaw_deg is not None
        assert abs(view.yaw_deg - truth["camera_yaw_deg"]) < 15
    rom = analyzed[SIT_TO_STAND].analysis.rom
    assert rom is not None
    assert rom.error_deg is not None
    real = np.median([one["rom_deg"] for one in TRUTH[SIT_TO_STAND]["repetitions"]])
    assert abs(rom.median_deg - real) <= rom.error_deg + 5


def test_shrugging_is_found_in_the_repetitions_that_have_it(analyzed: dict[str, VideoAnalysis]) -> None:
    clip = "17_shoulder_abduction_front_L_shrug_lean.mp4"
    shrugged = [
        any(finding.code == "shoulder_hike" for finding in one.findings)
        for one in analyzed[clip].analysis.repetitions
    ]
    assert shrugged == ["shrug" in real["faults"] for real in TRUTH[clip]["repetitions"]]


def test_facts_of_the_recording_and_nothing_to_complain_about(analyzed: dict[str, VideoAnalysis]) -> None:
    result = analyzed[SIT_TO_STAND].analysis
    assert (result.video.width, result.video.height, result.video.fps) == (480, 848, 30.0)
    assert result.video.duration_s == pytest.approx(21.5)
    assert result.tracking.detection_rate == 1
    assert result.warnings == []
    assert result.timings.total_s > 0


async def test_a_recording_read_in_ranges_gives_the_same_result_and_reports_its_progress(
    analyzed: dict[str, VideoAnalysis],
) -> None:
    content = (CLIPS / SQUATS).read_bytes()
    reads: list[int] = []
    seen: list[tuple[str, float]] = []

    async def read(offset: int, length: int) -> bytes:
        reads.append(length)
        return content[offset : offset + length]

    async def on_progress(stage: str, fraction: float) -> None:
        seen.append((stage, fraction))

    result = await analyze_source(
        read, len(content), exercise=load_library().get("squat"), side="both", on_progress=on_progress
    )
    assert _numbers(result.analysis) == _numbers(analyzed[SQUATS].analysis)
    assert max(reads) < len(content)
    reading = [fraction for stage, fraction in seen if stage == "reading"]
    assert len(reading) > 50
    assert reading == sorted(reading)
    assert seen[-1] == ("analysing", 1.0)


async def test_a_video_under_a_wrong_name_is_still_a_video(tmp_path: Path) -> None:
    renamed = tmp_path / "notes.txt"
    renamed.write_bytes((CLIPS / "28_idle_standing.mp4").read_bytes())
    result = await analyze_video(renamed, exercise=load_library().get("squat"), model="lite")
    assert result.analysis.count == 0
    assert result.analysis.tracking.model == "lite"


async def test_of_a_file_that_is_cut_off_the_first_part_is_analysed_with_a_warning(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mp4", pictures_of(SQUATS, until_s=8.0))
    content = whole.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(content[: int(len(content) * 0.6)])
    result = (await analyze_video(cut, exercise=load_library().get("squat"))).analysis
    assert "truncated" in {warning.code for warning in result.warnings}
    assert 1 <= result.count <= 2
    assert result.video.duration_s < 7


@pytest.mark.parametrize("rotation_deg", [90, 180, 270])
async def test_a_phone_held_sideways_makes_no_difference(rotation_deg: int, tmp_path: Path) -> None:
    frames = [
        (t, np.ascontiguousarray(np.rot90(picture, rotation_deg // 90)))
        for t, picture in pictures_of(SQUATS, until_s=6.0)[::2]
    ]
    turned = write_video(tmp_path / "turned.mp4", frames, rotation_deg=rotation_deg)
    result = (await analyze_video(turned, exercise=load_library().get("squat"))).analysis
    assert (result.video.width, result.video.height) == (480, 848)
    assert result.video.rotation_deg != 0
    assert result.count == 2


async def test_uneven_frames_keep_their_own_time(tmp_path: Path) -> None:
    frames = [frame for index, frame in enumerate(pictures_of(SQUATS, until_s=6.0)) if index % 5 in (0, 1, 3)]
    uneven = write_video(tmp_path / "uneven.mp4", frames)
    result = (await analyze_video(uneven, exercise=load_library().get("squat"))).analysis
    real = TRUTH[SQUATS]["repetitions"]
    assert result.count == 2
    for found, truth in zip(result.repetitions, real, strict=False):
        assert found.peak_s == pytest.approx(truth["peak_s"], abs=0.3)


def _numbers(analysis: Analysis) -> object:
    return analysis.count, analysis.partial_count, analysis.repetitions, analysis.rom, analysis.quality
