"""What every command has in common, and the ones that belong to no room."""

import json
from pathlib import Path

import pytest

from api.cli import COMMANDS
from tests.api.command_line import homestretch


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    shown = homestretch(command, "--help")
    assert shown.returncode == 0
    assert "Example: homestretch" in shown.stdout
    assert shown.stderr == ""


def test_without_a_command_the_commands_are_listed() -> None:
    shown = homestretch()
    assert shown.returncode == 2
    assert all(command in shown.stderr for command in COMMANDS)


def test_the_version_is_shown() -> None:
    assert homestretch("--version").stdout.startswith("homestretch, version ")


@pytest.mark.parametrize(
    "arguments",
    [("nonsense",), ("openapi", "--nonsense"), ("jobs", "show"), ("analyze", "/no/such/video.mp4")],
)
def test_a_wrong_usage_gets_one_line_and_status_2(arguments: tuple[str, ...]) -> None:
    refused = homestretch(*arguments)
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert refused.stderr.count("\n") == 1


def test_a_wrong_setting_is_named_in_one_line() -> None:
    refused = homestretch("seed", environment={"HOMESTRETCH_PORT": "eighty"})
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "HOMESTRETCH_PORT" in refused.stderr


def test_a_database_that_is_down_is_not_the_callers_fault(tmp_path: Path) -> None:
    environment = {
        "HOMESTRETCH_DATA": str(tmp_path),
        "HOMESTRETCH_MONGODB_URI": "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=300",
    }
    failed = homestretch("jobs", "list", environment=environment)
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1
    assert "Traceback" not in failed.stderr


class TestDoctor:
    """`homestretch doctor`."""

    def test_it_looks_at_everything_and_says_how_to_get_what_is_missing(self, tmp_path: Path) -> None:
        environment = {
            "HOMESTRETCH_DATA": str(tmp_path),
            "HOMESTRETCH_POSE_MODELS": str(tmp_path / "nowhere"),
            "MONGOD_BIN": str(tmp_path / "no-mongod"),
            "HOMESTRETCH_PORT": "0",
        }
        examined = homestretch("doctor", "--json", environment=environment)
        assert examined.returncode == 1
        report = json.loads(examined.stdout)
        findings = {finding["name"]: finding for finding in report["findings"]}
        assert {"settings", "python", "node", "data folder", "clock", "port", "sandbox", "pages"} <= set(
            findings
        )
        assert not report["ready"]
        assert findings["python"]["verdict"] == "ok"
        for name in ("models", "database"):
            assert findings[name]["verdict"] == "missing"
            assert findings[name]["how"]

    def test_it_tells_a_slip_in_the_settings(self, tmp_path: Path) -> None:
        slip = {"HOMESTRETCH_DATA": str(tmp_path), "HOMESTRETCH_PROT": "8000"}
        examined = homestretch("doctor", environment=slip)
        assert examined.returncode == 1
        assert "HOMESTRETCH_PORT" in examined.stdout

    def test_a_key_that_others_can_read_is_a_finding(self, tmp_path: Path) -> None:
        (tmp_path / "master.key").touch(mode=0o644)
        examined = homestretch("doctor", "--json", environment={"HOMESTRETCH_DATA": str(tmp_path)})
        findings = {finding["name"]: finding for finding in json.loads(examined.stdout)["findings"]}
        assert findings["master key"]["verdict"] == "missing"
        assert findings["master key"]["how"].startswith("chmod 600")
