"""Running `homestretch` as a person would: a process of its own, with an environment."""

import os
import subprocess
import sys
from collections.abc import Mapping

Ended = subprocess.CompletedProcess[str]


def homestretch(*arguments: str, environment: Mapping[str, str] | None = None) -> Ended:
    """Run a command to its end. Settings of the test run itself are not passed on."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HOMESTRETCH_")}
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "api.cli", *arguments],
        env={**inherited, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
