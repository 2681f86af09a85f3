"""`Idempotency-Key` on every POST: sent again within a day, a request is answered again, not done again.

A signed-in request with a key runs inside one transaction that also claims the key and keeps the answer
(`core.idempotency`): the handler's `access` is that transaction, which every use case joins. After a crash at
any moment the request is either done, and its answer is repeated, or it left no trace and is done now. A
request that was refused changed nothing; its key stays free.

Three kinds of request run under a lease instead: those before sign-in, those whose handler takes no `access`,
and those whose body is too large to be held in memory (uploads).
"""

import copy
from collections.abc import Awaitable, Callable
from typing import Any, cast

from litestar import Request
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.handlers import HTTPRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from api.authentication import provide_access
from api.problems import exception_of, wants_another_attempt
from core.access import Access, Actor, Transaction
from core.errors import FieldFault, Invalid
from core.idempotency import Answer, Asked, IdempotencyLedger
from core.platform import Platform

HEADER = b"idempotency-key"
REPLAYED = (b"idempotent-replayed", b"true")
LARGEST_BODY = 1_000_000
"""Bytes of a request body, except on routes that declare another limit."""

_LONGEST_KEY = 255
_REFUSED = 400
# What tells an upload from another one, as long as its bytes are not compared.
_COMPARED_HEADERS = {b"content-type", b"content-length", b"upload-length", b"upload-metadata"}


class Idempotency(ASGIMiddleware):
    """Stands inside authentication, around the guards and the handler of each POST."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        http = cast("dict[str, Any]", scope)
        key = _key_of(http)
        if http["method"] != "POST" or key is None:
            await next_app(scope, receive, send)
            return
        ledger: IdempotencyLedger = scope["litestar_app"].state.idempotency
        request = _Request(http, receive, next_app, ledger)
        await _send(await request.answered(key), send)


def provide_joined_access(request: Request[Any, Any, Any]) -> Access:
    """The caller's reach into the database: within a request that has a key, the request's transaction."""
    transaction: Transaction | None = request.scope["state"].get("transaction")
    return provide_access(request) if transaction is None else transaction


DEPENDENCIES = {"access": Provide(provide_joined_access, sync_to_thread=False)}
"""Takes the place of authentication's own `access`."""


class _Refused(Exception):
    """Not an error: the way out of a transaction whose request was refused."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class _Request:
    """One POST with a key."""

    def __init__(
        self, scope: dict[str, Any], receive: Receive, app: ASGIApp, ledger: IdempotencyLedger
    ) -> None:
        self.scope = scope
        self.receive = receive
        self.app = app
        self.ledger = ledger
        self.handler = cast("HTTPRouteHandler", scope["route_handler"])
        actor = scope.get("user")
        self.actor = actor if isinstance(actor, Actor) else None

    async def answered(self, key: str) -> Answer:
        streamed = self.handler.resolve_request_max_body_size() != LARGEST_BODY
        body = None if streamed else await self._body()
        asked = self.ledger.asked(self.actor, self.scope["path_template"], key, self._content(body))
        if (before := await self.ledger.find(asked)) is not None:
            return await self._repeated(before)
        with self.ledger.working(asked):
            if body is None or self.actor is None or "access" not in self._parameters():
                return await self._under_lease(asked, body)
            return await self._in_transaction(asked, body)

    async def _in_transaction(self, asked: Asked, body: bytes) -> Answer:
        async def attempt(tx: Transaction) -> Answer:
            if (before := await self.ledger.claim_in(tx, asked)) is not None:
                return await self._repeated(before)
            scope = self._fresh_scope(tx)
            answer = await _collected(self.app, scope, _replayed(body, self.receive))
            if answer.status >= _REFUSED:
                error = exception_of(scope["state"])
                if error is not None and wants_another_attempt(error):
                    raise error
                raise _Refused(answer)
            await self.ledger.keep_in(tx, asked, answer)
            return answer

        platform: Platform = self.scope["litestar_app"].state.platform
        try:
            return await platform.database.transact(cast("Actor", self.actor), attempt)
        except _Refused as refused:
            return refused.answer

    async def _under_lease(self, asked: Asked, body: bytes | None) -> Answer:
        if (before := await self.ledger.lease(asked)) is not None:
            return await self._repeated(before)
        receive = self.receive if body is None else _replayed(body, self.receive)
        try:
            answer = await _collected(self.app, self.scope, receive)
        except BaseException:
            await self.ledger.release(asked)
            raise
        if answer.status < _REFUSED:
            await self.ledger.keep(asked, answer)
        else:
            await self.ledger.release(asked)
        return answer

    async def _repeated(self, answer: Answer) -> Answer:
        """The answer once more, if its reader may still have it: the guards are asked again."""
        handler: Any = self.handler
        await handler.authorize_connection(Request[Any, Any, Any](cast("Scope", self.scope)))
        return Answer(answer.status, [*answer.headers, REPLAYED], answer.body)

    async def _body(self) -> bytes:
        """The whole body, or its first `LARGEST_BODY` bytes and one: the route refuses larger ones."""
        parts: list[bytes] = []
        size = 0
        while size <= LARGEST_BODY:
            message = cast("dict[str, Any]", await self.receive())
            if message["type"] != "http.request":
                break
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if not message.get("more_body", False):
                break
        return b"".join(parts)

    def _content(self, body: bytes | None) -> bytes:
        """Everything that the request asks for, as one string of bytes."""
        compared = [value for name, value in self.scope["headers"] if name in _COMPARED_HEADERS]
        target = [self.scope["path"].encode(), self.scope["query_string"]]
        return b"\x00".join([*target, *compared, body or b""])

    def _parameters(self) -> dict[str, Any]:
        return cast("dict[str, Any]", self.handler.parsed_fn_signature.parameters)

    def _fresh_scope(self, tx: Transaction) -> dict[str, Any]:
        """The scope for one attempt: Litestar remembers in it what it has parsed and sent."""
        state = {name: copy.copy(value) for name, value in self.scope["state"].items()}
        return {**self.scope, "state": {**state, "transaction": tx}}


def _key_of(scope: dict[str, Any]) -> str | None:
    for name, value in scope["headers"]:
        if name == HEADER:
            key = value.decode("latin-1")
            if 1 <= len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable() and " " not in key:
                return key
            fault = FieldFault("/Idempotency-Key", f"expected 1 to {_LONGEST_KEY} visible ASCII characters")
            raise Invalid("The Idempotency-Key is not valid.", [fault])
    return None


async def _collected(app: ASGIApp, scope: dict[str, Any], receive: Receive) -> Answer:
    """What the route answers, held back until it may be sent."""
    status = 0
    headers: list[tuple[bytes, bytes]] = []
    body: list[bytes] = []

    async def collect(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = int(message["status"]), list(message["headers"])
        elif message["type"] == "http.response.body":
            body.append(message["body"])

    await app(cast("Scope", scope), receive, collect)
    return Answer(status, headers, b"".join(body))


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that hands over the body, and after it whatever the connection says."""
    sent = False

    async def replay() -> Any:  # noqa: ANN401 - an ASGI message
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return cast("Callable[[], Awaitable[Any]]", replay)


async def _send(answer: Answer, send: Send) -> None:
    await send(
        cast("Any", {"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    )
    await send(cast("Any", {"type": "http.response.body", "body": answer.body, "more_body": False}))
