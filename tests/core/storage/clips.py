"""Made-up clips and a purpose to upload them for."""

import random
from collections.abc import AsyncGenerator, Iterable, Mapping

from core.access import Access, Transaction
from core.storage.documents import Upload
from core.storage.errors import SenderGone
from core.storage.uploads import UploadSubject, on_upload_begin, on_upload_complete

PURPOSE = "test_clip"
PATIENT = "pat_anna"
LOCATION = "loc_north"

completed: list[str] = []
"""Ids of the uploads that were handed over, in order; one per run of the completing transaction."""


def clip(size: int, seed: int = 0) -> bytes:
    """A file that looks like an MP4 from its first bytes."""
    head = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\0\x08free"
    return (head + random.Random(seed).randbytes(max(0, size - len(head))))[:size]  # noqa: S311 - no secret


async def sending(*parts: bytes, lost: bool = False) -> AsyncGenerator[bytes]:
    """A request body in `parts`; with `lost`, the connection ends after them."""
    for part in parts:
        yield part
    if lost:
        raise SenderGone("The connection was lost.")


def in_parts(content: bytes, sizes: Iterable[int]) -> list[bytes]:
    """`content` cut into parts of the given sizes, the rest in the last one."""
    parts: list[bytes] = []
    start = 0
    for size in sizes:
        parts.append(content[start : start + size])
        start += size
    return [part for part in (*parts, content[start:]) if part]


async def _begin(access: Access, metadata: Mapping[str, str]) -> UploadSubject:
    del access
    return UploadSubject(metadata.get("patient", PATIENT), metadata.get("location", LOCATION))


async def _complete(tx: Transaction, upload: Upload) -> str | None:
    del tx
    completed.append(upload.id)
    return f"job_for_{upload.id}"


on_upload_begin(PURPOSE, _begin)
on_upload_complete(PURPOSE, _complete)
