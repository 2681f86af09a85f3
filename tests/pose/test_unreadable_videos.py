"""A recording that cannot be analysed is refused with its own reason, and never crashes anything."""

from pathlib import Path

import numpy as np
import pytest

from pose.engine import analyze_video
from pose.errors import REASONS, UnreadableVideo
from pose.sniffing import sniff
from tests.pose import recordings
from tests.pose.recordings import CLIPS, plain, write_video

pytestmark = pytest.mark.video


def made(kind: str, path: Path) -> Path:  # noqa: C901, PLR0911, PLR0912 - one branch for each kind of bad file
    clip = (CLIPS / "28_idle_standing.mp4").read_bytes()
    match kind:
        case "empty":
            content = b""
        case "text named mp4":
            content = b"This is my squat video. I promise.\n" * 20
        case "zip":
            content = recordings.zipped()
        case "png photo":
            content = b"\x89PNG\r\n\x1a\n" + bytes(200)
        case "heic photo":
            content = b"\x00\x00\x00\x18ftypheic" + bytes(200)
        case "wave sound":
            content = recordings.wave_sound()
        case "ffconcat":
            content = b"ffconcat version 1.0\nfile /etc/passwd\n"
        case "hls playlist":
            content = b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n"
        case "avi":
            content = b"RIFF\x00\x00\x00\x00AVI LIST" + bytes(200)
        case "only a header":
            content = clip[:32]
        case "index cut off":
            moov = clip.index(b"moov") - 4
            content = clip[: moov + 40]
        case "noise after a header":
            content = clip[:32] + np.random.default_rng(1).bytes(4000)
        case "sound only":
            return recordings.sound_only(path)
        case "0 seconds":
            return write_video(path, plain(120, seconds=0.03))
        case "8K":
            return write_video(path, plain(90, seconds=0.03, size=(4320, 7680)))
        case "postage stamp":
            return write_video(path, plain(90, seconds=2, size=(48, 48)))
        case "2 hours of black":
            return write_video(path, plain(0, seconds=7200, step_s=60))
        case "10 seconds of black":
            return write_video(path, plain(0, seconds=10))
        case "an empty room":
            room = np.random.default_rng(2).integers(90, 180, (240, 320, 3)).astype(np.uint8)
            return write_video(path, [(index / 10, room) for index in range(30)])
        case "motion pictures of another kind":
            return write_video(path, plain(90, seconds=2), codec="ffv1", container="matroska")
        case _:
            raise AssertionError(kind)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("empty", "empty"),
        ("text named mp4", "not_a_video"),
        ("zip", "archive"),
        ("png photo", "image"),
        ("heic photo", "image"),
        ("wave sound", "audio_only"),
        ("sound only", "audio_only"),
        ("ffconcat", "playlist"),
        ("hls playlist", "playlist"),
        ("avi", "unsupported_container"),
        ("only a header", "truncated_unreadable"),
        ("index cut off", "truncated_unreadable"),
        ("noise after a header", "truncated_unreadable"),
        ("0 seconds", "too_short"),
        ("8K", "too_large"),
        ("postage stamp", "too_small"),
        ("2 hours of black", "too_long"),
        ("10 seconds of black", "too_dark"),
        ("an empty room", "no_person"),
        ("motion pictures of another kind", "unsupported_codec"),
    ],
)
async def test_a_bad_recording_is_refused_with_its_own_reason(kind: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableVideo) as refusal:
        await analyze_video(made(kind, tmp_path / "recording.mp4"), exercise=None)
    assert refusal.value.code == reason
    assert refusal.value.detail.endswith(".")
    assert "\n" not in refusal.value.detail


async def test_two_people_side_by_side_are_too_many(tmp_path: Path) -> None:
    frames = recordings.pictures_of("28_idle_standing.mp4", until_s=3.0)[::3]
    pairs = [(t, np.concatenate([picture, picture[:, ::-1]], axis=1)) for t, picture in frames]
    with pytest.raises(UnreadableVideo) as refusal:
        await analyze_video(write_video(tmp_path / "pair.mp4", pairs), exercise=None)
    assert refusal.value.code == "several_people"


async def test_a_camera_that_swings_about_is_refused(tmp_path: Path) -> None:
    blocks = np.random.default_rng(5).integers(60, 220, (24, 30, 3))
    wall = np.kron(blocks, np.ones((50, 50, 1))).astype(np.uint8)
    swung: list[tuple[float, recordings.Picture]] = []
    for t, picture in recordings.pictures_of("28_idle_standing.mp4", until_s=5.0)[::2]:
        left = int(400 + 380 * np.sin(2 * np.pi * 0.1 * t))
        view = wall[60 : 60 + picture.shape[0], left : left + picture.shape[1] + 160].copy()
        view[:, 220:420] = picture[:, 140:340]
        swung.append((t, view))
    with pytest.raises(UnreadableVideo) as refusal:
        await analyze_video(write_video(tmp_path / "swung.mp4", swung), exercise=None)
    assert refusal.value.code == "camera_moving"


@pytest.mark.parametrize("head", [b"\x00", b"\xff\xd8", b"    ", bytes(64), b"PK", b"RIFF", b"\x1aE\xdf"])
def test_a_few_stray_bytes_are_not_a_video(head: bytes) -> None:
    with pytest.raises(UnreadableVideo):
        sniff(head)


def test_every_reason_is_a_documented_one() -> None:
    with pytest.raises(ValueError, match="undocumented"):
        UnreadableVideo("because", "Because.")
    assert all(reason == reason.lower() and " " not in reason for reason in REASONS)
