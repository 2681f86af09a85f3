"""The application: every room's controllers, behind one door."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from litestar import Litestar, Router, get
from litestar.response import Redirect

from api import authentication, care, documentation, engagement, idempotency, identity, tus, uploads
from api.audit import AuditController
from api.authentication import BearerAuthentication
from api.authorization import PUBLIC, check_declarations, require_permission
from api.health import HealthController, MetricsController
from api.idempotency import Idempotency
from api.jobs import JobController
from api.media_types import require_json_body
from api.openapi import openapi_config
from api.problems import exception_handlers
from api.rooms import DOCUMENTS, register_jobs
from api.security_headers import SecurityHeaders
from api.static import site
from api.telemetry import Telemetry
from core.idempotency import IdempotencyLedger
from core.platform import Platform, open_platform
from core.settings import Settings
from identity.authority import Authority

_APP_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "media-src 'self' blob:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


def create_app(settings: Settings, platform: Platform | None = None) -> Litestar:
    """The ASGI application. It opens its platform when it starts, unless it is given one that is open.

    Nothing is opened or read before that, so that the API can be described without a database.
    """
    register_jobs()
    versioned = Router(
        "/v1",
        route_handlers=[
            *identity.CONTROLLERS,
            *care.CONTROLLERS,
            *engagement.CONTROLLERS,
            uploads.router,
            JobController,
            AuditController,
        ],
    )
    app = Litestar(
        route_handlers=[
            versioned,
            HealthController,
            MetricsController,
            *documentation.HANDLERS,
            site("/app", "patient", _APP_POLICY),
            _to_the_app,
        ],
        lifespan=[lambda app: _opened(app, settings, platform)],
        on_startup=[check_declarations],
        middleware=[BearerAuthentication(), Idempotency()],
        guards=[require_permission, require_json_body],
        dependencies={**authentication.DEPENDENCIES, **idempotency.DEPENDENCIES},
        exception_handlers=exception_handlers(),
        before_send=[tus.mark_answer],
        openapi_config=openapi_config(),
        request_max_body_size=idempotency.LARGEST_BODY,
        # core.telemetry sets logging up once for the process, and api.problems logs what nobody expected.
        logging_config=None,
    )
    https = settings.external_url.startswith("https:")
    app.asgi_handler = Telemetry(
        SecurityHeaders(app.asgi_handler, https=https), traced=settings.otlp_endpoint is not None
    )
    return app


@asynccontextmanager
async def _opened(app: Litestar, settings: Settings, platform: Platform | None) -> AsyncGenerator[None]:
    opening: AbstractAsyncContextManager[Platform]
    opening = nullcontext(platform) if platform else open_platform(settings, DOCUMENTS)
    async with opening as opened:
        attach(app, opened)
        yield


def attach(app: Litestar, platform: Platform) -> None:
    """Let the application work with an opened platform."""
    app.state.platform = platform
    app.state.authority = Authority.of(platform)
    app.state.idempotency = IdempotencyLedger(platform.database)
    app.state.closing = asyncio.Event()


@get("/", opt=PUBLIC, include_in_schema=False)
async def _to_the_app() -> Redirect:
    """The patient's app is what most people come for."""
    return Redirect("/app")
