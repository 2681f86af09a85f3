"""A JSON route reads JSON, and says so with a 415 when it is sent something else."""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.enums import RequestEncodingType
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.params import BodyKwarg
from litestar.status_codes import HTTP_415_UNSUPPORTED_MEDIA_TYPE


async def require_json_body(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """A guard of the whole application. Without it, Litestar would read any body as JSON.

    A coroutine for the reason that `api.authorization.require_permission` gives.
    """
    if not _reads_json(handler):
        return
    media_type = connection.headers.get("content-type", "").partition(";")[0].strip().lower()
    has_body = (
        connection.headers.get("content-length", "0") != "0" or "transfer-encoding" in connection.headers
    )
    if media_type == RequestEncodingType.JSON or media_type.endswith("+json"):
        return
    if media_type or has_body:
        raise HTTPException(status_code=HTTP_415_UNSUPPORTED_MEDIA_TYPE)


def _reads_json(handler: BaseRouteHandler) -> bool:
    body = handler.parsed_fn_signature.parameters.get("data")
    if body is None:
        return False
    declared: object = body.kwarg_definition
    return not isinstance(declared, BodyKwarg) or declared.media_type == RequestEncodingType.JSON
