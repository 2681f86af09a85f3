"""`homestretch`, the command line.

Exit status: 0 done; 2 the input or the usage was wrong, with the reason in one line on stderr; 1 our fault.
Commands are imported when they are called, so that `--help` answers at once and `analyze` starts no database.
"""

import importlib
import logging
import os
import sys
import traceback
from typing import cast

import click
import structlog

from core.errors import HomestretchError, Unavailable

DONE, OUR_FAULT, BAD_INPUT = 0, 1, 2
INTERRUPTED = 130

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("api.cli.run:run", "Start the database, the API, a worker and the web app."),
    "analyze": ("api.cli.analyze:analyze", "Count repetitions and measure motion in a video."),
    "seed": ("api.cli.seed:seed", "Fill an empty data folder with a demo clinic."),
    "openapi": ("api.cli.openapi:openapi", "Print the API description (OpenAPI 3.1)."),
    "jobs": ("api.cli.jobs:jobs", "Look at background jobs, retry or cancel them."),
    "audit": ("api.cli.audit:audit", "Verify or export the audit log."),
    "keys": ("api.cli.keys:keys", "Show, rotate and destroy encryption keys."),
    "doctor": ("api.cli.doctor:doctor", "Say what this machine lacks, and how to get it."),
}
"""Name: where it is, and its line in the overview."""


class _Commands(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        return cast("click.Command", getattr(importlib.import_module(module), attribute))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, overview) for name, (_, overview) in COMMANDS.items()])


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: homestretch analyze squat.mp4 --exercise squat --json",
)
@click.version_option(package_name="homestretch", prog_name="homestretch")
def homestretch() -> None:
    """Looks after physical-therapy patients between visits."""


def main() -> None:
    """The console script."""
    # Stdout belongs to what was asked for. Commands that run for long set up logging as configured.
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )
    sys.exit(status_of(sys.argv[1:]))


def status_of(arguments: list[str]) -> int:
    """Run a command line and return its exit status; reasons go to stderr in one line."""
    try:
        returned = cast("object", homestretch.main(arguments, prog_name="homestretch", standalone_mode=False))
        sys.stdout.flush()
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as bare:
        bare.show()
        return BAD_INPUT
    except BrokenPipeError:
        # Whoever read our output has enough. Python would complain again while it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:  # noqa: BLE001 - the last resort: a line for the person, the rest on request
        if os.environ.get("HOMESTRETCH_LOG_LEVEL", "").lower() == "debug":
            traceback.print_exc()
        reason, status = _explained(error)
        click.echo(f"homestretch: {' '.join(reason.split())}", err=True)
        return status
    return returned if isinstance(returned, int) else DONE


def _explained(error: Exception) -> tuple[str, int]:
    match error:
        case click.ClickException():
            return error.format_message(), BAD_INPUT
        case Unavailable():
            return error.detail, OUR_FAULT
        case HomestretchError():
            return error.detail, BAD_INPUT
        case _:
            return f"{type(error).__name__}: {error}", OUR_FAULT
