"""What reaches the logs: ids and figures, never who somebody is or what opens a door."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace

from core.settings import Settings
from core.telemetry import REDACTED, configure_logging, redact, tracing


@pytest.fixture
def lines() -> Generator[io.StringIO]:
    """What a process logs as JSON; the logging of the test run is restored afterwards."""
    # A server that another test ran within this process may have left its own level.
    server = logging.getLogger("uvicorn.error")
    its_level = server.level
    server.setLevel(logging.NOTSET)
    root = logging.getLogger()
    before = (root.handlers, root.level)
    output = io.StringIO()
    configure_logging(Settings(log_format="json"), stream=output)
    yield output
    root.handlers, level = before
    root.setLevel(level)
    server.setLevel(its_level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def logged(output: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_a_line_has_time_level_and_what_is_bound_to_the_request(lines: io.StringIO) -> None:
    structlog.contextvars.bind_contextvars(request_id="req_1")
    structlog.get_logger("room").info("video.analyzed", patient_id="pat_1", repetitions=10)
    (line,) = logged(lines)
    assert (
        line.items()
        >= {
            "event": "video.analyzed",
            "level": "info",
            "logger": "room",
            "patient_id": "pat_1",
            "repetitions": 10,
            "request_id": "req_1",
        }.items()
    )
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    "name",
    [
        *("name", "family_name", "email", "phone_number", "birth_date", "street", "insurance_id"),
        *("password", "refresh_token", "Authorization", "totp_secret", "one_time_code", "master_key"),
    ],
)
def test_values_with_a_telling_name_are_hidden_wherever_they_stand(name: str) -> None:
    event = redact(None, "info", {"event": "x", name: "telling", "nested": {"deep": [{name: "telling"}]}})
    assert "telling" not in repr(event)
    assert event[name] == REDACTED


@pytest.mark.parametrize(
    "text",
    [
        "no account for ada.lovelace+pt@example.org",
        "call +1 (555) 010-0199 back",
        "Authorization: Bearer abcdefghijklmnop",
        "got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "got hsr_org01kaz.ses01kaz.secretsecret",
        "cannot reach mongodb://root:hunter2@db:27017/",
    ],
)
def test_telling_text_is_hidden_within_a_message(text: str) -> None:
    hidden = str(redact(None, "info", {"event": text})["event"])
    for telling in ("ada", "555", "abcdefgh", "eyJ", "secretsecret", "hunter2"):
        assert telling not in hidden
    assert REDACTED in hidden


@pytest.mark.parametrize(
    "value",
    ["pat_01kaz3x0p5v9h2m4n6q8r0s2t4", "2026-03-01T12:00:00Z", "/v1/patients/{patient_id}", 12.5, True, None],
)
def test_ids_times_routes_and_figures_stay_readable(value: object) -> None:
    assert redact(None, "info", {"event": "x", "value": value})["value"] == value


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_is_logged_can_be_logged(value: Any) -> None:  # noqa: ANN401 - anything
    json.dumps(redact(None, "info", {"event": "x", "value": value}))


def test_an_exception_is_logged_without_what_its_message_tells(lines: io.StringIO) -> None:
    try:
        int("ada@example.org")
    except ValueError:
        structlog.get_logger("room").exception("failed")
    (line,) = logged(lines)
    assert "ValueError" in line["exception"]
    assert "ada@" not in line["exception"]


def test_libraries_log_in_the_same_format_and_do_not_chatter(lines: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").warning("asked by %s", "ada@example.org")
    logging.getLogger("pymongo.command").info("find patients")
    (line,) = logged(lines)
    assert (line["logger"], line["event"]) == ("uvicorn.error", f"asked by {REDACTED}")


def test_the_level_is_what_the_operator_chose(lines: io.StringIO) -> None:
    configure_logging(Settings(log_format="console", log_level="error"), stream=lines)
    structlog.get_logger("other").warning("small")
    structlog.get_logger("other").error("big", count=3)
    assert "small" not in lines.getvalue()
    assert "big" in lines.getvalue()
    assert "count=3" in lines.getvalue()


class Collector(BaseHTTPRequestHandler):
    """Stands in for an OpenTelemetry collector and keeps what it is sent."""

    received: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.received.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - silence
        pass


def test_traces_go_to_the_collector_that_is_configured_and_nowhere_otherwise() -> None:
    with tracing(Settings(), "homestretch-test") as traced:
        assert not traced
    Collector.received = []
    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        settings = Settings(otlp_endpoint=f"http://127.0.0.1:{server.server_port}")
        with tracing(settings, "homestretch-test") as traced:
            assert traced
            with trace.get_tracer("test").start_as_current_span("a span of the test"):
                pass
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    (path, body), *_ = Collector.received
    assert path == "/v1/traces"
    assert b"a span of the test" in body
    assert b"homestretch-test" in body


def test_a_traceback_says_where_and_not_what(lines: io.StringIO) -> None:
    def look_up(name: str) -> None:
        try:
            {}[name]
        except KeyError as missing:
            raise ValueError(f"nobody is called {name}") from missing

    name = "Zephyrine"
    try:
        look_up(name)
    except ValueError:
        structlog.get_logger("room").exception("failed")
    (line,) = logged(lines)
    told = line["exception"]
    assert told.index("KeyError") < told.index("which led to") < told.index("ValueError")
    assert "in look_up" in told
    assert name not in told


def test_a_mistake_in_the_code_is_named(lines: io.StringIO) -> None:
    try:
        json.made_up()  # type: ignore[attr-defined]
    except AttributeError:
        structlog.get_logger("room").exception("failed")
    (line,) = logged(lines)
    assert "has no attribute 'made_up'" in line["exception"]
