"""Headers that tell a browser what not to do, on every answer that does not say otherwise itself."""

from litestar.types import ASGIApp, Message, Receive, Scope, Send

_DEFAULTS: tuple[tuple[bytes, bytes], ...] = (
    # Answers of the API are data about people: nobody on the way may keep them.
    (b"cache-control", b"no-store"),
    # Data is no page: if a browser shows it anyway, nothing in it runs and nobody frames it.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    # Addresses hold ids.
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), microphone=(self), geolocation=(), payment=()"),
)
_HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


class SecurityHeaders:
    """An ASGI layer. `https` says that browsers reach us over TLS only, and adds HSTS."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self.app = app
        self.defaults = (*_DEFAULTS, _HSTS) if https else _DEFAULTS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(header for header in self.defaults if header[0] not in given),
                ]
            await send(message)

        await self.app(scope, receive, send_guarded)
