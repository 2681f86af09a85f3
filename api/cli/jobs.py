"""`homestretch jobs`: what an operator sees of background work, and the two things they can do about it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar, get_args

import click
import msgspec
from rich.console import Console
from rich.table import Table

from core.access import Access
from core.errors import NotFound
from core.jobs import DOCUMENTS, JobState, JobView, cancel_job, get_job, list_jobs, retry_job
from core.platform import Platform, open_platform
from core.settings import load_settings
from core.telemetry import configure_logging

Result = TypeVar("Result")

_as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
_organization = click.option("--organization", help="Only this organization's jobs. Default: all.")
_limit = click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=50,
    show_default=True,
    help="At most so many for each organization.",
)


@click.group(epilog="Example: homestretch jobs dead")
def jobs() -> None:
    """Look at background jobs, retry or cancel them."""


@jobs.command("list", epilog="Example: homestretch jobs list --state running --json")
@_organization
@click.option("--state", type=click.Choice(get_args(JobState)), help="Only jobs in this state.")
@click.option("--kind", help="Only jobs of this kind, for instance pose.analyze.")
@_limit
@_as_json
def list_(
    *, organization: str | None, state: JobState | None, kind: str | None, limit: int, as_json: bool
) -> None:
    """List jobs, the newest first."""
    _print_many(_with_platform(lambda platform: _find(platform, organization, state, kind, limit)), as_json)


@jobs.command(epilog="Example: homestretch jobs dead --organization org_01kaz3")
@_organization
@_limit
@_as_json
def dead(*, organization: str | None, limit: int, as_json: bool) -> None:
    """List dead letters: jobs that used up their attempts and wait for a decision."""
    _print_many(_with_platform(lambda platform: _find(platform, organization, "dead", None, limit)), as_json)


@jobs.command(epilog="Example: homestretch jobs show pose.analyze:org_01kaz3:upl_01kb0d")
@click.argument("job_id")
@_as_json
def show(*, job_id: str, as_json: bool) -> None:
    """Show one job."""
    _print_one(_with_platform(lambda platform: get_job(_access(platform, job_id), job_id)), as_json)


@jobs.command(epilog="Example: homestretch jobs retry pose.analyze:org_01kaz3:upl_01kb0d")
@click.argument("job_id")
@_as_json
def retry(*, job_id: str, as_json: bool) -> None:
    """Queue a dead or cancelled job again, with all its attempts."""
    _print_one(_with_platform(lambda platform: retry_job(_access(platform, job_id), job_id)), as_json)


@jobs.command(epilog="Example: homestretch jobs cancel pose.analyze:org_01kaz3:upl_01kb0d")
@click.argument("job_id")
@_as_json
def cancel(*, job_id: str, as_json: bool) -> None:
    """Call off a job that is queued, running or dead."""
    _print_one(_with_platform(lambda platform: cancel_job(_access(platform, job_id), job_id)), as_json)


def _with_platform(use: Callable[[Platform], Awaitable[Result]]) -> Result:
    async def session() -> Result:
        settings = load_settings()
        configure_logging(settings)
        async with open_platform(settings, DOCUMENTS) as platform:
            return await use(platform)

    return asyncio.run(session())


async def _find(
    platform: Platform, organization: str | None, state: JobState | None, kind: str | None, limit: int
) -> list[JobView]:
    organizations = [organization] if organization else await platform.database.directory.organizations()
    pages = [
        await list_jobs(
            platform.database.as_system(organization_id, "operator"), state=state, kind=kind, limit=limit
        )
        for organization_id in organizations
    ]
    return [view for page in pages for view in page.items]


def _access(platform: Platform, job_id: str) -> Access:
    parts = job_id.split(":")
    if len(parts) != 3:  # noqa: PLR2004 - kind, organization and key
        raise NotFound("There is no such job: an id reads <kind>:<organization>:<key>.")
    return platform.database.as_system(parts[1], "operator")


def _print_one(view: JobView, as_json: bool) -> None:  # noqa: FBT001 - the flag as typed
    if as_json:
        click.echo(msgspec.json.encode(view))
        return
    table = Table(show_header=False, box=None)
    for name, value in msgspec.to_builtins(view).items():
        if value is not None:
            table.add_row(name.replace("_", " "), str(value))
    Console().print(table)


def _print_many(views: list[JobView], as_json: bool) -> None:  # noqa: FBT001 - the flag as typed
    if as_json:
        click.echo(msgspec.json.encode({"items": views}))
        return
    if not views:
        click.echo("No jobs.")
        return
    table = Table("job", "state", "attempts", "progress", "created", "error", box=None)
    for view in views:
        progress = "" if view.progress is None else f"{view.progress.stage} {view.progress.fraction:.0%}"
        created = f"{view.created_at:%Y-%m-%d %H:%M:%S}Z"
        table.add_row(view.id, view.state, str(view.attempts), progress, created, view.error or "")
    Console().print(table)
