"""The built web clients, served from this origin with a policy that lets them load nothing from elsewhere."""

import asyncio
from datetime import timedelta
from mimetypes import guess_type
from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.enums import MediaType
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.status_codes import HTTP_304_NOT_MODIFIED

from api.authorization import PUBLIC
from core.errors import NotFound

CLIENTS = Path(__file__).resolve().parent.parent / "clients"

_TYPES = {".webmanifest": "application/manifest+json", ".wasm": "application/wasm", ".js": "text/javascript"}
_YEAR_S = int(timedelta(days=365).total_seconds())


def site(path: str, client: str, policy: str) -> HTTPRouteHandler:
    """A route that serves `clients/<client>/dist` below `path`, under the content security policy given.

    Addresses without an ending belong to the page itself: they get `index.html`. Files below `assets/` have a
    digest in their name and may be kept for a year; everything else is asked for again.
    """
    root = CLIENTS / client / "dist"

    @get(
        [path, f"{path}/{{file:path}}"],
        name=f"{client}-site",
        opt=PUBLIC,
        include_in_schema=False,
    )
    async def serve(request: Request[Any, Any, Any], file: FromPath[Path] = Path()) -> Response[Any]:
        found = _find(root, file)
        status = found.stat()
        tag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
        headers = {
            "ETag": tag,
            "Cache-Control": _lifetime(found.relative_to(root)),
            "Content-Security-Policy": policy,
        }
        if tag in request.headers.get("if-none-match", ""):
            return Response(
                None, status_code=HTTP_304_NOT_MODIFIED, headers=headers, media_type=MediaType.TEXT
            )
        media_type = _TYPES.get(found.suffix) or guess_type(found.name)[0] or "application/octet-stream"
        return Response(await asyncio.to_thread(found.read_bytes), headers=headers, media_type=media_type)

    return serve


def _find(root: Path, file: Path) -> Path:
    """The file asked for, or the page for an address of the page; `NotFound` for everything else."""
    relative = Path(*[part for part in file.parts if part != "/"])
    wanted = (root / relative).resolve()
    if not wanted.is_relative_to(root):
        raise NotFound("There is nothing at this address.")
    if not wanted.is_file() and not wanted.suffix:
        wanted = root / "index.html"
    if not wanted.is_file():
        if not root.is_dir():
            raise NotFound("This page has not been built here. Type: make run")
        raise NotFound("There is nothing at this address.")
    return wanted


def _lifetime(relative: Path) -> str:
    return f"public, max-age={_YEAR_S}, immutable" if relative.parts[0] == "assets" else "no-cache"
