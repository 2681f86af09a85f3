"""`homestretch run`: everything, or one part of it."""

import asyncio
import signal
import socket
import sys
from collections.abc import Mapping

import click

from api.lifeline import end_with
from api.seed.logins import described, read_logins
from core.platform import open_platform
from core.settings import Settings, load_settings
from core.telemetry import configure_logging, tracing

_lifeline = click.option("--lifeline", type=int, hidden=True, help="A pipe of the supervisor: end with it.")


@click.group(
    invoke_without_command=True,
    epilog="Example: homestretch run --no-demo    (PORT and HOMESTRETCH_DATA are honoured)",
)
@click.option("--demo/--no-demo", default=True, help="Set up a demo clinic if the data folder is empty.")
@click.pass_context
def run(context: click.Context, *, demo: bool) -> None:
    """Start the database, the API, the workers and the web app; stop all of them with Ctrl-C."""
    if context.invoked_subcommand is None:
        _run_everything(load_settings(), demo=demo)


@run.command("api", epilog="Example: homestretch run api")
@click.option("--listener", type=int, hidden=True, help="The number of a socket that listens already.")
@_lifeline
def run_api(*, listener: int | None, lifeline: int | None) -> None:
    """Serve the API and the web app from this process."""
    from api.server import listening_socket, serve  # noqa: PLC0415 - takes a second to import

    settings = load_settings()
    _set_up(settings, lifeline)
    with tracing(settings, "homestretch-api"):
        serve(settings, listening_socket(settings) if listener is None else socket.socket(fileno=listener))


@run.command("worker", epilog="Example: homestretch run worker")
@_lifeline
def run_worker(*, lifeline: int | None) -> None:
    """Do background work in this process."""
    settings = load_settings()
    _set_up(settings, lifeline)
    with tracing(settings, "homestretch-worker"):
        asyncio.run(_work(settings))


def _set_up(settings: Settings, lifeline: int | None) -> None:
    configure_logging(settings)
    if lifeline is not None:
        end_with(lifeline)


async def _work(settings: Settings) -> None:
    from api.rooms import DOCUMENTS, register_jobs, time_zones_of  # noqa: PLC0415 - takes a second to import
    from core.jobs import Worker  # noqa: PLC0415 - same

    register_jobs()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_platform(settings, DOCUMENTS) as platform:
        await Worker(platform, time_zones_of).run(stop)


def _run_everything(settings: Settings, *, demo: bool) -> None:
    from api.server import listening_socket  # noqa: PLC0415 - takes a second to import
    from api.supervisor import Supervisor  # noqa: PLC0415 - same

    configure_logging(settings)
    supervisor = Supervisor(settings, listening_socket(settings))

    async def prepare(environment: Mapping[str, str]) -> None:
        if demo and not settings.production:
            await _seed(environment)

    asyncio.run(supervisor.run(prepare, lambda: _announce(settings, supervisor.address)))


async def _seed(environment: Mapping[str, str]) -> None:
    """Set up the demo clinic unless there is an organization already, in a process of its own."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "api.cli",
        "seed",
        "--if-empty",
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
    )
    if await child.wait():
        raise click.ClickException("the demo clinic could not be set up")


def _announce(settings: Settings, address: tuple[str, int]) -> None:
    host, port = address
    here = f"http://{host}:{port}"
    lines = [
        "",
        f"Homestretch runs at {here}",
        f"  patient app    {here}/app",
        f"  API reference  {here}/docs",
        f"  data           {settings.data}",
    ]
    if settings.embedded:
        lines += [
            "  database       embedded: for trying things out and for one small clinic that accepts the risk",
            "                 (docs/decisions/0002); everything else needs a MongoDB of its own",
        ]
    logins = read_logins(settings)
    if logins is not None:
        lines += described(logins)
    click.echo("\n".join([*lines, "", "Ctrl-C stops everything."]))
