"""Whether the process lives, whether it can serve, and its figures."""

import asyncio
import hmac
import ipaddress
import os
from collections.abc import Awaitable
from typing import Any, Literal

import msgspec
import structlog
from litestar import Controller, Request, Response, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.status_codes import HTTP_200_OK, HTTP_503_SERVICE_UNAVAILABLE
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from api.authentication import bearer_token
from api.authorization import PUBLIC
from api.dependencies import Given
from core.errors import Forbidden, Unauthenticated
from core.platform import Platform

State = Literal["ok", "down"]

CHECK_TIMEOUT_S = 5.0

_log = structlog.get_logger("homestretch.api")
_FORWARDING_HEADERS = ("forwarded", "x-forwarded-for", "x-real-ip")


class Alive(msgspec.Struct):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(msgspec.Struct):
    """Whether requests can be served, and which part is down if not."""

    status: State
    database: State
    storage: State


class HealthController(Controller):
    path = "/health"
    tags = ("Health",)
    opt = PUBLIC

    @get("/live")
    async def check_live(self) -> Alive:
        """Say whether the process answers."""
        return Alive()

    @get(
        "/ready",
        responses={
            HTTP_503_SERVICE_UNAVAILABLE: ResponseSpec(
                data_container=Readiness, description="A part is down."
            )
        },
    )
    async def check_ready(self, platform: Given[Platform]) -> Response[Readiness]:
        """Say whether the database and the object storage can be used."""
        database = await _state(platform.database.ping())
        storage = await _state(platform.storage.blobs.check())
        ready = database == storage == "ok"
        readiness = Readiness(status="ok" if ready else "down", database=database, storage=storage)
        return Response(readiness, status_code=HTTP_200_OK if ready else HTTP_503_SERVICE_UNAVAILABLE)


class MetricsController(Controller):
    path = "/metrics"
    opt = PUBLIC
    include_in_schema = False

    @get("/")
    async def read_metrics(
        self, request: Request[Any, Any, Any], platform: Given[Platform]
    ) -> Response[bytes]:
        """The figures of all processes of this installation, for Prometheus.

        With `HOMESTRETCH_METRICS_TOKEN` for whoever knows it, else for this machine only.
        """
        _require_reader(request, platform)
        return Response(generate_latest(_registry()), media_type=CONTENT_TYPE_LATEST)


async def _state(check: Awaitable[None]) -> State:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await check
    except Exception as error:  # noqa: BLE001 - whatever a part raises, it cannot be used
        _log.warning("not ready", error=type(error).__name__)
        return "down"
    return "ok"


def _require_reader(request: Request[Any, Any, Any], platform: Platform) -> None:
    token = platform.settings.metrics_token
    if token is not None:
        given = bearer_token(request.scope) or ""
        if not hmac.compare_digest(given.encode(), token.reveal().encode()):
            raise Unauthenticated("The figures need their own token.")
        return
    # A proxy on this machine would make everybody look local.
    forwarded = any(name in request.headers for name in _FORWARDING_HEADERS)
    if forwarded or request.client is None or not ipaddress.ip_address(request.client.host).is_loopback:
        raise Forbidden("The figures are for this machine only, unless HOMESTRETCH_METRICS_TOKEN is set.")


def _registry() -> CollectorRegistry:
    """This process's figures, or those of all processes where they share a folder for them."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return registry
