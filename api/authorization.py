"""Every route declares one permission, and nobody passes without it.

    @get("/patients/{patient_id:str}", opt=needs(Permission.PATIENT_READ))

Denial is the default: `require_permission`, the application's guard, refuses a route that declares nothing,
and `check_declarations` stops such an application from starting.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.routes import HTTPRoute

from core.errors import Forbidden, Unauthenticated
from identity.callers import Caller
from identity.policy import Permission

OPTION = "permission"


def needs(permission: Permission) -> dict[str, Permission]:
    """The `opt` of a handler or controller that requires `permission`."""
    return {OPTION: permission}


PUBLIC = needs(Permission.PUBLIC)
"""The `opt` of a route that anyone may call without signing in."""


def permission_of(handler: BaseRouteHandler) -> Permission | None:
    """The permission a route declares, or None where it declares none."""
    declared: object = handler.opt.get(OPTION)
    if isinstance(declared, Permission):
        return declared
    return Permission.PUBLIC if _answers_only_which_methods(handler) else None


async def require_permission(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """The guard of the whole application: `Unauthenticated` without a token, `Forbidden` without the right.

    Whose data is reached is not decided here but in the repository, which answers `NotFound`. It awaits
    nothing, and is a coroutine all the same: Litestar sends other guards through a thread on every request.
    """
    permission = permission_of(handler)
    if permission is Permission.PUBLIC:
        return
    if "auth" not in connection.scope:
        raise Unauthenticated("Sign in first.")
    caller: Caller = connection.scope["auth"]
    if permission is None or permission not in caller.permissions:
        raise Forbidden("Your role does not allow this.")


def route_handlers(app: Litestar) -> Iterator[BaseRouteHandler]:
    """Every handler of the application, whatever it speaks."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            yield from route.route_handlers
        else:
            yield route.route_handler


def undeclared(handlers: Iterable[BaseRouteHandler]) -> list[str]:
    """Names of the handlers that declare no permission."""
    return sorted({str(handler) for handler in handlers if permission_of(handler) is None})


def check_declarations(app: Litestar) -> None:
    """An `on_startup` hook: refuse to start while any route declares no permission."""
    if missing := undeclared(route_handlers(app)):
        raise RuntimeError(f"These routes declare no permission: {', '.join(missing)}")


def _answers_only_which_methods(handler: BaseRouteHandler) -> bool:
    """Whether this is the OPTIONS handler that Litestar adds to each path; it reveals no data."""
    return (
        isinstance(handler, HTTPRouteHandler)
        and handler.http_methods == {"OPTIONS"}
        and handler.fn.__module__ == HTTPRoute.__module__
    )
