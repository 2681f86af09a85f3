"""Recordings of the demo clinic: real analyses of rendered figures, told again with other numbers.

`data/analyses.json` holds what the engine found in four committed clips (tests/data/clips). A demo session
that was filmed gets one of them with its range of motion scaled, and a warning that says so.
"""

import io
import json
from functools import cache
from typing import Any

import av
import msgspec
import numpy as np
from msgspec.structs import replace

from api.seed.plan import DATA
from care.prescriptions import Side
from pose.analysis import Analysis
from pose.documents import AngleCurve
from pose.recording import Caveat

_DEMO = Caveat("demo", "Made-up demo data: a recorded example, told again with other numbers.")
_SIZE = (320, 240)


class Example(msgspec.Struct, frozen=True):
    """One analysed recording."""

    analysis: Analysis
    curve: AngleCurve


@cache
def examples() -> dict[str, Example]:
    """The analysed recordings by exercise."""
    return msgspec.convert(json.loads((DATA / "analyses.json").read_text("utf-8")), dict[str, Example])


def retold(example: Example, side: Side, factor: float) -> Example:
    """The example with every range of motion multiplied by `factor`, done with that side."""
    found = example.analysis
    repetitions = [
        replace(
            each,
            side=side if each.side != "both" else each.side,
            rom_deg=round(each.rom_deg * factor, 1),
            peak_deg=round(each.start_deg + (each.peak_deg - each.start_deg) * factor, 1),
        )
        for each in found.repetitions
    ]
    rom = found.rom and replace(
        found.rom,
        median_deg=round(found.rom.median_deg * factor, 1),
        best_deg=round(found.rom.best_deg * factor, 1),
    )
    start = repetitions[0].start_deg
    curve = replace(
        example.curve,
        deg=[
            None if angle is None else round(start + (angle - start) * factor, 1)
            for angle in example.curve.deg
        ],
    )
    analysis = replace(found, repetitions=repetitions, rom=rom, warnings=[*found.warnings, _DEMO])
    return Example(analysis, curve)


@cache
def placeholder_clip() -> bytes:
    """A second of a plain picture as MP4, to stand where a recording would be."""
    file = io.BytesIO()
    container: Any = av.open(file, "w", format="mp4")  # pyright: ignore[reportUnknownMemberType] - types in part
    with container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height = _SIZE
        picture = av.VideoFrame.from_ndarray(np.full((_SIZE[1], _SIZE[0], 3), 96, dtype=np.uint8))
        for _ in range(5):
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return file.getvalue()
