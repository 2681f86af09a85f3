"""The API description, the page that shows it, and the descriptions that problem details point to."""

import asyncio
from functools import lru_cache
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, get
from litestar.enums import MediaType
from litestar.params import FromPath

from api.authorization import PUBLIC
from api.openapi import describe
from api.problems import KINDS
from api.static import site
from core.errors import NotFound

# Swagger UI styles some of its elements in place; scripts come from this origin alone.
_REFERENCE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_LINE = "{kind.code} ({kind.status})\n    {kind.title}. {kind.remedy}\n"


@get("/openapi.json", opt=PUBLIC, include_in_schema=False)
async def openapi_document(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The whole description."""
    return Response(
        await asyncio.to_thread(encoded_description, request.app),
        media_type="application/vnd.oai.openapi+json",
        headers={"Cache-Control": "no-cache"},
    )


@get("/problems", opt=PUBLIC, include_in_schema=False)
async def problem_kinds() -> Response[str]:
    """All kinds of problems."""
    return Response("\n".join(_LINE.format(kind=kind) for kind in KINDS), media_type=MediaType.TEXT)


@get("/problems/{code:str}", opt=PUBLIC, include_in_schema=False)
async def problem_kind(code: FromPath[str]) -> Response[str]:
    """One kind of problem: where the `type` of a problem detail leads."""
    for kind in KINDS:
        if kind.code == code:
            return Response(_LINE.format(kind=kind), media_type=MediaType.TEXT)
    raise NotFound("This kind of problem has no description of its own; its title and detail say it all.")


@lru_cache(maxsize=4)
def encoded_description(app: Litestar) -> bytes:
    """The API description of an application, encoded once."""
    return msgspec.json.format(msgspec.json.encode(describe(app)), indent=1)


HANDLERS = [openapi_document, problem_kinds, problem_kind, site("/docs", "reference", _REFERENCE_POLICY)]
