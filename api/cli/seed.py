"""`homestretch seed`: the demo clinic."""

import asyncio
import datetime as dt
import sys
from collections.abc import Iterable

import click
import msgspec
from rich.console import Console
from rich.progress import track

from api.seed.logins import DemoLogins, described, keep_logins, read_logins
from core.errors import Conflict
from core.platform import open_platform
from core.settings import Settings, load_settings


@click.command(epilog="Example: homestretch seed --json")
@click.option("--if-empty", is_flag=True, help="Do nothing, quietly, if there is an organization already.")
@click.option("--json", "as_json", is_flag=True, help="The logins as one JSON document.")
def seed(*, if_empty: bool, as_json: bool) -> None:
    """Fill an empty installation with a demo clinic: made-up people, eight weeks of history.

    Prints how to sign in. The invitation of the demo patient is renewed if the demo clinic is there already
    and --if-empty is given.
    """
    settings = load_settings()
    if settings.production:
        raise click.UsageError("a demo clinic does not belong into production (HOMESTRETCH_ENVIRONMENT)")
    logins = asyncio.run(_seed(settings, if_empty=if_empty))
    if as_json:
        click.echo(msgspec.json.encode(logins))
    elif not if_empty and logins is not None:
        click.echo("\n".join(described(logins)))


async def _seed(settings: Settings, *, if_empty: bool) -> DemoLogins | None:
    from api.rooms import DOCUMENTS  # noqa: PLC0415 - takes a second to import
    from api.seed.clinic import ClinicSeeder, MovableClock, invitation_of  # noqa: PLC0415 - same
    from api.seed.plan import demo_clinic  # noqa: PLC0415 - same

    clock = MovableClock()
    async with open_platform(settings, DOCUMENTS, clock=clock) as platform:
        if await platform.database.directory.organizations():
            if not if_empty:
                raise Conflict(
                    "There is an organization already: a demo clinic is set up in an empty one only."
                )
            logins = read_logins(settings)
            if logins is None:
                return None
            system = platform.database.as_system(logins.organization_id, "demo")
            patient = await invitation_of(platform, system, logins.patient_id)
            logins = msgspec.structs.replace(logins, patient=patient)
        else:
            logins = await ClinicSeeder(platform, clock, demo_clinic()).run(_with_progress)
        keep_logins(settings, logins)
        return logins


def _with_progress(days: list[dt.date]) -> Iterable[dt.date]:
    console = Console(stderr=True)
    return track(days, "Setting up the demo clinic", console=console, disable=not sys.stderr.isatty())
