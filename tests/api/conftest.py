"""The whole API on a real socket, with an empty real database for each test."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx
import pytest
from litestar import Litestar

from api.app import attach, create_app
from api.server import ApiServer
from core.platform import Platform
from core.settings import Settings
from identity.authority import Authority
from tests.identity.practice import PASSWORD, Practice


@dataclass(frozen=True)
class Api:
    """A running application, and where."""

    app: Litestar
    url: str


@pytest.fixture(scope="session")
async def running_api() -> AsyncGenerator[Api]:
    """One server for the whole run; what it works with is attached by each test."""
    app = create_app(Settings())
    listener = socket.create_server(("127.0.0.1", 0))
    # asyncio would not, for a socket made like this: each answer on an open connection would wait 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = ApiServer(app, lifespan="off")
    # `serve` would take over the signals of the test run.
    serving = asyncio.create_task(server._serve([listener]))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    while not server.started:  # noqa: ASYNC110 - uvicorn says so in a plain attribute
        await asyncio.sleep(0.01)
    yield Api(app, f"http://127.0.0.1:{listener.getsockname()[1]}")
    server.should_exit = True
    await serving


@pytest.fixture
def api(running_api: Api, platform: Platform) -> Api:
    """The running API, working with this test's platform."""
    attach(running_api.app, platform)
    return running_api


@pytest.fixture
async def anonymous(api: Api) -> AsyncGenerator[httpx.AsyncClient]:
    """A client that has not signed in."""
    async with httpx.AsyncClient(base_url=api.url) as client:
        yield client


@pytest.fixture
async def practice(api: Api) -> Practice:
    """An organization with two locations."""
    authority: Authority = api.app.state.authority
    return await Practice.open(authority)


class Door:
    """Lets people of the practice in, over HTTP."""

    def __init__(self, api: Api, practice: Practice, stack: AsyncExitStack) -> None:
        self.api = api
        self.practice = practice
        self.stack = stack
        self.hired = 0

    async def staff(self, *roles: str, location_ids: list[str] | None = None) -> httpx.AsyncClient:
        """A client signed in as a new member of staff with these roles, at all locations unless given."""
        self.hired += 1
        email = f"colleague-{self.hired}@larkspur.example"
        await self.practice.hire(email, roles=roles, location_ids=location_ids)
        client = await self.stack.enter_async_context(httpx.AsyncClient(base_url=self.api.url))
        answer = await client.post("/v1/auth/sign-in", json={"email": email, "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {answer.json()['tokens']['access_token']}"
        return client


@pytest.fixture
async def door(api: Api, practice: Practice) -> AsyncGenerator[Door]:
    async with AsyncExitStack() as stack:
        yield Door(api, practice, stack)
