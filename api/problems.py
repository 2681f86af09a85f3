"""Every error as a problem detail (RFC 9457), in one place.

A problem never repeats what the caller sent, since that may be about a patient: it names fields by JSON
pointer (RFC 6901) and describes what they should have been. What nobody expected is a 500 that carries the id
of the request and nothing else; the log has the rest under that id.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.params import ParameterKwarg
from litestar.status_codes import HTTP_401_UNAUTHORIZED, HTTP_500_INTERNAL_SERVER_ERROR

from api.authentication import challenge
from core.errors import (
    Conflict,
    FieldFault,
    Forbidden,
    HomestretchError,
    Invalid,
    Locked,
    NotFound,
    Stale,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_UNAVAILABLE_S = 5

Place = Literal["body", "query", "path", "header", "cookie"]

_log = structlog.get_logger("homestretch.api")


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong with the request."""

    pointer: str
    """JSON pointer into the body, or `/name` of a parameter."""
    detail: str
    location: Place = "body"


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem detail. `type` identifies the kind of problem and leads to its description."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    """Names this occurrence: quote it when asking for help. The log has the same id."""
    errors: list[Fault] = []


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: its status, its title, and what the caller can do about it."""

    code: str
    status: int
    title: str
    remedy: str


KINDS: tuple[Kind, ...] = (
    Kind("malformed", 400, "The request cannot be read", "Send a request that follows the API description."),
    Kind("unauthenticated", 401, "Sign in first", "Send a valid access token, or refresh it."),
    Kind("forbidden", 403, "Not allowed", "Ask somebody whose role allows it."),
    Kind("not-found", 404, "Not found", "Check the address. What is not yours to see is not found either."),
    Kind("method-not-allowed", 405, "Method not allowed", "Use a method that the Allow header names."),
    Kind("not-acceptable", 406, "Not available in that form", "Accept a media type that the route produces."),
    Kind("conflict", 409, "It conflicts with the present state", "Read the present state, then decide."),
    Kind("gone", 410, "No longer there", "Start again: it has expired or was deleted."),
    Kind("stale", 412, "Somebody changed it since", "Read it again, then repeat with its new ETag."),
    Kind("too-large", 413, "Too large", "Send less."),
    Kind("unsupported-media-type", 415, "Unsupported media type", "Send a media type that the route reads."),
    Kind("invalid", 422, "Some fields are not valid", "Correct the fields listed under errors and repeat."),
    Kind("locked", 423, "Another request is at it", "Wait a moment, then try again."),
    Kind("precondition-required", 428, "A condition is missing", "Send the ETag you read in If-Match."),
    Kind("too-many-requests", 429, "Too many requests", "Wait for the seconds in Retry-After."),
    Kind("internal", 500, "Our fault", "Try again later; quote the instance when asking for help."),
    Kind("unavailable", 503, "Not available at the moment", "Wait for the seconds in Retry-After."),
)

_KIND_OF_STATUS = {kind.status: kind for kind in KINDS}
_STATUS_OF_ERROR: tuple[tuple[type[HomestretchError], int], ...] = (
    (Unauthenticated, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Stale, 412),
    (Conflict, 409),
    (Invalid, 422),
    (Locked, 423),
    (TooManyRequests, 429),
    (Unavailable, 503),
)


class PreconditionRequired(HomestretchError):
    """An update that did not say which version it is based on."""

    code = "precondition-required"


def exception_handlers() -> dict[int | type[Exception], Callable[..., Response[Problem]]]:
    """Litestar's table: every exception becomes a problem detail."""
    return {HomestretchError: _expected, HTTPException: _http, Exception: _unexpected}


def problem_response(
    request: Request[Any, Any, Any],
    status: int,
    detail: str,
    *,
    code: str | None = None,
    faults: list[Fault] | None = None,
    headers: dict[str, str] | None = None,
) -> Response[Problem]:
    """A problem of the kind that `status` stands for, or of a finer one named by `code`."""
    kind = _KIND_OF_STATUS.get(
        status, _KIND_OF_STATUS[500 if status >= HTTP_500_INTERNAL_SERVER_ERROR else 400]
    )
    problem = Problem(
        type=f"/problems/{code or kind.code}",
        title=kind.title,
        status=status,
        detail=detail,
        instance=f"urn:homestretch:request:{request_id_of(request)}",
        errors=faults or [],
    )
    return Response(problem, status_code=status, media_type=PROBLEM_JSON, headers=headers)


def request_id_of(request: Request[Any, Any, Any]) -> str:
    """The id under which this request is logged."""
    return str(request.scope["state"].get("request_id", "unknown"))


def wants_another_attempt(error: Exception) -> bool:
    """Whether the database asks for the transaction around it to be run again."""
    asks = getattr(error, "has_error_label", None)
    return bool(asks and asks("TransientTransactionError"))


def exception_of(scope_state: dict[str, Any]) -> Exception | None:
    """The exception that the response of this request was made from, if it was made from one."""
    return cast("Exception | None", scope_state.get("exception"))


def _expected(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    _remember(request, error)
    fault = cast("HomestretchError", error)
    status = _status_of(fault)
    headers: dict[str, str] = {}
    if isinstance(fault, Unauthenticated):
        headers["WWW-Authenticate"] = challenge(fault)
    if isinstance(fault, TooManyRequests):
        headers["Retry-After"] = str(max(1, round(fault.retry_after_s)))
    if isinstance(fault, Unavailable):
        headers["Retry-After"] = str(RETRY_AFTER_UNAVAILABLE_S)
    faults = [_fault(found) for found in fault.faults] if isinstance(fault, Invalid) else None
    return problem_response(request, status, fault.detail, code=fault.code, faults=faults, headers=headers)


def _http(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Litestar's own errors. Their texts may repeat the request, so only their status is trusted."""
    _remember(request, error)
    raised = cast("HTTPException", error)
    if isinstance(raised, ValidationException):
        faults = [_fault_of_message(message, request) for message in _messages(raised)]
        return problem_response(request, 422, "The request has fields that are not valid.", faults=faults)
    if raised.status_code >= HTTP_500_INTERNAL_SERVER_ERROR:
        return _unexpected(request, error)
    headers = {name: value for name, value in (raised.headers or {}).items() if name.lower() in _SAFE_HEADERS}
    if raised.status_code == HTTP_401_UNAUTHORIZED:
        headers.setdefault("WWW-Authenticate", challenge(Unauthenticated("")))
    detail = _DETAILS.get(raised.status_code, "The request cannot be served.")
    return problem_response(request, raised.status_code, detail, headers=headers)


def _unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    _remember(request, error)
    if not ("transaction" in request.scope["state"] and wants_another_attempt(error)):
        _log.error("unexpected error", error=type(error).__name__, exc_info=error)
    return problem_response(request, 500, "Something went wrong on our side. It has been logged.")


_SAFE_HEADERS = {"allow", "retry-after", "www-authenticate"}
_DETAILS = {
    400: "The request body or one of its headers cannot be read.",
    401: "This needs a valid access token.",
    403: "Your role does not allow this.",
    404: "There is nothing at this address.",
    405: "This address does not know that method.",
    413: "The request body is larger than this address accepts.",
    415: "This address does not read that media type.",
    429: "Too many requests.",
}


def _remember(request: Request[Any, Any, Any], error: Exception) -> None:
    """Leave the exception where the layers around the route find it: they see only the response."""
    request.scope["state"]["exception"] = error


def _status_of(error: HomestretchError) -> int:
    if isinstance(error, PreconditionRequired):
        return 428
    return next((status for kind, status in _STATUS_OF_ERROR if isinstance(error, kind)), 400)


def _fault(found: FieldFault) -> Fault:
    return Fault(pointer=found.pointer, detail=found.detail)


def _messages(error: ValidationException) -> list[dict[str, Any]]:
    return [item for item in error.extra if isinstance(item, dict)] if isinstance(error.extra, list) else []


# msgspec says what it wanted in these forms, and in them alone it does not quote what it got.
_SAFE_MESSAGE = re.compile(
    r"Expected `(?P<wanted>[^`]+)`(?: of length)?(?P<bound> [<>=]+ [-\d.]+)?(?P<pattern> matching regex)?"
)
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]+)`")
_UNKNOWN = re.compile(r"Object contains unknown field")
_ENUM = re.compile(r"Invalid enum value")
_STEP = re.compile(r"\[(\d+|\.\.\.)\]")


def _fault_of_message(message: dict[str, Any], request: Request[Any, Any, Any]) -> Fault:
    text = str(message.get("message", ""))
    location = _location(message.get("source"))
    key = str(message.get("key", ""))
    if location == "body":
        pointer = "" if key == "data" else _pointer(key)
    else:
        pointer = f"/{_sent_name(key, request)}"
    if missing := _MISSING.search(text):
        return Fault(pointer=f"{pointer}/{missing['name']}", detail="is required", location=location)
    return Fault(pointer=pointer, detail=_described(text), location=location)


def _described(text: str) -> str:
    if _UNKNOWN.search(text):
        return "has a field that is not known here"
    if _ENUM.search(text):
        return "is not one of the allowed values"
    if "Missing required" in text:
        return "is required"
    if wanted := _SAFE_MESSAGE.search(text):
        if wanted["pattern"]:
            return "does not have the expected form"
        length = " of length" if "of length" in text else ""
        return f"expected {wanted['wanted']}{length}{wanted['bound'] or ''}"
    return "is not valid"


def _location(source: object) -> Place:
    match str(getattr(source, "value", source)):
        case "body" | "path" | "header" | "cookie" as place:
            return place
        case _:
            return "query"


def _sent_name(parameter: str, request: Request[Any, Any, Any]) -> str:
    """What a handler's parameter is called in a request: `since` may arrive as `from`."""
    field = request.route_handler.parsed_fn_signature.parameters.get(parameter)
    declared: object = None if field is None else field.kwarg_definition
    return (declared.name if isinstance(declared, ParameterKwarg) else None) or parameter


def _pointer(key: str) -> str:
    """`prescriptions[0].sets` as `/prescriptions/0/sets`."""
    return "".join(f"/{step}" for step in _STEP.sub(r".\1", key).split(".") if step)
