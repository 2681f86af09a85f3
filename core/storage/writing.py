"""Extending an object: one holder at a time, chunk by chunk, each acknowledged only once it is durable.

The right to extend is a lease on the ledger with a fence. A holder that dies loses it within `LEASE_S`; one
that was merely slow finds its fence outdated, and nothing it does afterwards counts. MongoDB's clock decides,
so that servers whose clocks differ agree.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
from pymongo.errors import PyMongoError

from core.access import Access
from core.errors import Locked
from core.mongo import RawCollection, raw_collection
from core.storage.blobs import BlobStore
from core.storage.documents import ObjectState
from core.storage.errors import TamperedObject, UploadGone
from core.storage.sealing import CHUNK_BYTES, Extent, ObjectSeal, chunk_length

LEASE_S = 8.0
"""How long a dead holder keeps others waiting."""
_HEAD_BYTES = 4096
_NEVER = datetime.fromtimestamp(0, UTC)


class Ledger(msgspec.Struct):
    """What the ledger says of one object (a view of `StoredObject`)."""

    id: str
    organization_id: str
    patient_id: str
    state: ObjectState
    size: int
    generations: list[int]
    wrapped_key: bytes | None
    version: int
    content_type: str | None = None
    sha256: bytes | None = None
    mac: bytes | None = None

    def path(self, index: int) -> str:
        """Where the present state of chunk `index` lies."""
        return blob_path(self.organization_id, self.id, index, self.generations[index])


def blob_path(organization_id: str, object_id: str, index: int, generation: int) -> str:
    return f"{organization_id}/{object_id}/{index}.{generation}"


def generation_of(path: str) -> int:
    """The fence under which the blob at `path`, or what is left of it, was stored."""
    return int(path.rpartition(".")[2].partition("#")[0])


async def open_chunk(blobs: BlobStore, seal: ObjectSeal, ledger: Ledger, index: int) -> bytes:
    """The content of one acknowledged chunk; `TamperedObject` if it is not what was written."""
    content = seal.open(index, ledger.generations[index], await blobs.get(ledger.path(index)))
    if len(content) != chunk_length(ledger.size, index):
        raise TamperedObject(f"chunk {index} of {ledger.id} has another length than its ledger says")
    return content


async def key_of(access: Access, ledger: Ledger) -> ObjectSeal:
    """What opens the chunks of an object."""
    if ledger.wrapped_key is None:
        raise UploadGone("It was removed.")
    data_key = await access.database.keys.unwrap_object_key(
        ledger.organization_id, ledger.wrapped_key, ledger.id
    )
    return ObjectSeal(data_key, ledger.id)


class ObjectWriter:
    """The holder of the right to extend one object. Made by `extend`.

    Bytes given to `take` fill chunks. A full chunk is stored at once, and acknowledged at once too unless the
    writer is `deferred`; then nothing counts before `finish`, which also acknowledges the partial last chunk.
    """

    def __init__(
        self,
        *,
        blobs: BlobStore,
        ledgers: RawCollection,
        ledger: Ledger,
        seal: ObjectSeal,
        tail: bytes,
        admit: Callable[[bytes], None] | None,
    ) -> None:
        self._admit = admit
        self._head = b""
        self._blobs = blobs
        self._ledgers = ledgers
        self._ledger = ledger
        self._seal = seal
        self._index = ledger.size // CHUNK_BYTES
        self._chunk = bytearray(tail)
        self._staged: list[str] = []
        self._superseded = [ledger.path(self._index)] if tail else []
        self.deferred = False

    @property
    def fence(self) -> int:
        """The number under which this holder writes, and the ledger's version for as long."""
        return self._ledger.version

    @property
    def size(self) -> int:
        """Bytes acknowledged."""
        return self._ledger.size

    @property
    def taken(self) -> int:
        """Bytes acknowledged, staged, or waiting for their chunk to fill."""
        return self._index * CHUNK_BYTES + len(self._chunk)

    async def take(self, content: bytes) -> None:
        """Add bytes at the end."""
        rest = memoryview(content)
        while rest:
            room = CHUNK_BYTES - len(self._chunk)
            self._chunk += rest[:room]
            rest = rest[room:]
            if len(self._chunk) == CHUNK_BYTES:
                await self._store()
                self._index += 1
                self._chunk.clear()
                if not self.deferred:
                    await self._acknowledge()

    async def finish(self) -> None:
        """Acknowledge all that was taken. The writer takes nothing afterwards."""
        if self._chunk and self.taken > self.size:
            await self._store()
        if self._staged:
            await self._acknowledge()

    async def discard(self) -> None:
        """Remove what was stored but not acknowledged."""
        await self._blobs.delete(self._staged)

    async def read_back(self) -> tuple[Extent, bytes]:
        """Read all that was acknowledged from storage again: what it consists of, and its first chunk."""
        digest = hashlib.sha256()
        first = b""
        for index in range(len(self._ledger.generations)):
            content = await open_chunk(self._blobs, self._seal, self._ledger, index)
            first = first or content
            digest.update(content)
        return Extent(self.size, tuple(self._ledger.generations), digest.digest()), first

    def sign(self, extent: Extent) -> bytes:
        return self._seal.sign(extent)

    async def sweep(self) -> None:
        """Remove blobs that the ledger does not name: what a crash left between storing and acknowledging.

        Those of a later holder are not ours to judge.
        """
        named = {self._ledger.path(index) for index in range(len(self._ledger.generations))}
        present = await self._blobs.list(f"{self._ledger.organization_id}/{self._ledger.id}")
        await self._blobs.delete(
            [path for path in present if path not in named and generation_of(path) <= self.fence]
        )

    async def _store(self) -> None:
        path = blob_path(self._ledger.organization_id, self._ledger.id, self._index, self.fence)
        if self._index == 0:
            self._head = bytes(self._chunk[:_HEAD_BYTES])
        # Named before it is stored: a put that fails may have stored it all the same.
        self._staged.append(path)
        await self._blobs.put(path, self._seal.seal(self._index, self.fence, self._chunk))

    async def _acknowledge(self) -> None:
        kept = self._ledger.size // CHUNK_BYTES
        if kept == 0 and self._admit is not None:
            self._admit(self._head)
        size = self.taken
        fences = [self.fence] * len(self._staged)
        outcome = await self._ledgers.update_one(
            {**_identity(self._ledger), "state": "writing", "version": self.fence},
            {"$set": {"size": size, "generations": self._ledger.generations[:kept] + fences}},
        )
        if outcome.matched_count == 0:
            raise Locked("Another request took over.")
        self._ledger.size = size
        self._ledger.generations[kept:] = fences
        self._staged.clear()
        await self._blobs.delete(self._superseded)
        self._superseded.clear()


@asynccontextmanager
async def extend(
    access: Access, blobs: BlobStore, object_id: str, admit: Callable[[bytes], None] | None
) -> AsyncGenerator[ObjectWriter]:
    """Hold the right to extend an object, from its acknowledged end on.

    Before anything of the first chunk is acknowledged, `admit` sees its first 4 KiB, or what there is of
    them, and may raise.

    Raises:
        Locked: while another holder has it.
        UploadGone: if the object is not being written any more.
    """
    ledgers = raw_collection(access.database, "stored_objects")
    ledger = await _claim(ledgers, access.organization_id, object_id)
    renewal = asyncio.create_task(_renew(ledgers, ledger))
    try:
        seal = await key_of(access, ledger)
        partial = ledger.size % CHUNK_BYTES != 0
        tail = await open_chunk(blobs, seal, ledger, ledger.size // CHUNK_BYTES) if partial else b""
        writer = ObjectWriter(blobs=blobs, ledgers=ledgers, ledger=ledger, seal=seal, tail=tail, admit=admit)
        try:
            yield writer
        finally:
            await writer.discard()
    finally:
        renewal.cancel()
        # A lease that cannot be given back ends by itself.
        with contextlib.suppress(PyMongoError):
            await asyncio.gather(renewal, return_exceptions=True)
            await ledgers.update_one(_held(ledger), {"$set": {"writer_until": None}})


async def acknowledged_size(access: Access, object_id: str) -> int:
    """How many bytes of an object are acknowledged; `UploadGone` unless it is being written.

    No read of health data: nothing of the content, and asked for over and over.
    """
    identity = {"_id": object_id, "organization_id": access.organization_id, "state": "writing"}
    raw = await raw_collection(access.database, "stored_objects").find_one(identity, projection=["size"])
    if raw is None:
        raise UploadGone("It is not being uploaded any more.")
    return raw["size"]


async def _claim(ledgers: RawCollection, organization_id: str, object_id: str) -> Ledger:
    identity = {"_id": object_id, "organization_id": organization_id, "state": "writing"}
    free = {"$expr": {"$lte": [{"$ifNull": ["$writer_until", _NEVER]}, "$$NOW"]}}
    claim = {"version": {"$add": ["$version", 1]}, "writer_until": _lease_end()}
    raw = await ledgers.find_one_and_update({**identity, **free}, [{"$set": claim}], return_document=True)
    if raw is None:
        if await ledgers.find_one(identity, projection=["_id"]) is None:
            raise UploadGone("It is not being uploaded any more.")
        raise Locked("Another request is uploading this.")
    return msgspec.convert({**raw, "id": raw["_id"]}, Ledger)


async def _renew(ledgers: RawCollection, ledger: Ledger) -> None:
    held = True
    while held:
        await asyncio.sleep(LEASE_S / 4)
        with contextlib.suppress(PyMongoError):  # there is time for another attempt
            outcome = await ledgers.update_one(_held(ledger), [{"$set": {"writer_until": _lease_end()}}])
            held = outcome.matched_count == 1


def _lease_end() -> dict[str, Any]:
    return {"$add": ["$$NOW", round(LEASE_S * 1000)]}


def _held(ledger: Ledger) -> dict[str, Any]:
    return {**_identity(ledger), "version": ledger.version}


def _identity(ledger: Ledger) -> dict[str, Any]:
    return {"_id": ledger.id, "organization_id": ledger.organization_id}
