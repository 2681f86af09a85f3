"""`homestretch analyze`: one recording or landmark track in, its analysis out. Needs no database."""

import asyncio
from pathlib import Path
from typing import Literal

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from care.exercises import Exercise, load_library
from pose.analysis import Analysis, tally
from pose.engine import Model, VideoAnalysis, analyze_track, analyze_video
from pose.landmarks import load_track

STAGES = {"reading": "Following the body", "analysing": "Measuring"}
ZIP_MAGIC = b"PK\x03\x04"


@click.command(epilog="Example: homestretch analyze squat.mp4 --exercise squat --plot squat.png --json")
@click.argument("video", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
@click.option(
    "--exercise", "exercise_id", metavar="ID", help="What was exercised, such as squat. Default: guess it."
)
@click.option(
    "--side",
    type=click.Choice(["left", "right", "both"]),
    help="The limb that exercises. Default: see which moves.",
)
@click.option(
    "--model",
    type=click.Choice(["lite", "full", "heavy", "auto"]),
    default="auto",
    show_default=True,
    help="Landmark model; auto is the one the expected errors were measured with.",
)
@click.option(
    "--landmarks", type=click.Path(dir_okay=False, path_type=Path), help="Write the landmark track (.npz)."
)
@click.option(
    "--overlay", type=click.Path(dir_okay=False, path_type=Path), help="Write the video with the drawing."
)
@click.option(
    "--plot", type=click.Path(dir_okay=False, path_type=Path), help="Write the curve as a picture (.png)."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a summary.")
def analyze(
    *,
    video: Path,
    exercise_id: str | None,
    side: Literal["left", "right", "both"] | None,
    model: Model,
    landmarks: Path | None,
    overlay: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Count repetitions and measure range of motion, tempo and form in a VIDEO.

    VIDEO may also be a landmark track (.npz), as written by --landmarks.
    """
    exercise = _exercise(exercise_id)
    is_track = _is_track(video)
    if is_track and overlay is not None:
        raise click.UsageError("--overlay needs a video, not a landmark track.")
    for output in (landmarks, overlay, plot):
        if output is not None and not output.resolve().parent.is_dir():
            raise click.UsageError(f"The folder of {output} does not exist.")
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not Console(stderr=True).is_terminal,
    ) as progress:
        task = progress.add_task("Opening", total=1.0)
        if is_track:
            result = analyze_track(load_track(video), exercise=exercise, side=side)
        else:

            async def on_progress(stage: str, fraction: float) -> None:
                progress.update(task, description=STAGES[stage], completed=fraction)

            result = asyncio.run(
                analyze_video(video, exercise=exercise, side=side, model=model, on_progress=on_progress)
            )
        if landmarks is not None:
            with landmarks.open("wb") as file:
                result.track.save(file)
        if plot is not None:
            _save_plot(result, plot)
        if overlay is not None:
            _save_overlay(video, result, overlay, progress, task)
    if as_json:
        click.echo(msgspec.json.encode(result.analysis))
    else:
        _summarize(result.analysis)


def _exercise(exercise_id: str | None) -> Exercise | None:
    if exercise_id is None:
        return None
    known = {exercise.id: exercise for exercise in load_library().all()}
    if exercise_id not in known:
        raise click.UsageError(f"No exercise {exercise_id!r}. There are: {', '.join(sorted(known))}.")
    return known[exercise_id]


def _is_track(path: Path) -> bool:
    """An .npz is a zip; any other zip is left for the video engine to refuse."""
    with path.open("rb") as file:
        return path.suffix.lower() == ".npz" or (
            file.read(len(ZIP_MAGIC)) == ZIP_MAGIC and b"image.npy" in file.read(64)
        )


def _save_plot(result: VideoAnalysis, path: Path) -> None:
    from pose.plot import save_plot  # noqa: PLC0415 - matplotlib takes half a second that --json should not pay

    save_plot(result.analysis, result.curve, path)


def _save_overlay(video: Path, result: VideoAnalysis, path: Path, progress: Progress, task: TaskID) -> None:
    from pose.overlay import save_overlay  # noqa: PLC0415 - loads OpenCV and the encoder only when asked to draw

    recognized = _exercise(result.analysis.exercise)
    save_overlay(
        video,
        result,
        recognized,
        path,
        on_fraction=lambda fraction: progress.update(task, description="Drawing", completed=fraction),
    )


def _summarize(analysis: Analysis) -> None:
    console = Console(highlight=False)
    console.print(f"[bold]{_headline(analysis)}[/bold]")
    if analysis.rom is not None:
        error = "" if analysis.rom.error_deg is None else f" (expected error {analysis.rom.error_deg:.0f}°)"
        console.print(
            f"Range of motion, {analysis.rom.joint} {analysis.rom.motion.replace('_', ' ')}: median "
            f"{analysis.rom.median_deg:.0f}°, best {analysis.rom.best_deg:.0f}°{error}"
        )
    console.print(
        f"Score {analysis.quality.score:.0f} of 100, filmed from the {analysis.tracking.view.label}"
    )
    if analysis.repetitions:
        console.print(_repetition_table(analysis))
    for warning in analysis.warnings:
        console.print(f"Note: {warning.message}")


def _headline(analysis: Analysis) -> str:
    name = (analysis.exercise or "unknown exercise").replace("_", " ")
    guessed = (
        "" if analysis.exercise_confidence is None else f" (a guess, {analysis.exercise_confidence:.0%} sure)"
    )
    return f"{name}{guessed}: {tally(analysis)}"


def _repetition_table(analysis: Analysis) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for title in ("#", "side", "from", "to", "ROM", "conc.", "hold", "ecc.", "score"):
        table.add_column(title, justify="left" if title == "side" else "right")
    table.add_column("findings")
    for one in analysis.repetitions:
        said = [finding.label for finding in one.findings]
        table.add_row(
            str(one.index + 1),
            one.side,
            f"{one.start_s:.1f} s",
            f"{one.end_s:.1f} s",
            f"{one.rom_deg:.0f}°",
            f"{one.concentric_s:.1f} s",
            f"{one.hold_s:.1f} s",
            f"{one.eccentric_s:.1f} s",
            f"{one.score:.0f}",
            ", ".join(said if one.counted else ["partial", *said]),
        )
    return table
