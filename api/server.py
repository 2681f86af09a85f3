"""Serving the application from one process: uvicorn on a socket that is bound already.

One process, no parent of its own: see docs/decisions/0011. Whoever supervises it keeps the socket open across
restarts, so that a client waits a moment instead of being refused.
"""

import gc
import socket
from typing import Literal

import uvicorn
from litestar import Litestar

from api.app import create_app
from core.errors import Invalid
from core.settings import Settings

GRACE_S = 10
"""How long requests that are being answered may take after the server was told to stop."""

_COLLECT_AFTER = 20_000
"""New objects between two collections; Python's own choice, 700, is fewer than one list of 100 makes."""


class PortTaken(Invalid):
    """Another program listens there."""

    code = "port-taken"


def listening_socket(settings: Settings) -> socket.socket:
    """The socket to serve on; port 0 is any free one.

    Raises:
        PortTaken: it is in use, or not ours to use.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # What is accepted inherits this. asyncio's own loop would leave it off for a socket made here: answers on
    # an open connection would wait 40 ms for the client's acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        where = f"{settings.host} port {settings.port}"
        raise PortTaken(f"Cannot listen on {where}: {error.strerror}. Set PORT to another one.") from error
    listener.listen(1024)
    return listener


class ApiServer(uvicorn.Server):
    """Tells open event streams to end before it waits for requests to be answered."""

    def __init__(self, app: Litestar, *, lifespan: Literal["on", "off"] = "on") -> None:
        self.app = app
        super().__init__(
            uvicorn.Config(
                app,
                lifespan=lifespan,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_S,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.app.state.closing.set()
        await super().shutdown(sockets)


def serve(settings: Settings, listener: socket.socket) -> None:
    """Serve until a signal says stop."""
    server = ApiServer(create_app(settings))
    _spare_what_stays()
    server.run(sockets=[listener])


def _spare_what_stays() -> None:
    """Keep the garbage collector away from all that was loaded: it is never garbage.

    Otherwise each long list that is answered sets off a walk through every module and route, which costs more
    than the answer. Fewer, larger collections suit requests that make thousands of objects and drop them all.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
