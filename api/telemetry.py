"""What is the same around every request: its id, one line in the log, its figures, its trace.

The layer stands outside Litestar's routes, so that a 404 gets the same treatment as everything else. Logs and
figures name the route's template, never its address: an address may hold what somebody typed.
"""

import re
import time
from typing import Any, cast

import structlog
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from opentelemetry import propagate, trace
from prometheus_client import Counter, Gauge, Histogram

from core.access import Actor
from core.ids import new_id

REQUEST_ID_HEADER = b"x-request-id"
UNMATCHED = "unmatched"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")
_QUIET_ROUTES = {"/health/live", "/health/ready", "/metrics"}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SERVER_ERROR = 500

_log = structlog.get_logger("homestretch.api")
_tracer = trace.get_tracer("homestretch.api")

REQUESTS = Counter("homestretch_http_requests_total", "Requests answered.", ["method", "route", "status"])
DURATION = Histogram(
    "homestretch_http_request_duration_seconds",
    "Time from the first byte in to the last byte out.",
    ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
)
IN_PROGRESS = Gauge(
    "homestretch_http_requests_in_progress", "Requests being answered.", multiprocess_mode="livesum"
)


class Telemetry:
    """An ASGI layer. Puts the request id into `scope["state"]["request_id"]` and into the answer's headers.

    A caller's own `X-Request-Id` is kept when it is 8 to 128 letters, digits, dots, dashes or underscores.
    """

    def __init__(self, app: ASGIApp, *, traced: bool) -> None:
        self.app = app
        self.traced = traced

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        http = cast("dict[str, Any]", scope)
        request_id = _request_id(http)
        http["state"]["request_id"] = request_id
        with structlog.contextvars.bound_contextvars(request_id=request_id), IN_PROGRESS.track_inprogress():
            if self.traced:
                await self._traced(http, receive, send, request_id)
            else:
                await self._observed(http, receive, send, request_id)

    async def _traced(self, scope: dict[str, Any], receive: Receive, send: Send, request_id: str) -> None:
        caller = propagate.extract(
            {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        )
        with _tracer.start_as_current_span("request", context=caller, kind=trace.SpanKind.SERVER) as span:
            status = await self._observed(scope, receive, send, request_id)
            method, route = _method(scope), _route(scope)
            span.update_name(f"{method} {route}")
            span.set_attributes(
                {"http.request.method": method, "http.route": route, "http.response.status_code": status}
            )

    async def _observed(self, scope: dict[str, Any], receive: Receive, send: Send, request_id: str) -> int:
        """Serve the request, and log and count it however it ends. Returns the status that was sent."""
        began = time.perf_counter()
        status = _SERVER_ERROR

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (REQUEST_ID_HEADER, request_id.encode())]
            await send(message)

        try:
            await self.app(cast("Scope", scope), receive, send_with_id)
        finally:
            _record(scope, status, time.perf_counter() - began)
        return status


def _record(scope: dict[str, Any], status: int, seconds: float) -> None:
    method, route = _method(scope), _route(scope)
    REQUESTS.labels(method, route, str(status)).inc()
    DURATION.labels(method, route).observe(seconds)
    failed = status >= _SERVER_ERROR
    if route in _QUIET_ROUTES and not failed:
        return
    actor = scope.get("user")
    who = {"organization_id": actor.organization_id, "actor": actor.id} if isinstance(actor, Actor) else {}
    tell = _log.error if failed else _log.info
    tell("request", method=method, route=route, status=status, ms=round(seconds * 1000, 1), **who)


def _method(scope: dict[str, Any]) -> str:
    """The method, or `OTHER` for what somebody made up: a label must not grow with what is sent."""
    return scope["method"] if scope["method"] in _METHODS else "OTHER"


def _route(scope: dict[str, Any]) -> str:
    """The template of the route, for instance `/v1/patients/{patient_id}`."""
    return str(scope.get("path_template") or UNMATCHED)


def _request_id(scope: dict[str, Any]) -> str:
    for name, value in scope["headers"]:
        if name == REQUEST_ID_HEADER and _REQUEST_ID.fullmatch(given := value.decode("latin-1")):
            return given
    return new_id("req")
