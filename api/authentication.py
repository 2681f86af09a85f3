"""From the `Authorization` header to an `Access`: who is asking, before any handler runs.

The middleware sets `connection.user` to the `Actor` and `connection.auth` to the `Caller`. Handlers ask
for an `Access` by name:

    async def today(access: NamedDependency[Access], ...) -> Today: ...
"""

from dataclasses import replace
from typing import Any, Protocol

from litestar import Request
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from api.authorization import permission_of
from core.access import Access
from core.errors import Unauthenticated
from core.platform import Platform
from identity.callers import Caller
from identity.policy import Permission

_SCHEME = b"bearer "


class VerifiesTokens(Protocol):
    """What the middleware needs from identity: see `identity.authentication.Authenticator`."""

    async def caller(self, token: str) -> Caller:
        """Who a valid access token stands for; `Unauthenticated` for any other."""
        ...


class BearerAuthentication(ASGIMiddleware):
    """Reads the bearer token of every request to a route that is not public.

    A request without a token passes on without a caller, for the guard to refuse.
    """

    scopes = (ScopeType.HTTP, ScopeType.WEBSOCKET, ScopeType.ASGI)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if permission_of(scope["route_handler"]) is not Permission.PUBLIC:
            token = bearer_token(scope)
            if token is not None:
                verifier: VerifiesTokens = scope["litestar_app"].state.authenticator
                caller = await verifier.caller(token)
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
                raise Unauthenticated("Use a bearer token.", code="invalid-token")
            try:
                return value[len(_SCHEME) :].decode("ascii").strip()
            except UnicodeDecodeError as error:
                raise Unauthenticated("The token is malformed.", code="invalid-token") from error
    return None


def challenge(error: Unauthenticated) -> str:
    """The `WWW-Authenticate` header of a 401; names an error only if a token came (RFC 6750, section 3)."""
    if error.code == "unauthenticated":
        return 'Bearer realm="homestretch"'
    return f'Bearer realm="homestretch", error="invalid_token", error_description="{error.detail}"'


def provide_access(request: Request[Any, Any, Any]) -> Access:
    """The caller's reach into the database."""
    platform: Platform = request.app.state.platform
    return platform.database.access(request.user)


def provide_caller(request: Request[Any, Any, Any]) -> Caller:
    """The caller with the permissions of this sign-in."""
    return request.auth


def provide_platform(request: Request[Any, Any, Any]) -> Platform:
    """Everything the process has opened: for the few routes that act before anyone is signed in."""
    return request.app.state.platform


DEPENDENCIES = {
    "access": Provide(provide_access, sync_to_thread=False),
    "caller": Provide(provide_caller, sync_to_thread=False),
    "platform": Provide(provide_platform, sync_to_thread=False),
}
"""For `Litestar(dependencies=...)`."""
