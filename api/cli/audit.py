"""`homestretch audit`: see that the audit log is intact, or take a copy of it elsewhere."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing

import click
import msgspec
from rich.console import Console
from rich.progress import track

from core import audit_review
from core.audit_chain import Link
from core.audit_review import Verification, link_of
from core.errors import NotFound
from core.platform import Platform, open_platform
from core.settings import load_settings

ALTERED = 1


class _End(click.ParamType[Link]):
    """The end of a chain, as `audit verify` prints it."""

    name = "SEQ:CODE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Link:
        try:
            return link_of(str(value))
        except ValueError:
            self.fail("expected what an earlier `audit verify` printed, such as 12:9f86d0", param, ctx)


@click.group(epilog="Example: homestretch audit verify")
def audit() -> None:
    """Verify or export the audit log."""


@audit.command(epilog="Example: homestretch audit verify --organization org_01kaz3 --expect 1234:9f86d0")
@click.option("--organization", help="Only this organization's log. Default: all.")
@click.option(
    "--expect",
    type=_End(),
    help="An end that an earlier run printed and you kept elsewhere: proves that nothing was rolled back.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of lines.")
def verify(*, organization: str | None, expect: Link | None, as_json: bool) -> int:
    """Check every entry of the audit log, and that none is missing.

    Exit status 0 if all is as it was written, 1 if not.
    """
    if expect is not None and organization is None:
        raise click.UsageError("--expect needs --organization: each organization has a log of its own.")
    results = asyncio.run(_verify(organization, expect))
    if as_json:
        click.echo(
            msgspec.json.encode({"ok": all(result.ok for result in results), "organizations": results})
        )
    elif not results:
        click.echo("There is no organization yet.")
    else:
        for result in results:
            _print(result)
    return 0 if all(result.ok for result in results) else ALTERED


@audit.command(epilog="Example: homestretch audit export --organization org_01kaz3 > audit.jsonl")
@click.option("--organization", required=True, help="Whose log.")
def export(*, organization: str) -> None:
    """Write an organization's audit log to stdout, one JSON object a line, the oldest entry first."""
    asyncio.run(_export(organization))


async def _verify(organization: str | None, expect: Link | None) -> list[Verification]:
    async with open_platform(load_settings(), []) as platform:
        organizations = await _known(platform, organization)
        shown = track(
            organizations,
            "Verifying",
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        return [await audit_review.verify(platform.database, each, expected=expect) for each in shown]


async def _export(organization: str) -> None:
    async with open_platform(load_settings(), []) as platform:
        (organization_id,) = await _known(platform, organization)
        async with aclosing(audit_review.export(platform.database, organization_id)) as entries:
            async for entry in entries:
                click.echo(msgspec.json.encode(entry))


async def _known(platform: Platform, organization: str | None) -> list[str]:
    organizations = await platform.database.keys.organizations()
    if organization is None:
        return organizations
    if organization not in organizations:
        raise NotFound("There is no such organization.")
    return [organization]


def _print(result: Verification) -> None:
    if result.ok:
        click.echo(
            f"{result.organization_id}: {result.entries} entries, all as they were written; end {result.end}"
        )
    else:
        click.echo(f"{result.organization_id}: ALTERED: {result.reason}", err=True)
