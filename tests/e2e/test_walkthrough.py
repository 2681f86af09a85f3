"""The main job as the README shows it: `homestretch run` in one terminal, the walkthrough in another."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo import AsyncMongoClient

from core.embedded_mongo import running_mongod
from core.mongo import RawDocument
from core.settings import load_settings
from tests.api.command_line import homestretch

ROOT = Path(__file__).parents[2]
CLIP = ROOT / "tests/data/clips/26_sit_to_stand_side.mp4"
STARTING_S = 120


@dataclass
class Installation:
    environment: dict[str, str]
    address: str


@pytest.fixture(scope="module")
def running(short_folder: Path) -> Iterator[Installation]:
    """A fresh installation with everything running, as after `make run`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HOMESTRETCH_")}
    own = {"PORT": str(port), "HOMESTRETCH_DATA": str(short_folder / "walk")}
    with (short_folder / "run.log").open("wb") as log:
        command = [sys.executable, "-m", "api.cli", "run"]
        process = subprocess.Popen(command, env={**inherited, **own}, stdout=log, stderr=log)  # noqa: S603 - our own
    try:
        _until_ready(process, f"http://127.0.0.1:{port}/health/ready", short_folder / "run.log")
        yield Installation(own, f"http://127.0.0.1:{port}")
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0, "Ctrl-C must stop everything cleanly"


def _until_ready(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    end = time.monotonic() + STARTING_S
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(address).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    pytest.fail(f"not ready in time: {log.read_text()}")


@pytest.fixture(scope="module")
def walked(running: Installation) -> dict[str, Any]:
    """What the script prints last: one line of JSON."""
    done = subprocess.run(  # noqa: S603 - our own script
        ["/usr/bin/env", "bash", str(ROOT / "docs/walkthrough.sh"), str(CLIP)],
        env={**os.environ, **running.environment, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {"printed": done.stdout, **json.loads(done.stdout.splitlines()[-1])}


@pytest.mark.video
def test_the_script_of_the_readme_walks_from_prescription_to_nudge(walked: dict[str, Any]) -> None:
    truth = json.loads((CLIP.parent / "truth.json").read_text())[CLIP.name]
    assert walked["count"] == len(truth["repetitions"]) == 5
    assert walked["before"] == 0
    assert walked["after"] > walked["before"]
    assert walked["nudges"] == 1
    assert "connection cut" in walked["printed"]
    assert 0 < walked["resumed_at"] < CLIP.stat().st_size


@pytest.mark.video
async def test_the_audit_log_shows_that_one_byte_was_altered_behind_its_back(
    running: Installation, walked: dict[str, Any]
) -> None:
    organization = walked["organization"]
    verify = ("audit", "verify", "--organization", organization)
    assert homestretch(*verify, environment=running.environment).returncode == 0

    settings = load_settings(running.environment)
    async with running_mongod(settings) as uri, AsyncMongoClient[RawDocument](uri) as client:
        audit = client[settings.mongodb_database]["audit"]
        entry = await audit.find_one({"organization_id": organization, "action": "insert"})
        assert entry is not None
        forged = entry["document_ids"][0][:-1] + ("0" if entry["document_ids"][0][-1] != "0" else "1")
        await audit.update_one({"_id": entry["_id"]}, {"$set": {"document_ids.0": forged}})

    found = homestretch(*verify, environment=running.environment)
    assert found.returncode == 1
    assert str(entry["seq"]) in found.stdout + found.stderr
