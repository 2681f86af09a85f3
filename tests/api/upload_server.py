"""The upload routes alone, on a real socket: within the test's process, or in one of its own to be killed.

Whoever calls is who the bearer token says. Clips are uploaded for the purpose `clip`, about the patient that
the metadata names or else the caller. Each takeover leaves a row in the collection `takeovers`: a second one
would show.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from litestar import Litestar, Router
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from api import tus, uploads
from api.authentication import DEPENDENCIES, bearer_token
from api.authorization import require_permission
from api.problems import exception_handlers
from core import jobs
from core.access import Access, Actor, Transaction
from core.mongo import raw_collection
from core.platform import Platform, open_platform
from core.settings import load_settings
from core.storage import documents, writing
from core.storage.documents import Upload
from core.storage.uploads import UploadSubject, on_upload_begin, on_upload_complete
from identity.callers import Caller
from identity.policy import permissions_of

PURPOSE = "clip"


def token(organization_id: str, kind: str, actor_id: str, role: str = "", location: str = "") -> str:
    """What `Introductions` believes."""
    return f"{organization_id}/{kind}/{actor_id}/{role}/{location}"


class Introductions(ASGIMiddleware):
    """Believes every caller."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if (claim := bearer_token(scope)) is not None:
            organization_id, kind, actor_id, role, location = claim.split("/")
            actor = Actor(
                organization_id,
                "patient" if kind == "patient" else "staff",
                actor_id,
                roles=frozenset({role} if role else {kind}),
                location_ids=frozenset({location}) if location else None,
            )
            scope["user"] = actor
            scope["auth"] = Caller(actor, permissions_of(actor))
        await next_app(scope, receive, send)


def create_app(platform: Platform) -> Litestar:
    app = Litestar(
        [Router("/v1", route_handlers=[uploads.router])],
        middleware=[Introductions()],
        guards=[require_permission],
        dependencies=DEPENDENCIES,
        exception_handlers=exception_handlers(),
        before_send=[tus.mark_answer],
    )
    app.state.platform = platform
    return app


@asynccontextmanager
async def served(app: Litestar) -> AsyncGenerator[str]:
    """The address of `app` while it is served on a free port, in this process."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # asyncio would not, for a socket made like this: each answer on an open connection would wait 40 ms.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = _Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to the test run."""
        yield


async def _begin(access: Access, metadata: Mapping[str, str]) -> UploadSubject:
    patient_id = metadata.get("patient_id", access.actor.id)
    return UploadSubject(patient_id, metadata.get("location_id", "loc_north"))


async def _complete(tx: Transaction, upload: Upload) -> str | None:
    row: dict[str, Any] = {"organization_id": tx.organization_id, "upload_id": upload.id}
    await raw_collection(tx.database, "takeovers").insert_one(row, session=tx.session)
    return f"job_for_{upload.id}"


on_upload_begin(PURPOSE, _begin)
on_upload_complete(PURPOSE, _complete)


async def main() -> None:
    """Serve with the settings of the environment, until killed. Leases are short, so that tests are quick."""
    writing.LEASE_S = 1.0
    settings = load_settings()
    async with open_platform(settings, [*documents.DOCUMENTS, *jobs.DOCUMENTS]) as platform:
        config = uvicorn.Config(create_app(platform), port=settings.port, log_level="error", lifespan="off")
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    os.umask(0o077)
    asyncio.run(main())
