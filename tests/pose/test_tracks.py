"""Landmark tracks as files, and angles made smooth."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pose.errors import UnreadableTrack
from pose.landmarks import load_track
from pose.smoothing import LONGEST_GAP_S, smooth
from tests.pose.stick_figure import rise_and_fall, stick_figure


def saved(**arrays: NDArray[Any]) -> io.BytesIO:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=True, **arrays)
    buffer.seek(0)
    return buffer


def test_a_track_survives_its_file(tmp_path: Path) -> None:
    t, knee = rise_and_fall([90])
    track = stick_figure(t, knees=(knee, knee))
    track.save(tmp_path / "track.npz")
    back = load_track(tmp_path / "track.npz")
    assert back.t == pytest.approx(track.t)
    assert back.image == pytest.approx(track.image, abs=1e-6)
    assert back.world is not None
    assert (back.width, back.height, back.timed) == (480, 848, True)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"t": np.arange(3.0)}, "no array 'image'"),
        ({"image": np.zeros((3, 33, 3))}, "shape"),
        ({"image": np.zeros((0, 33, 4))}, "at least one frame"),
        ({"image": np.zeros((3, 33, 4)), "t": np.arange(2.0)}, "one time for each"),
        ({"image": np.zeros((3, 33, 4)), "t": np.array([0.0, 2.0, 1.0])}, "must increase"),
        ({"image": np.zeros((3, 33, 4)), "world": np.zeros((2, 33, 4))}, "world"),
        ({"image": np.full((3, 33, 4), "a")}, "numbers"),
        ({"image": np.array([{"code": "runs"}], dtype=object)}, "not a landmark track"),
    ],
)
def test_a_file_that_is_no_track_is_refused_with_its_reason(
    arrays: dict[str, NDArray[Any]], reason: str
) -> None:
    with pytest.raises(UnreadableTrack, match=reason):
        load_track(saved(**arrays))


@given(content=st.binary(max_size=200))
def test_arbitrary_bytes_are_no_track(content: bytes) -> None:
    with pytest.raises(UnreadableTrack):
        load_track(io.BytesIO(content))


def test_a_jump_of_one_frame_disappears_and_a_movement_stays() -> None:
    t, degrees = rise_and_fall([90.0])
    jumped = degrees.copy()
    jumped[8] += 70
    curve = smooth(t, jumped, np.ones(len(t), bool))
    assert curve is not None
    assert curve.deg == pytest.approx(degrees, abs=4)


def test_uneven_times_come_out_even_and_a_long_gap_is_marked() -> None:
    t, degrees = rise_and_fall([60.0, 60.0])
    rng = np.random.default_rng(4)
    kept = np.sort(rng.choice(len(t), int(len(t) * 0.8), replace=False))
    kept = kept[(t[kept] < 3.0) | (t[kept] > 3.0 + 2 * LONGEST_GAP_S)]
    curve = smooth(t[kept], degrees[kept], np.ones(len(kept), bool))
    assert curve is not None
    assert np.ptp(np.diff(curve.t)) < 1e-9
    in_gap = (curve.t > 3.1) & (curve.t < 3.0 + 2 * LONGEST_GAP_S - 0.1)
    assert not curve.known[in_gap].any()
    assert curve.known.mean() > 0.7


def test_a_handful_of_frames_is_not_smoothed_at_all() -> None:
    t = np.arange(3) / 15
    assert smooth(t, np.zeros(3), np.ones(3, bool)) is None
