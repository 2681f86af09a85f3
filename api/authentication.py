"""From the `Authorization` header to an `Access`: who is asking, before any handler runs.

The application keeps `Platform` and `Authority` in its state, under `platform` and `authority`. The
middleware sets `connection.user` to the `Actor` and `connection.auth` to the `Caller`. Handlers ask
for an `Access` by name:

    async def today(access: Given[Access], ...) -> Today: ...
"""

from dataclasses import replace
from typing import Any

from litestar import Request
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from api.authorization import permission_of
from core.access import Access
from core.errors import Unauthenticated
from core.platform import Platform
from identity.authority import Authority
from identity.callers import Caller
from identity.policy import Permission
from identity.tokens import InvalidToken

_SCHEME = b"bearer "


class BearerAuthentication(ASGIMiddleware):
    """Reads the bearer token of every request to a route that is not public.

    A request without a token passes on without a caller, for the guard to refuse.
    """

    scopes = (ScopeType.HTTP, ScopeType.WEBSOCKET, ScopeType.ASGI)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if permission_of(scope["route_handler"]) is not Permission.PUBLIC:
            token = bearer_token(scope)
            if token is not None:
                authority: Authority = scope["litestar_app"].state.authority
                caller = await authority.callers.caller(token)
                request_id: object = scope["state"].get("request_id")
                if isinstance(request_id, str):
                    caller = replace(caller, actor=replace(caller.actor, request_id=request_id))
                scope["user"] = caller.actor
                scope["auth"] = caller
        await next_app(scope, receive, send)


def bearer_token(scope: Scope) -> str | None:
    """The token of the `Authorization` header (RFC 6750), or None; `Unauthenticated` if malformed."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            if value[: len(_SCHEME)].lower() != _SCHEME:
                raise Unauthenticated("Use a bearer token.")
            try:
                return value[len(_SCHEME) :].decode("ascii").strip()
            except UnicodeDecodeError as error:
                raise InvalidToken from error
    return None


def challenge(error: Unauthenticated) -> str:
    """The `WWW-Authenticate` header of a 401; names an error only if a token came (RFC 6750, section 3)."""
    if error.code == InvalidToken.code:
        return f'Bearer realm="homestretch", error="invalid_token", error_description="{error.detail}"'
    return 'Bearer realm="homestretch"'


def provide_access(request: Request[Any, Any, Any]) -> Access:
    """The caller's reach into the database."""
    platform: Platform = request.app.state.platform
    return platform.database.access(request.user)


def provide_caller(request: Request[Any, Any, Any]) -> Caller:
    """The caller with the permissions of this sign-in."""
    return request.auth


def provide_authority(request: Request[Any, Any, Any]) -> Authority:
    """What lets people in, for the routes of identity."""
    return request.app.state.authority


def provide_platform(request: Request[Any, Any, Any]) -> Platform:
    """Everything the process has opened: for the few routes that act before anyone is signed in."""
    return request.app.state.platform


DEPENDENCIES = {
    "access": Provide(provide_access, sync_to_thread=False),
    "authority": Provide(provide_authority, sync_to_thread=False),
    "caller": Provide(provide_caller, sync_to_thread=False),
    "platform": Provide(provide_platform, sync_to_thread=False),
}
"""For `Litestar(dependencies=...)`."""
