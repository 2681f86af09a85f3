"""Resumable uploads: what arrived stays, whatever happens to the connection, the phone or the server.

What is acknowledged is exactly what the ledger of the upload's object says: its `size` is the offset. A
request holds the right to extend that object while it sends (see `writing`), so two cannot mix their bytes.

A purpose says what an upload is for. The room that owns it registers two functions: `on_upload_begin` decides
whom the upload is about, and `on_upload_complete` takes it over, in the transaction that completes it.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from core.access import Access, Transaction
from core.errors import Conflict, FieldFault, Invalid, Locked, Stale
from core.repository import Repository
from core.sniffing import HEAD_BYTES, WHY_NOT, VideoKind, kind_of
from core.storage.documents import Upload
from core.storage.errors import (
    ChecksumMismatch,
    OffsetMismatch,
    SenderGone,
    TooLarge,
    UnsupportedContent,
    UploadGone,
)
from core.storage.metadata import parse_metadata
from core.storage.objects import ObjectStorage, objects
from core.storage.writing import Ledger, ObjectWriter, acknowledged_size

UNFINISHED_LIFETIME = timedelta(days=7)
"""How long an upload can be continued, from its beginning."""
IDLE_LIMIT_S = 20.0
"""How long a request may be silent: a phone that lost its network says no word, and holds the upload."""
_TIDY_BATCH = 1000
_MEDIA_TYPES: Mapping[VideoKind, str] = {
    "mp4": "video/mp4",
    "quicktime": "video/quicktime",
    "webm": "video/webm",
    "matroska": "video/x-matroska",
}

uploads = Repository(Upload)


class UploadSubject(msgspec.Struct, frozen=True):
    """Whom an upload is about."""

    patient_id: str
    location_id: str


BeginHandler = Callable[[Access, Mapping[str, str]], Awaitable[UploadSubject]]
CompleteHandler = Callable[[Transaction, Upload], Awaitable[str | None]]

_begin_handlers: dict[str, BeginHandler] = {}
_complete_handlers: dict[str, CompleteHandler] = {}


def on_upload_begin(purpose: str, handler: BeginHandler) -> None:
    """Let `handler` tell from the metadata whom an upload for `purpose` is about, or refuse it by raising.

    It must look up what the metadata names through its repository, with the access it is given: that is what
    keeps a patient from uploading for somebody else.
    """
    _begin_handlers[purpose] = handler


def on_upload_complete(purpose: str, handler: CompleteHandler) -> None:
    """Let `handler` take over each completed upload for `purpose`, within the completing transaction.

    It returns the id of the job that works on it, if any, which the client is told. It runs exactly once in
    effect; like all work of a transaction it may be repeated before that transaction commits.
    """
    _complete_handlers[purpose] = handler


class Checksum(msgspec.Struct, frozen=True):
    """The digest of one part, which must match before any of it counts."""

    algorithm: Literal["sha1", "sha256"]
    digest: bytes


class UploadStatus(msgspec.Struct, frozen=True):
    """Where an upload stands."""

    id: str
    state: Literal["receiving", "complete"]
    offset: int
    """Bytes acknowledged."""
    length: int
    """Bytes announced."""
    metadata_header: str
    expires_at: datetime | None
    """Until when it can be continued; None once complete."""
    job_id: str | None
    """The job that works on the completed upload."""


async def begin(
    access: Access, storage: ObjectStorage, *, purpose: str, length: int, metadata_header: str, max_bytes: int
) -> UploadStatus:
    """Announce an upload of `length` bytes.

    Raises:
        TooLarge: more than `max_bytes`.
        Invalid: an empty file, an unknown purpose, unreadable metadata, or metadata the purpose refuses.
        NotFound: the metadata names something that does not exist for this actor.
    """
    if length > max_bytes:
        raise TooLarge(f"The largest file accepted is {max_bytes} bytes.")
    if length < 1:
        raise Invalid("The file is empty.", [FieldFault("/Upload-Length", "must be at least 1")])
    if purpose not in _begin_handlers or purpose not in _complete_handlers:
        raise Invalid("There is nothing to upload for this purpose.", [FieldFault("/purpose", "unknown")])
    subject = await _begin_handlers[purpose](access, parse_metadata(metadata_header))

    async def write(tx: Transaction) -> Upload:
        expires_at = tx.now() + UNFINISHED_LIFETIME
        upload = Upload(
            id=uploads.new_id(),
            organization_id=tx.organization_id,
            patient_id=subject.patient_id,
            location_id=subject.location_id,
            purpose=purpose,
            metadata_header=metadata_header,
            object_id=await storage.create(
                tx, patient_id=subject.patient_id, location_id=subject.location_id, expires_at=expires_at
            ),
            length=length,
            expires_at=expires_at,
        )
        return await uploads.insert(tx, upload)

    return _status(await access.transact(write), 0)


async def status(access: Access, storage: ObjectStorage, upload_id: str) -> UploadStatus:
    """Where the upload stands. Completes one whose server died between its last byte and its completion.

    Raises:
        NotFound: there is no such upload for this actor.
        UploadGone: it was terminated, refused or expired.
    """
    upload = await uploads.get(access, upload_id)
    if upload.state == "refused":
        raise UploadGone("The upload was refused.")
    if upload.state == "complete":
        return _status(upload, upload.length)
    _require_receiving(access, upload)
    offset = await acknowledged_size(access, upload.object_id)
    if offset == upload.length:
        upload = await _settle(access, storage, upload)
    return _status(upload, offset)


async def append(
    access: Access,
    storage: ObjectStorage,
    upload_id: str,
    *,
    offset: int,
    body: AsyncIterator[bytes],
    checksum: Checksum | None = None,
) -> UploadStatus:
    """Take the bytes of one request from `offset` on, and complete the upload with its last byte.

    `body` raises `SenderGone` when the connection is lost. What had arrived is kept then, down to the
    byte; with a checksum, none of it is.

    Raises:
        NotFound: there is no such upload for this actor.
        UploadGone: it was terminated or expired.
        OffsetMismatch: the next byte expected is another one.
        Locked: another request is sending.
        ChecksumMismatch: the part arrived damaged.
        TooLarge: more bytes than were announced.
        UnsupportedContent: it is not a video. The upload is over.
        SenderGone: the connection was lost, or silent for `IDLE_LIMIT_S`.
    """
    upload = await uploads.get(access, upload_id)
    if upload.state == "refused":
        raise UnsupportedContent(upload.refusal or "This is not a video.")
    if upload.state == "complete":
        raise OffsetMismatch(upload.length)
    _require_receiving(access, upload)
    try:
        async with storage.extend(access, upload.object_id, admit=_admit) as writer:
            if writer.size != offset:
                raise OffsetMismatch(writer.size)
            await _take(writer, upload, body, checksum)
            if writer.size == upload.length:
                upload = await _complete(access, storage, upload, writer)
            return _status(upload, writer.size)
    except Stale as error:  # for instance, the patient moved to another location meanwhile
        raise Locked("It was changed meanwhile. Ask where to continue.") from error
    except UnsupportedContent as refusal:
        await _refuse(access, storage, upload, refusal.detail)
        raise


async def terminate(access: Access, storage: ObjectStorage, upload_id: str) -> None:
    """Give an unfinished upload up and destroy what arrived of it.

    Raises:
        NotFound: there is no such upload for this actor.
        UploadGone: it was given up before.
        Conflict: it is complete, and part of the patient's record.
    """

    async def write(tx: Transaction) -> None:
        upload = await uploads.get(tx, upload_id)
        if upload.state == "complete":
            raise Conflict("The upload is complete and belongs to the patient's record now.", code="complete")
        if upload.state != "receiving":
            raise UploadGone("The upload was given up before.")
        await uploads.update(tx, upload_id, {"state": "terminated"}, expected_version=upload.version)
        await storage.delete(tx, upload.object_id)

    await access.transact(write)


async def tidy(access: Access, storage: ObjectStorage) -> None:
    """Finish what a crash left: complete uploads that are whole, and remove what nobody finished in time."""
    for upload in await uploads.find(access, {"state": "receiving"}, limit=_TIDY_BATCH):
        if await acknowledged_size(access, upload.object_id) == upload.length:
            with contextlib.suppress(UnsupportedContent):
                await _settle(access, storage, upload)
    overdue = {"state": "writing", "expires_at": {"$lte": access.now()}}
    for abandoned in await objects.find(access, overdue, view=Ledger, limit=_TIDY_BATCH):
        await _expire(access, storage, abandoned.id)


async def _take(
    writer: ObjectWriter, upload: Upload, body: AsyncIterator[bytes], checksum: Checksum | None
) -> None:
    """Move the body into the object; what is acknowledged then is there to stay."""
    digest = None if checksum is None else hashlib.new(checksum.algorithm)
    writer.deferred = digest is not None
    try:
        async for part in _unless_silent(body):
            if writer.taken + len(part) > upload.length:
                raise TooLarge("More bytes were sent than announced.")
            if digest is not None:
                digest.update(part)
            await writer.take(part)
    except SenderGone:
        if digest is None:
            await writer.finish()
        raise
    if checksum is not None and digest is not None and digest.digest() != checksum.digest:
        raise ChecksumMismatch
    await writer.finish()


async def _unless_silent(body: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """The same parts; `SenderGone` when none comes for `IDLE_LIMIT_S`."""
    while True:
        try:
            async with asyncio.timeout(IDLE_LIMIT_S):
                part = await anext(body)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise SenderGone("Nothing came for too long.") from error
        yield part


def _admit(head: bytes) -> None:
    """Keep out what is no video, as soon as enough of it has come to tell."""
    if len(head) >= HEAD_BYTES:
        _media_type(head)


def _media_type(head: bytes) -> str:
    """The media type of a video, whatever it was called; `UnsupportedContent` for anything else."""
    kind = kind_of(head[:HEAD_BYTES])
    match kind:
        case "mp4" | "quicktime" | "webm" | "matroska":
            return _MEDIA_TYPES[kind]
        case other:
            raise UnsupportedContent(WHY_NOT[other])


async def _complete(access: Access, storage: ObjectStorage, upload: Upload, writer: ObjectWriter) -> Upload:
    """Hand a whole upload over to its purpose, once, after all of it was read back from storage."""
    extent, first = await writer.read_back()
    content_type = _media_type(first)
    # Nobody comes back to a complete upload: a crash between completion and sweep would leave rubbish.
    await writer.sweep()
    take_over = _complete_handlers[upload.purpose]

    async def write(tx: Transaction) -> Upload:
        await storage.vouch(tx, upload.object_id, writer, extent, content_type)
        await storage.keep(tx, upload.object_id)
        complete = {"state": "complete", "content_type": content_type, "completed_at": tx.now()}
        completed = await uploads.update(tx, upload.id, complete, expected_version=upload.version)
        job_id = await take_over(tx, completed)
        return completed if job_id is None else await uploads.update(tx, upload.id, {"job_id": job_id})

    return await access.transact(write)


async def _settle(access: Access, storage: ObjectStorage, upload: Upload) -> Upload:
    """Complete an upload whose bytes are all there; as it stands if another request is at it, or just was."""
    try:
        async with storage.extend(access, upload.object_id) as writer:
            return await _complete(access, storage, upload, writer)
    except (Locked, Stale, UploadGone):
        return await uploads.get(access, upload.id)
    except UnsupportedContent as refusal:
        await _refuse(access, storage, upload, refusal.detail)
        raise


async def _refuse(access: Access, storage: ObjectStorage, upload: Upload, reason: str) -> None:
    async def write(tx: Transaction) -> None:
        refused = {"state": "refused", "refusal": reason}
        await uploads.update(tx, upload.id, refused, expected_version=upload.version)
        await storage.delete(tx, upload.object_id)

    await access.transact(write)


async def _expire(access: Access, storage: ObjectStorage, object_id: str) -> None:
    async def write(tx: Transaction) -> None:
        upload = await uploads.find_one(tx, {"object_id": object_id, "state": "receiving"})
        if upload is not None:
            await uploads.update(tx, upload.id, {"state": "expired"})
        await storage.delete(tx, object_id)

    await access.transact(write)


def _require_receiving(access: Access, upload: Upload) -> None:
    if upload.state == "terminated":
        raise UploadGone("The upload was given up.")
    if upload.state == "expired" or upload.expires_at <= access.now():
        raise UploadGone("The upload was not finished in time. Please begin again.")


def _status(upload: Upload, offset: int) -> UploadStatus:
    complete = upload.state == "complete"
    return UploadStatus(
        id=upload.id,
        state="complete" if complete else "receiving",
        offset=offset,
        length=upload.length,
        metadata_header=upload.metadata_header,
        expires_at=None if complete else upload.expires_at,
        job_id=upload.job_id,
    )
