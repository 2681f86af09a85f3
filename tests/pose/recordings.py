"""Made-up recordings: small videos with known flaws, written with PyAV."""

import io
import wave
import zipfile
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
CLIPS = Path(__file__).parent.parent / "data" / "clips"
TICKS = 1000


def write_video(
    path: Path,
    pictures: Iterable[tuple[float, Picture]],
    *,
    codec: str = "libx264",
    rotation_deg: int = 0,
    container: str = "mp4",
) -> Path:
    """A video of (seconds, RGB picture) pairs; the index comes first, as web recordings have it."""
    flags = {"movflags": "faststart"} if container == "mp4" else {}
    output: Any
    stream: Any = None
    with av.open(str(path), "w", format=container, options=flags) as output:
        for t, picture in pictures:
            if stream is None:
                stream = output.add_stream(
                    codec, rate=30, options={"preset": "ultrafast"} if codec == "libx264" else {}
                )
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
            frame = VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(t * TICKS), Fraction(1, TICKS)
            output.mux(stream.encode(frame))
        if stream is not None:
            output.mux(stream.encode(None))
    return _turned(path, rotation_deg) if rotation_deg else path


def plain(
    colour: int, *, seconds: float, step_s: float = 0.1, size: tuple[int, int] = (96, 128)
) -> list[tuple[float, Picture]]:
    """One colour for a while."""
    picture = np.full((*size, 3), colour, np.uint8)
    return [(index * step_s, picture) for index in range(max(1, round(seconds / step_s)))]


def pictures_of(clip: str, *, until_s: float = 1e9) -> list[tuple[float, Picture]]:
    """The pictures of a committed clip with their times."""
    with av.open(str(CLIPS / clip)) as container:
        return [
            (frame.time, np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
            for frame in container.decode(video=0)
            if frame.time <= until_s
        ]


def sound_only(path: Path) -> Path:
    output: Any
    with av.open(str(path), "w", format="mp4") as output:
        stream: Any = output.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("squat.mp4", b"not here")
    return buffer.getvalue()


def wave_sound() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(1600))
    return buffer.getvalue()


def _turned(path: Path, rotation_deg: int) -> Path:
    """The same file with a rotation in the track header's matrix, as phones write it."""
    content = bytearray(path.read_bytes())
    header = content.index(b"tkhd") + 4
    matrix = header + (52 if content[header] else 40)
    cosine, sine = (0, 1) if rotation_deg == 90 else (-1, 0) if rotation_deg == 180 else (0, -1)
    values = [cosine << 16, sine << 16, 0, -sine << 16, cosine << 16, 0, 0, 0, 1 << 30]
    content[matrix : matrix + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in values)
    path.write_bytes(bytes(content))
    return path
