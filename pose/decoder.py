"""The confined child: one untrusted video in, one landmark track out.

`pose.sandbox` starts it with an `Order`; it answers on standard output with messages, one JSON line each,
of which the last says how many bytes of .npz follow. It decides nothing but what concerns the recording
itself.
"""

import io
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import IO, TYPE_CHECKING, cast

import msgspec

from pose.confinement import confine
from pose.errors import UnreadableVideo
from pose.recording import Caveat, VideoFacts
from pose.sniffing import HEAD_BYTES, sniff
from pose.sources import RangeFile

if TYPE_CHECKING:
    from av.container.input import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from pose.landmarks import Floats, LandmarkTrack
    from pose.pictures import Picture

CODECS = frozenset(
    {"h264", "hevc", "vp8", "vp9", "av1", "libvpx", "libvpx-vp9", "libdav1d", "mpeg4", "h263", "mjpeg"}
)
LARGEST_PIXELS = 4096 * 2304
SMALLEST_SIDE = 64
LONGEST_S = 600.0
SHORTEST_S = 1.0
MOST_FRAMES = 80_000
WORKING_LONG_SIDE = 640
PEOPLE_CHECKS = 5
LOST_END_S = 0.5
FIRST_PERSON_WITHIN_S = 20.0


class Order(msgspec.Struct, frozen=True):
    """What the parent asks for. `samples_per_s` bounds how many frames a second are analysed."""

    descriptor: int
    size: int
    is_file: bool
    bundle: str
    people_bundle: str
    samples_per_s: float
    parent: int
    memory_bytes: int
    cpu_s: int


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line from the child; exactly one of the first three is set."""

    progress: float | None = None
    refused: tuple[str, str] | None = None
    track_bytes: int | None = None
    video: VideoFacts | None = None
    warnings: list[Caveat] = []
    offline: bool = False
    decode_s: float = 0.0
    pose_s: float = 0.0


def main(encoded_order: str) -> int:
    order = msgspec.json.decode(encoded_order, type=Order)
    # Libraries that chat on standard output must not garble the answer.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    walls = confine(parent=order.parent, memory_bytes=order.memory_bytes, cpu_s=order.cpu_s)
    try:
        with _opened(order) as file:
            watched = _Watching(order, answer)
            track = watched.watch(file)
            content = track.to_bytes()
            _say(answer, watched.report(len(content), offline=walls.offline))
            answer.write(content)
    except UnreadableVideo as refusal:
        _say(answer, Message(refused=(refusal.code, refusal.detail)))
    except MemoryError:
        _say(answer, Message(refused=("too_large", "The video needs too much memory to decode.")))
    answer.flush()
    # Threads of the decoding libraries may still wind down; nothing is left to save.
    os._exit(0)


def _say(answer: IO[bytes], message: Message) -> None:
    answer.write(msgspec.json.encode(message) + b"\n")
    answer.flush()


def _opened(order: Order) -> IO[bytes]:
    if order.is_file:
        return os.fdopen(order.descriptor, "rb")
    return cast("IO[bytes]", io.BufferedReader(RangeFile(order.descriptor, order.size)))


@dataclass
class _Watching:
    """One pass over the video."""

    order: Order
    answer: IO[bytes]
    warnings: list[Caveat] = field(default_factory=list[Caveat])
    video: VideoFacts | None = None
    pose_s: float = 0.0
    total_s: float = 0.0

    def report(self, track_bytes: int, *, offline: bool) -> Message:
        return Message(
            track_bytes=track_bytes,
            video=self.video,
            warnings=self.warnings,
            offline=offline,
            decode_s=self.total_s - self.pose_s,
            pose_s=self.pose_s,
        )

    def watch(self, file: IO[bytes]) -> "LandmarkTrack":
        import av  # noqa: PLC0415 - no library is loaded before the process is confined
        from av.error import FFmpegError  # noqa: PLC0415 - same

        started = perf_counter()
        container_format = sniff(file.read(HEAD_BYTES))
        file.seek(0)
        try:
            container = av.open(file, "r", format=container_format, options={"protocol_whitelist": "none"})
        except (FFmpegError, ValueError) as error:
            raise _unopened(file, container_format) from error
        with container:
            stream = _checked_stream(container)
            track = self._landmarks(container, stream, FFmpegError)
        self.total_s = perf_counter() - started
        return track

    def _landmarks(
        self, container: "InputContainer", stream: "VideoStream", decoding_error: type[Exception]
    ) -> "LandmarkTrack":
        import numpy as np  # noqa: PLC0415 - no library is loaded before the process is confined

        from pose.landmarks import LANDMARKS, LandmarkTrack  # noqa: PLC0415 - same

        declared_s = _declared_seconds(container, stream)
        frames = _Frames(stream, self.order.samples_per_s, declared_s)
        sight = _Sight(self.order, declared_s)
        nobody = np.full((2, LANDMARKS, 4), np.nan)
        found: list[Floats] = []
        times: list[float] = []
        cut_off = False
        try:
            for t, picture in frames.sampled(container):
                started = perf_counter()
                seen = sight.see(picture, t)
                self.pose_s += perf_counter() - started
                found.append(nobody if seen is None else seen)
                times.append(t)
                self._progress(t, declared_s)
                if t > FIRST_PERSON_WITHIN_S and not sight.anybody:
                    break
        except decoding_error:
            cut_off = True
        self.video = frames.facts()
        lost_end = declared_s is not None and frames.last_t + LOST_END_S < declared_s and sight.anybody
        self._judge(sight, cut_off=cut_off or lost_end)
        both = np.array(found)
        return LandmarkTrack(
            t=np.array(times),
            image=both[:, 0],
            world=both[:, 1],
            width=self.video.width,
            height=self.video.height,
        )

    def _progress(self, t: float, declared_s: float | None) -> None:
        if declared_s:
            _say(self.answer, Message(progress=min(1.0, t / declared_s)))

    def _judge(self, sight: "_Sight", *, cut_off: bool) -> None:
        video = self.video
        if video is None or video.frames == 0:
            raise UnreadableVideo(
                "truncated_unreadable" if cut_off else "undecodable",
                "No picture of the video could be decoded.",
            )
        if cut_off:
            self.warnings.append(
                Caveat(
                    "truncated",
                    f"The file is damaged or cut off; only its first {video.duration_s:.1f} s were analysed.",
                )
            )
        if video.duration_s < SHORTEST_S:
            raise UnreadableVideo("too_short", f"The video is shorter than {SHORTEST_S:.0f} second.")
        sight.judge(self.warnings)


class _Frames:
    """Decodes all frames and hands on those to analyse, upright and small, with their own timestamps."""

    def __init__(self, stream: "VideoStream", samples_per_s: float, declared_s: float | None) -> None:
        self._stream = stream
        self._spacing_s = 1.0 / samples_per_s
        self._limit_s = LONGEST_S if declared_s is None else min(LONGEST_S, declared_s + LOST_END_S)
        self._count = 0
        self._first: float | None = None
        self._upright_size = (0, 0)
        self._rotation = 0
        self.last_t = 0.0

    def sampled(self, container: "InputContainer") -> "Iterator[tuple[float, Picture]]":
        due = 0.0
        for frame in container.decode(self._stream):
            t = self._seconds(frame)
            if t is None:
                continue
            # Half a frame of slack keeps an even rhythm when the spacing is no multiple of the frame rate's.
            if t + 0.25 * self._spacing_s >= due:
                due = max(due + self._spacing_s, t + 0.5 * self._spacing_s)
                yield t, self._upright(frame)

    def _seconds(self, frame: "VideoFrame") -> float | None:
        """Seconds since the first frame; None for a frame without a later timestamp than the one before."""
        if frame.width * frame.height > LARGEST_PIXELS:
            raise UnreadableVideo("too_large", "The picture grows larger than 4K within the video.")
        if frame.pts is None:
            return None
        if self._first is None:
            self._first = frame.time
        t = frame.time - self._first
        if self._count and t <= self.last_t:
            return None
        self._count += 1
        if t > self._limit_s or self._count > MOST_FRAMES:
            raise UnreadableVideo("too_long", f"The video is longer than {LONGEST_S / 60:.0f} minutes.")
        self.last_t = t
        return t

    def _upright(self, frame: "VideoFrame") -> "Picture":
        from pose.pictures import quarter_turns, upright  # noqa: PLC0415 - no library before confinement

        self._rotation = frame.rotation
        size = (frame.width, frame.height)
        self._upright_size = size[::-1] if quarter_turns(frame) % 2 else size
        return upright(frame, WORKING_LONG_SIDE)

    def facts(self) -> VideoFacts:
        frame_s = self.last_t / (self._count - 1) if self._count > 1 else 0.0
        return VideoFacts(
            duration_s=round(self.last_t + frame_s, 3),
            fps=round(1.0 / frame_s, 3) if frame_s else 0.0,
            width=self._upright_size[0],
            height=self._upright_size[1],
            frames=self._count,
            rotation_deg=self._rotation % 360,
        )


class _Sight:
    """The landmark network and the checks of the scene."""

    def __init__(self, order: Order, declared_s: float | None) -> None:
        from pose.landmarker import Landmarker  # noqa: PLC0415 - no library is loaded before confinement
        from pose.scene import SceneWatch  # noqa: PLC0415 - same

        self._network = Landmarker(order.bundle)
        self._people_bundle = order.people_bundle
        self._everybody: Landmarker | None = None
        self._scene = SceneWatch()
        spacing = min(declared_s or 10.0, 60.0) / PEOPLE_CHECKS
        self._checks_due = [spacing * (number + 0.5) for number in range(PEOPLE_CHECKS)]
        self._crowded: list[bool] = []
        self.anybody = False

    def see(self, picture: "Picture", t: float) -> "Floats | None":
        """(2, 33, 4) image and world landmarks of the person, or None."""
        import numpy as np  # noqa: PLC0415 - no library is loaded before the process is confined

        followed = self._network.follow(picture, round(t * 1000))
        self._scene.look(picture, None if followed is None else followed[0], t)
        if self._checks_due and t >= self._checks_due[0]:
            self._checks_due.pop(0)
            self._count_people(picture)
        if followed is None:
            return None
        self.anybody = True
        return np.stack(followed)

    def _count_people(self, picture: "Picture") -> None:
        from pose.landmarker import Landmarker  # noqa: PLC0415 - no library is loaded before confinement
        from pose.scene import is_crowded  # noqa: PLC0415 - same

        self._everybody = self._everybody or Landmarker(self._people_bundle, people=3, follows=False)
        self._crowded.append(is_crowded(self._everybody.find(picture)))

    def judge(self, warnings: list[Caveat]) -> None:
        from pose.scene import CAMERA_MOVES, CAMERA_WANDERS  # noqa: PLC0415 - no library before confinement

        if not self.anybody:
            if self._scene.dark:
                raise UnreadableVideo(
                    "too_dark", "The picture is too dark to see a person. Please add light."
                )
            raise UnreadableVideo("no_person", "No person was found in the video.")
        if sum(self._crowded) * 2 > len(self._crowded):
            raise UnreadableVideo(
                "several_people",
                "Several people are in the picture. Please film the exercising person alone.",
            )
        if self._scene.camera_travel > CAMERA_MOVES:
            raise UnreadableVideo(
                "camera_moving", "The camera moves too much. Please put the phone on something firm."
            )
        if any(self._crowded):
            warnings.append(
                Caveat("another_person", "Another person is in the picture for a part of the video.")
            )
        if self._scene.camera_travel > CAMERA_WANDERS:
            warnings.append(Caveat("camera_unsteady", "The camera moves a little; angles are less exact."))
        if self._scene.dark:
            warnings.append(Caveat("dark", "The picture is dark; angles are less exact."))


def _checked_stream(container: "InputContainer") -> "VideoStream":
    """The video stream, if it is one we are willing to decode."""
    if not container.streams.video:
        if container.streams.audio:
            raise UnreadableVideo("audio_only", "This is a sound recording without a picture.")
        raise UnreadableVideo("truncated_unreadable", "The file holds no video, or its beginning is cut off.")
    stream = container.streams.video[0]
    context = stream.codec_context
    if context.name not in CODECS:
        raise UnreadableVideo("unsupported_codec", f"Videos of the kind {context.name!r} are not supported.")
    if context.width * context.height > LARGEST_PIXELS:
        raise UnreadableVideo(
            "too_large", f"The picture is {context.width} x {context.height}; at most 4K is supported."
        )
    if min(context.width, context.height) < SMALLEST_SIDE:
        raise UnreadableVideo("too_small", f"The picture is only {context.width} x {context.height}.")
    seconds = _declared_seconds(container, stream)
    if seconds is not None and seconds > LONGEST_S:
        raise UnreadableVideo(
            "too_long",
            f"The video lasts {seconds / 60:.0f} minutes; at most {LONGEST_S / 60:.0f} are supported.",
        )
    context.thread_count = 1
    return stream


def _declared_seconds(container: "InputContainer", stream: "VideoStream") -> float | None:
    """What the container says about its length; None when it says nothing (live recordings)."""
    if stream.duration is not None and stream.time_base is not None and stream.duration > 0:
        return float(stream.duration * stream.time_base)
    if container.duration is not None and container.duration > 0:
        return container.duration / 1_000_000
    return None


def _unopened(file: IO[bytes], container_format: str) -> UnreadableVideo:
    """Why FFmpeg could not open it: an MP4 keeps its index at the end, and loses it when it is cut off."""
    if container_format == "mov" and not _has_index(file):
        return UnreadableVideo(
            "truncated_unreadable", "The file is cut off: its index at the end is missing."
        )
    return UnreadableVideo("undecodable", "The file looks like a video but cannot be decoded.")


def _has_index(file: IO[bytes]) -> bool:
    """Whether a `moov` box is among the top-level boxes of an MP4."""
    position = 0
    end = file.seek(0, io.SEEK_END)
    while position + 8 <= end:
        file.seek(position)
        header = file.read(16)
        size = int.from_bytes(header[:4], "big")
        if header[4:8] == b"moov":
            return position + size <= end
        if size == 1:
            size = int.from_bytes(header[8:16], "big")
        if size < 8:  # noqa: PLR2004 - a box is at least its own header; 0 means "to the end"
            return False
        position += size
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
