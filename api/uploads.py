"""Resumable uploads by the tus protocol, straight from the socket into encrypted storage.

    POST   /v1/uploads         announce a file of Upload-Length bytes; Location says where to send it
    PATCH  /v1/uploads/{id}    send bytes from Upload-Offset on
    HEAD   /v1/uploads/{id}    ask where to continue
    DELETE /v1/uploads/{id}    give it up

The last byte completes the upload; `Homestretch-Job` then names the job that works on it. Core protocol,
creation, creation-with-upload, expiration, checksum and termination are there. A `POST` to an upload with
`X-HTTP-Method-Override` stands for `PATCH` or `DELETE` where a proxy lets neither through.

The application mounts `router`, and registers `tus.mark_answer` as a `before_send` hook.
"""

from collections.abc import AsyncGenerator
from datetime import UTC
from email.utils import format_datetime
from typing import Any

from litestar import Request, Response, Router, delete, head, patch, post, route
from litestar.enums import HttpMethod, MediaType
from litestar.exceptions import InternalServerException
from litestar.params import FromPath

from api import tus
from api.authorization import PUBLIC, needs
from api.dependencies import Given
from api.tus import refuses, says
from core.access import Access
from core.platform import Platform
from core.storage import uploads
from core.storage.errors import SenderGone
from core.storage.metadata import parse_metadata
from core.storage.uploads import UploadStatus
from identity.policy import Permission

DEFAULT_PURPOSE = "exercise_video"


@route(
    ["/", "/{upload_id:str}"],
    http_method=[HttpMethod.OPTIONS],
    opt=PUBLIC,
    status_code=204,
    operation_class=tus.HeadersOnly,
    response_headers=says("Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm"),
)
async def discover_uploads(platform: Given[Platform]) -> Response[None]:
    """Discover what the server supports.

    The version and extensions of the protocol, and how large a file may be.
    """
    headers = {
        "Tus-Version": tus.VERSION,
        "Tus-Extension": tus.EXTENSIONS,
        "Tus-Max-Size": str(platform.settings.video_max_bytes),
        "Tus-Checksum-Algorithm": ",".join(tus.CHECKSUM_ALGORITHMS),
    }
    return Response(None, status_code=204, headers=headers)


@post(
    operation_class=tus.TusSending,
    responses=refuses(400, 404, 408, 412, 413, 415, 460),
    response_headers=says("Location", "Upload-Offset", "Upload-Expires", "Homestretch-Job"),
)
async def create_upload(
    *,
    request: Request[Any, Any, Any],
    access: Given[Access],
    platform: Given[Platform],
    upload_length: tus.UploadLength,
    upload_metadata: tus.UploadMetadata = None,
    upload_checksum: tus.UploadChecksum = None,
) -> Response[None]:
    """Announce an upload.

    The first bytes may come along, as `application/offset+octet-stream`.
    """
    metadata_header = upload_metadata or ""
    checksum = tus.parse_checksum(upload_checksum)
    upload = await uploads.begin(
        access,
        platform.storage,
        purpose=parse_metadata(metadata_header).get("purpose", DEFAULT_PURPOSE),
        length=upload_length,
        metadata_header=metadata_header,
        max_bytes=platform.settings.video_max_bytes,
    )
    if _carries_bytes(request):
        upload = await uploads.append(
            access, platform.storage, upload.id, offset=0, body=_body(request), checksum=checksum
        )
    location = f"{request.url.path.rstrip('/')}/{upload.id}"
    headers = {"Location": location, **_progress(upload)}
    # As text, nothing is an empty body; as JSON it would be `null`.
    return Response(None, status_code=201, headers=headers, media_type=MediaType.TEXT)


@head(
    "/{upload_id:str}",
    operation_class=tus.TusOperation,
    responses=refuses(404, 410, 412, 415),
    response_headers=says(
        "Upload-Offset", "Upload-Length", "Upload-Metadata", "Upload-Expires", "Homestretch-Job"
    ),
)
async def find_upload_offset(
    access: Given[Access],
    platform: Given[Platform],
    upload_id: FromPath[str],
) -> Response[None]:
    """Ask where to continue.

    `Upload-Offset` says how much of the file is safely stored.
    """
    upload = await uploads.status(access, platform.storage, upload_id)
    headers = {"Upload-Length": str(upload.length), "Cache-Control": "no-store", **_progress(upload)}
    if upload.metadata_header:
        headers["Upload-Metadata"] = upload.metadata_header
    return Response(None, status_code=200, headers=headers)


@patch(
    "/{upload_id:str}",
    status_code=204,
    operation_class=tus.TusSending,
    responses=refuses(400, 404, 408, 409, 410, 412, 413, 415, 423, 460),
    response_headers=says("Upload-Offset", "Upload-Expires", "Homestretch-Job"),
)
async def send_upload_bytes(
    *,
    request: Request[Any, Any, Any],
    access: Given[Access],
    platform: Given[Platform],
    upload_id: FromPath[str],
    upload_offset: tus.UploadOffset,
    upload_checksum: tus.UploadChecksum = None,
) -> Response[None]:
    """Send a stretch of the file.

    What arrives before a connection drops is kept: ask where to continue.
    """
    if not _carries_bytes(request):
        raise tus.WrongContentType(f"Send the bytes as {tus.CONTENT_TYPE}.")
    upload = await uploads.append(
        access,
        platform.storage,
        upload_id,
        offset=upload_offset,
        body=_body(request),
        checksum=tus.parse_checksum(upload_checksum),
    )
    return Response(None, status_code=204, headers=_progress(upload))


@delete(
    "/{upload_id:str}",
    status_code=204,
    operation_class=tus.TusOperation,
    responses=refuses(404, 409, 410, 412),
    response_headers=says(),
)
async def terminate_upload(
    access: Given[Access],
    platform: Given[Platform],
    upload_id: FromPath[str],
) -> Response[None]:
    """Give an unfinished upload up, and have what arrived of it destroyed."""
    await uploads.terminate(access, platform.storage, upload_id)
    return Response(None, status_code=204)


@post(
    "/{upload_id:str}",
    status_code=204,
    operation_class=tus.TusSending,
    responses=refuses(400, 404, 408, 409, 410, 412, 413, 415, 423, 460),
    response_headers=says("Upload-Offset", "Upload-Expires", "Homestretch-Job"),
)
async def override_upload_method(
    *,
    request: Request[Any, Any, Any],
    access: Given[Access],
    platform: Given[Platform],
    upload_id: FromPath[str],
    method: tus.MethodOverride,
    upload_offset: tus.UploadOffset = 0,
    upload_checksum: tus.UploadChecksum = None,
) -> Response[None]:
    """Send a stretch, or give up, past a proxy.

    For proxies that let neither PATCH nor DELETE through; `X-HTTP-Method-Override` says which is meant.
    """
    if method == "DELETE":
        return await terminate_upload.fn(access=access, platform=platform, upload_id=upload_id)
    return await send_upload_bytes.fn(
        request=request,
        access=access,
        platform=platform,
        upload_id=upload_id,
        upload_offset=upload_offset,
        upload_checksum=upload_checksum,
    )


router = Router(
    "/uploads",
    route_handlers=[
        discover_uploads,
        create_upload,
        find_upload_offset,
        send_upload_bytes,
        terminate_upload,
        override_upload_method,
    ],
    tags=["uploads"],
    opt=needs(Permission.VIDEO_UPLOAD),
    before_request=tus.require_version,
    exception_handlers=tus.REFUSAL_HANDLERS,
    # The length announced at creation bounds a body, not a number known at start-up.
    request_max_body_size=None,
)
"""The protocol's routes."""


async def _body(request: Request[Any, Any, Any]) -> AsyncGenerator[bytes]:
    """The body as it arrives; `SenderGone` when the connection ends before it does."""
    try:
        async for part in request.stream():
            yield part
    except InternalServerException as error:  # how Litestar says that the client disconnected
        raise SenderGone("The connection was lost.") from error


def _carries_bytes(request: Request[Any, Any, Any]) -> bool:
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower() == tus.CONTENT_TYPE


def _progress(upload: UploadStatus) -> dict[str, str]:
    headers = {"Upload-Offset": str(upload.offset)}
    if upload.expires_at is not None:
        headers["Upload-Expires"] = format_datetime(upload.expires_at.astimezone(UTC), usegmt=True)
    if upload.job_id is not None:
        headers["Homestretch-Job"] = upload.job_id
    return headers
