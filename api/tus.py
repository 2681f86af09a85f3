"""The tus protocol, version 1.0.0: its headers, what each of its answers means, and how they are documented.

The routes are in `api.uploads`. The protocol is at https://tus.io/protocols/resumable-upload.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

from litestar import Request, Response
from litestar.datastructures import ResponseHeader
from litestar.enums import HttpMethod
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import (
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Parameter,
    RequestBody,
    Schema,
)
from litestar.params import HeaderParameter
from litestar.types import Message, Scope

from api.problems import PROBLEM_JSON, Problem, request_id_of
from core.errors import HomestretchError
from core.storage.errors import (
    ChecksumMismatch,
    OffsetMismatch,
    SenderGone,
    TooLarge,
    UnsupportedContent,
    UploadGone,
)
from core.storage.uploads import Checksum

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,expiration,checksum,termination"
CONTENT_TYPE = "application/offset+octet-stream"
CHECKSUM_ALGORITHMS: Mapping[str, tuple[Literal["sha1", "sha256"], int]] = {
    "sha1": ("sha1", 20),
    "sha256": ("sha256", 32),
}
"""Name, and bytes of a digest."""


class UnsupportedVersion(HomestretchError):
    code = "tus-version"


class WrongContentType(HomestretchError):
    code = "unsupported-media-type"


class MalformedChecksum(HomestretchError):
    code = "malformed"


UploadLength = Annotated[
    int, HeaderParameter(name="Upload-Length", ge=0, description="Bytes of the whole file.")
]
UploadOffset = Annotated[
    int, HeaderParameter(name="Upload-Offset", ge=0, description="Number of the first byte sent here.")
]
UploadMetadata = Annotated[
    str | None,
    HeaderParameter(
        name="Upload-Metadata",
        required=False,
        description="Comma-separated keys, each with a Base64 value: `exercise_session_id`, `filename`, "
        "`filetype`, `purpose` (`exercise_video` unless given).",
    ),
]
UploadChecksum = Annotated[
    str | None,
    HeaderParameter(
        name="Upload-Checksum",
        required=False,
        description="`sha1` or `sha256`, a space, and the digest of this request's bytes in Base64.",
    ),
]
MethodOverride = Annotated[
    Literal["PATCH", "DELETE"],
    HeaderParameter(name="X-HTTP-Method-Override", description="The method that this request stands for."),
]


_REFUSALS: Mapping[type[HomestretchError], tuple[int, str]] = {
    MalformedChecksum: (400, "The checksum cannot be read"),
    SenderGone: (408, "The connection was lost"),
    OffsetMismatch: (409, "Not the byte expected next"),
    UploadGone: (410, "No longer there"),
    UnsupportedVersion: (412, "Another version of the tus protocol"),
    TooLarge: (413, "Too large"),
    WrongContentType: (415, "Unsupported media type"),
    UnsupportedContent: (415, "Not a video"),
    ChecksumMismatch: (460, "The checksum does not match"),
}


def require_version(request: Request[Any, Any, Any]) -> None:
    """A `before_request` hook: the version comes before anything else, as the protocol demands."""
    if request.method != HttpMethod.OPTIONS and request.headers.get("Tus-Resumable") != VERSION:
        raise UnsupportedVersion(f"Send Tus-Resumable: {VERSION}.")


async def mark_answer(message: Message, scope: Scope) -> None:
    """A `before_send` hook of the application: answers about uploads, errors included, name the version."""
    if message["type"] == "http.response.start" and "/uploads" in scope["path"]:
        message["headers"] = [*message["headers"], (b"tus-resumable", VERSION.encode())]


def refusal(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """The problem detail, status and headers that the protocol asks for."""
    request.scope["state"]["exception"] = error
    fault = cast("HomestretchError", error)
    status, title = next(answer for kind, answer in _REFUSALS.items() if isinstance(fault, kind))
    headers: dict[str, str] = {}
    if isinstance(fault, OffsetMismatch):
        headers["Upload-Offset"] = str(fault.offset)
    if isinstance(fault, UnsupportedVersion):
        headers["Tus-Version"] = VERSION
    if isinstance(fault, SenderGone):
        headers["Connection"] = "close"
    problem = Problem(
        type=f"/problems/{fault.code}",
        title=title,
        status=status,
        detail=fault.detail,
        instance=f"urn:homestretch:request:{request_id_of(request)}",
    )
    return Response(problem, status_code=status, media_type=PROBLEM_JSON, headers=headers)


REFUSAL_HANDLERS: dict[int | type[Exception], Any] = dict.fromkeys(_REFUSALS, refusal)
"""The `exception_handlers` of the routes."""


def parse_checksum(header: str | None) -> Checksum | None:
    """`Upload-Checksum`; `MalformedChecksum` if it cannot be read."""
    if header is None:
        return None
    name, _, encoded = header.strip().partition(" ")
    if name not in CHECKSUM_ALGORITHMS:
        raise MalformedChecksum("Use sha1 or sha256.")
    algorithm, length = CHECKSUM_ALGORITHMS[name]
    try:
        digest = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise MalformedChecksum("The digest is not Base64.") from error
    if len(digest) != length:
        raise MalformedChecksum("The digest has the wrong length.")
    return Checksum(algorithm, digest)


@dataclass
class HeadersOnly(Operation):
    """The documentation of a request that is answered by headers alone, unless it is refused."""

    def __post_init__(self) -> None:
        """Remove the JSON `null` that Litestar takes an empty answer for."""
        for status, response in (self.responses or {}).items():
            if status.startswith("2") and isinstance(response, OpenAPIResponse):
                response.content = None


@dataclass
class TusOperation(HeadersOnly):
    """The documentation of a request that must name the protocol's version."""

    def __post_init__(self) -> None:
        """Declare the header that `require_version` reads."""
        super().__post_init__()
        version = Parameter(
            name="Tus-Resumable",
            param_in="header",
            required=True,
            schema=Schema(type=OpenAPIType.STRING, const=VERSION),
            description=_HEADERS["Tus-Resumable"],
        )
        self.parameters = [*(self.parameters or []), version]


@dataclass
class TusSending(TusOperation):
    """The documentation of a request whose body is a stretch of the file."""

    def __post_init__(self) -> None:
        """Declare the body, which the handler reads from the socket itself."""
        super().__post_init__()
        schema = Schema(type=OpenAPIType.STRING, content_media_type=CONTENT_TYPE)
        self.request_body = RequestBody(content={CONTENT_TYPE: OpenAPIMediaType(schema=schema)})


def says(*names: str) -> Sequence[ResponseHeader]:
    """The documentation of response headers."""
    return [
        ResponseHeader(name=name, documentation_only=True, description=_HEADERS[name])
        for name in ("Tus-Resumable", *names)
    ]


def refuses(*statuses: int) -> dict[int, ResponseSpec]:
    """The documentation of the answers in which this protocol differs from the rest of the API."""
    return {
        status: ResponseSpec(
            Problem, generate_examples=False, description=_ANSWERS[status], media_type=PROBLEM_JSON
        )
        for status in statuses
    }


_HEADERS = {
    "Tus-Resumable": f"The protocol's version: `{VERSION}`.",
    "Tus-Version": "The versions supported.",
    "Tus-Extension": "The extensions supported.",
    "Tus-Max-Size": "Bytes of the largest file accepted.",
    "Tus-Checksum-Algorithm": "The algorithms for `Upload-Checksum`.",
    "Location": "Where to send the file.",
    "Upload-Offset": "Bytes that are safely stored: continue with the byte of this number.",
    "Upload-Length": "Bytes of the whole file.",
    "Upload-Metadata": "The metadata given at creation.",
    "Upload-Expires": "Until when the upload can be continued.",
    "Homestretch-Job": "The job that works on the completed upload: see `/v1/jobs/{id}`.",
}
_ANSWERS = {
    400: "`Upload-Checksum` cannot be read.",
    404: "There is no such upload for you.",
    408: "The connection was lost or silent for 20 seconds. What had arrived is kept.",
    409: "Another byte is expected: `Upload-Offset` says which. A complete upload cannot be given up.",
    410: "The upload was given up, refused, or not finished in time.",
    412: "`Tus-Resumable` is missing or names another version than `Tus-Version`.",
    413: "The file is larger than `Tus-Max-Size`, or more bytes came than announced.",
    415: "The content is not a video, or `Content-Type` is not `application/offset+octet-stream`.",
    423: "Another request is sending to this upload.",
    460: "The bytes do not match `Upload-Checksum`; none of them is kept.",
}
