"""The curve of a set, as a picture: the primary angle over time with every repetition marked."""

from pathlib import Path
from typing import Any, TypeAlias

from matplotlib.figure import Figure

from pose.analysis import Analysis, Repetition, is_held, tally
from pose.study import PlottedCurve

Axes: TypeAlias = Any
"""matplotlib's axes, whose methods are only half typed."""

INK, MUTED, GRID = "#1f2933", "#66727f", "#e4e8ec"
COUNTED, PARTIAL, FAULT = "#0b7a75", "#c27c0e", "#b3261e"
CURVE = "#26547c"


def save_plot(analysis: Analysis, curve: PlottedCurve | None, path: Path) -> None:
    """Draws the curve as a PNG.

    Args:
        analysis: The result to draw.
        curve: Its primary angle; None draws an empty plot that says so.
        path: Where to write; the format follows the suffix.
    """
    figure: Any = Figure(figsize=(11, 4.6), dpi=110, facecolor="white", layout="constrained")
    figure.get_layout_engine().set(w_pad=0.15, h_pad=0.12)
    axes: Axes = figure.add_subplot()
    _prepare(axes)
    name = (analysis.exercise or "movement").replace("_", " ")
    axes.set_title(_title(name.capitalize(), analysis), loc="left", color=INK, fontsize=13, pad=12)
    if curve is None:
        axes.text(
            0.5, 0.5, "The exercising limb was not seen.", ha="center", transform=axes.transAxes, color=MUTED
        )
    else:
        angles = [float("nan") if angle is None else angle for angle in curve.deg]
        axes.plot(curve.t_s, angles, color=CURVE, linewidth=1.8, zorder=3)
        axes.set_ylabel(f"{curve.signal.replace('_', ' ').capitalize()} (degrees)", color=MUTED)
        axes.set_xlim(0, max(curve.t_s[-1], 1.0))
        axes.margins(y=0.18)
        for repetition in analysis.repetitions:
            _mark(axes, repetition, held=is_held(analysis))
    figure.savefig(path)


def _title(name: str, analysis: Analysis) -> str:
    rom = f"   ·   ROM {analysis.rom.median_deg:.0f}°" if analysis.rom else ""
    return f"{name}   ·   {tally(analysis)}{rom}   ·   score {analysis.quality.score:.0f}"


def _prepare(axes: Axes) -> None:
    for edge in ("top", "right", "left"):
        axes.spines[edge].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, length=0)
    axes.set_xlabel("Seconds", color=MUTED)


def _mark(axes: Axes, repetition: Repetition, *, held: bool) -> None:
    """A band from start to end, the turning point, and its number and ROM or length above or below it."""
    colour = COUNTED if repetition.counted else PARTIAL
    rises = repetition.peak_deg >= repetition.start_deg
    axes.axvspan(repetition.start_s, repetition.end_s, color=colour, alpha=0.08, linewidth=0)
    axes.plot([repetition.peak_s], [repetition.peak_deg], "o", color=colour, markersize=6, zorder=4)
    kind = "" if repetition.counted else " partial"
    faults = " !" * bool(repetition.findings)
    size = f"{repetition.hold_s:.0f} s" if held else f"{repetition.rom_deg:.0f}°"
    axes.annotate(
        f"{repetition.index + 1}{kind}\n{size}{faults}",
        (repetition.peak_s, repetition.peak_deg),
        xytext=(0, 10 if rises else -10),
        textcoords="offset points",
        ha="center",
        va="bottom" if rises else "top",
        fontsize=9,
        color=FAULT if repetition.findings else colour,
    )
