"""`homestretch keys`: see, replace and destroy the keys that everything stored is encrypted with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click
import msgspec
from rich.console import Console
from rich.table import Table

from core import key_rotation
from core.key_rotation import MasterKeys
from core.keys import KeyState
from core.platform import Platform, open_platform
from core.settings import load_settings

Result = TypeVar("Result")

_as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")


class KeyOverview(msgspec.Struct, frozen=True):
    """What `keys show --json` prints."""

    master: MasterKeys
    organizations: list[KeyState]


@click.group(epilog="Example: homestretch keys show")
def keys() -> None:
    """Show, rotate and destroy encryption keys.

    The master key opens one root key, and that the key of every organization. Whoever loses the master key
    loses everything that is stored: keep a copy of its file in a safe place, apart from the backups of the
    database.
    """


@keys.command(epilog="Example: homestretch keys show --json")
@_as_json
def show(*, as_json: bool) -> None:
    """Show which keys there are, by fingerprint. Never shows a key."""

    async def use(platform: Platform) -> KeyOverview:
        master = await key_rotation.master_keys(platform.database, platform.settings)
        return KeyOverview(master, await platform.database.keys.states())

    overview = _with_platform(use)
    if as_json:
        click.echo(msgspec.json.encode(overview))
        return
    others = [each for each in overview.master.admitted if each != overview.master.present]
    click.echo(f"Master key {overview.master.present}.")
    if others:
        click.echo(f"Also open the database: {', '.join(others)} (homestretch keys retire ends that).")
    table = Table("organization", "created", "versions", "rotated", "destroyed", box=None)
    for state in overview.organizations:
        days = [
            f"{day:%Y-%m-%d}" if day else ""
            for day in (state.created_at, state.rotated_at, state.destroyed_at)
        ]
        table.add_row(state.organization_id, days[0], str(state.versions), *days[1:])
    Console().print(table)


@keys.command(epilog="Example: homestretch keys rotate --master")
@click.option("--master", is_flag=True, help="Replace the master key.")
@click.option("--tenant", "organization", metavar="ID", help="Give one organization a new key.")
@click.option(
    "--new-key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --master: admit the key in this file (made if there is none) beside the present one, for "
    "installations that get their key from elsewhere.",
)
def rotate(*, master: bool, organization: str | None, new_key_file: Path | None) -> None:
    """Replace the master key, or give an organization a new key for what it stores from now on.

    Nothing that is stored becomes unreadable, also if this is interrupted: repeat it then.
    """
    if master == (organization is not None) or (new_key_file is not None and not master):
        raise click.UsageError("Say either --master, with or without --new-key-file, or --tenant ID.")
    if organization is not None:
        version = _with_platform(
            lambda platform: key_rotation.rotate_organization_key(platform.database, organization)
        )
        click.echo(f"{organization} now stores under version {version} of its key.")
    elif new_key_file is not None:
        new = _with_platform(
            lambda platform: key_rotation.admit_master_key(platform.database, platform.settings, new_key_file)
        )
        click.echo(
            f"Master key {new.fingerprint} in {new_key_file} now opens the database too. Set "
            "HOMESTRETCH_MASTER_KEY_FILE to it, restart every process, then: homestretch keys retire"
        )
    else:
        replaced = _with_platform(
            lambda platform: key_rotation.replace_master_key(platform.database, platform.settings)
        )
        click.echo(
            f"Master key {replaced.present} is in place. Copy its file to where you keep the old one's copy."
        )


@keys.command(epilog="Example: homestretch keys retire")
def retire() -> None:
    """Let only the configured master key open the database from now on."""
    count = _with_platform(
        lambda platform: key_rotation.retire_old_master_keys(platform.database, platform.settings)
    )
    click.echo(f"{count} retired.")


@keys.command(epilog="Example: homestretch keys shred org_01kaz3")
@click.argument("organization")
@click.option("--yes", metavar="ID", help="The organization once more, instead of being asked.")
def shred(*, organization: str, yes: str | None) -> None:
    """Destroy an organization's key, and with it everything it stored, for good.

    Backups of the database from before still hold the key: destroy those as well.
    """
    typed = yes or click.prompt(
        f"This destroys all data of {organization}. Nobody can undo it. Type the organization's id to go on",
        err=True,
    )
    if typed != organization:
        raise click.UsageError("That is not the organization's id: nothing was destroyed.")
    _with_platform(lambda platform: key_rotation.destroy_organization_key(platform.database, organization))
    click.echo(f"The key of {organization} is destroyed. Running processes forget it within a minute.")


def _with_platform(use: Callable[[Platform], Awaitable[Result]]) -> Result:
    async def session() -> Result:
        async with open_platform(load_settings(), []) as platform:
            return await use(platform)

    return asyncio.run(session())
