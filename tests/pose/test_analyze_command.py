"""`homestretch analyze` at the command line."""

import json
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from pose.landmarks import load_track
from tests.pose.recordings import CLIPS, zipped
from tests.pose.stick_figure import rise_and_fall, stick_figure

SQUATS = CLIPS / "05_squat_side_partial_fast.mp4"


def homestretch(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "api.cli", "analyze", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parents[2],
    )


def picture(video: Path, number: int) -> NDArray[np.int64]:
    with av.open(str(video)) as container:
        frame = next(frame for index, frame in enumerate(container.decode(video=0)) if index == number)
        return frame.to_ndarray(format="rgb24").astype(np.int64)


@pytest.fixture
def track(tmp_path: Path) -> Path:
    t, knee = rise_and_fall([90, 92, 88])
    path = tmp_path / "squats.npz"
    stick_figure(t, knees=(knee, knee), hips=(knee, knee), lean=knee * 0.3).save(path)
    return path


@pytest.mark.video
def test_one_json_document_on_stdout_and_the_files_that_were_asked_for(tmp_path: Path) -> None:
    wanted = [
        "--landmarks",
        tmp_path / "out.npz",
        "--overlay",
        tmp_path / "out.mp4",
        "--plot",
        tmp_path / "out.png",
    ]
    ended = homestretch(SQUATS, "--exercise", "squat", "--side", "both", "--json", *wanted)
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout)
    assert (result["count"], result["partial_count"]) == (5, 2)
    kept = load_track(tmp_path / "out.npz")
    assert kept.frames == result["tracking"]["frames_analyzed"]
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    drawn, plain = picture(tmp_path / "out.mp4", 100), picture(SQUATS, 100)
    assert 0.01 < (np.abs(drawn - plain).max(axis=2) > 60).mean() < 0.2
    with av.open(str(tmp_path / "out.mp4")) as overlay:
        assert sum(1 for _ in overlay.demux(video=0)) >= result["video"]["frames"]

    again = homestretch(tmp_path / "out.npz", "--exercise", "squat", "--side", "both", "--json")
    assert json.loads(again.stdout)["repetitions"] == result["repetitions"]


def test_people_get_a_summary(track: Path) -> None:
    ended = homestretch(track, "--exercise", "squat")
    assert ended.returncode == 0
    assert "squat: 3 repetitions" in ended.stdout
    assert "Range of motion, knee flexion" in ended.stdout
    assert ended.stderr == ""


def test_a_track_without_times_and_proportions_is_counted_with_warnings(track: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.npz"
    np.savez(bare, image=load_track(track).image[::1])
    result = json.loads(homestretch(bare, "--exercise", "squat", "--json").stdout)
    assert result["count"] + result["partial_count"] == 3
    assert result["rom"] is None
    assert {"assumed_rate", "rom_unavailable"} <= {warning["code"] for warning in result["warnings"]}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("notes.mp4", b"squats, promised\n" * 9, "This is a text file, not a video."),
        ("empty.mp4", b"", "The file is empty."),
        ("clips.zip", zipped(), "This is an archive."),
        ("track.npz", b"PK\x03\x04 but no more", "This is not a landmark track"),
    ],
)
def test_bad_input_is_one_line_on_stderr_and_status_2(
    name: str, content: bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    ended = homestretch(path, "--json")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert reason in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--exercise", "moonwalk"], "No exercise 'moonwalk'"),
        (["--side", "top"], "top"),
        (["--overlay", "out.mp4"], "--overlay needs a video"),
        (["--plot", "no/such/folder/out.png"], "does not exist"),
    ],
)
def test_wrong_usage_is_status_2_too(arguments: list[str], reason: str, track: Path) -> None:
    ended = homestretch(track, *arguments)
    assert ended.returncode == 2
    assert reason in ended.stderr


def test_help_shows_an_example() -> None:
    ended = homestretch("--help")
    assert ended.returncode == 0
    assert "Example: homestretch analyze" in ended.stdout
