"""What an analysis costs: processor time and memory for 20 seconds of 720p video, children included.

Run as `python bench/pose_cost.py`. The floor, measured in the same run, is the bare landmark network on the
same sampled pictures, already decoded and small: what is above it is decoding, checking and measuring.
"""

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from care.exercises import load_library  # noqa: E402 - the checkout must be importable first
from pose.engine import analyze_video  # noqa: E402 - same
from pose.landmarker import Landmarker, Picture  # noqa: E402 - same
from pose.models import model_path  # noqa: E402 - same
from pose.sandbox import SAMPLES_PER_S  # noqa: E402 - same
from tests.pose.recordings import pictures_of, write_video  # noqa: E402 - same

SECONDS = 20.0
SHORT_SIDE, LONG_SIDE = 720, 1280
CLIP = "26_sit_to_stand_side.mp4"
CPU_BUDGET_S = 10.0
MEMORY_BUDGET_MB = 700.0


def cpu_and_memory(who: int) -> tuple[float, float]:
    """Seconds of processor time and megabytes of peak memory so far."""
    usage = resource.getrusage(who)
    per_mb = 1024 if sys.platform.startswith("linux") else 1 << 20
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / per_mb


def make_video(path: Path) -> None:
    """The committed clip, enlarged to 720p and cut to 20 seconds."""
    import cv2  # noqa: PLC0415 - only to prepare

    frames = (
        (t, np.asarray(cv2.resize(picture, (SHORT_SIDE, LONG_SIDE)), np.uint8))
        for t, picture in pictures_of(CLIP, until_s=SECONDS)
    )
    write_video(path, frames)
    print(json.dumps([]))


def measure_analysis(path: Path) -> None:
    """Analyses in this process, with its decoder as the only child, and prints what both took."""
    exercise = load_library().get("sit_to_stand")
    result = asyncio.run(analyze_video(path, exercise=exercise)).analysis
    own_cpu, own_memory = cpu_and_memory(resource.RUSAGE_SELF)
    child_cpu, child_memory = cpu_and_memory(resource.RUSAGE_CHILDREN)
    frames = result.tracking.frames_analyzed
    print(json.dumps([own_cpu + child_cpu, own_memory + child_memory, frames, result.count]))


def measure_floor(path: Path) -> None:
    """Runs only the network on the pictures an analysis samples; prints its processor seconds."""
    import av  # noqa: PLC0415 - only to prepare
    import cv2  # noqa: PLC0415 - same

    pictures: list[tuple[float, Picture]] = []
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index % round(30 / SAMPLES_PER_S) == 0:
                small = cv2.resize(frame.to_ndarray(format="rgb24"), (360, 640), interpolation=cv2.INTER_AREA)
                pictures.append((frame.time, np.asarray(small, np.uint8)))
    before, _ = cpu_and_memory(resource.RUSAGE_SELF)
    network = Landmarker(str(model_path("full")))
    for t, picture in pictures:
        network.follow(picture, round(t * 1000))
    after, _ = cpu_and_memory(resource.RUSAGE_SELF)
    network.close()
    print(json.dumps([after - before, len(pictures)]))


def in_its_own_process(step: str, path: Path) -> list[float]:
    ended = subprocess.run(  # noqa: S603 - this very file
        [sys.executable, __file__, step, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=os.environ,
    )
    return json.loads(ended.stdout.strip().splitlines()[-1])


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        # Linux hands the peak memory of a process on to those it starts, so this one must stay small.
        in_its_own_process("video", path)
        floor_s, floor_frames = in_its_own_process("floor", path)
        cpu_s, memory_mb, frames, count = in_its_own_process("analysis", path)
    print(f"20 s of {SHORT_SIDE} x {LONG_SIDE}, {frames:.0f} pictures analysed, {count:.0f} repetitions")
    print(f"bare network   {floor_s:6.2f} s CPU  ({floor_frames:.0f} pictures)")
    print(f"analysis       {cpu_s:6.2f} s CPU  (budget {CPU_BUDGET_S:.0f} s)")
    print(f"ratio          {cpu_s / floor_s:6.2f}")
    print(
        f"peak memory    {memory_mb:6.0f} MB, parent and decoder together  (budget {MEMORY_BUDGET_MB:.0f} MB)"
    )
    return 0 if cpu_s < CPU_BUDGET_S and memory_mb < MEMORY_BUDGET_MB else 1


if __name__ == "__main__":
    if len(sys.argv) > 2:  # noqa: PLR2004 - a step and its video
        steps = {"video": make_video, "analysis": measure_analysis, "floor": measure_floor}
        steps[sys.argv[1]](Path(sys.argv[2]))
    else:
        sys.exit(main())
