"""`homestretch doctor`: what this machine lacks, and how to get it."""

import click
import msgspec
from rich.console import Console
from rich.text import Text

from api.doctor import Finding, Report, Verdict, examine

NOT_READY = 1
_MARKS: dict[Verdict, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "note": ("!", "yellow"),
    "missing": ("✗", "red"),
}


@click.command(epilog="Example: homestretch doctor --json")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of lines.")
def doctor(*, as_json: bool) -> int:
    """Say in plain words what this machine lacks for running Homestretch, and how to get it.

    Exit status 0 if nothing is missing, 1 if something is.
    """
    report = examine()
    if as_json:
        click.echo(msgspec.json.encode(report))
    else:
        _print(report)
    return 0 if report.ready else NOT_READY


def _print(report: Report) -> None:
    console = Console(highlight=False)
    width = max(len(finding.name) for finding in report.findings)
    for finding in report.findings:
        console.print(_line(finding, width), soft_wrap=True)
        if finding.how is not None:
            console.print(Text(f"  {'':<{width}}    → {finding.how}"), soft_wrap=True)
    console.print("Everything is there." if report.ready else "Something is missing: see ✗ above.")


def _line(finding: Finding, width: int) -> Text:
    mark, colour = _MARKS[finding.verdict]
    return Text.assemble((f"  {mark} ", colour), f"{finding.name:<{width}}  {finding.says}")
