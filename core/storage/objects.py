"""Objects: their life from the first byte to the last."""

import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta

import msgspec

from core.access import Access, Transaction
from core.errors import Conflict, NotFound
from core.repository import Repository
from core.storage import writing
from core.storage.blobs import BlobStore
from core.storage.documents import StoredObject
from core.storage.reading import ObjectReader
from core.storage.sealing import DATA_KEY_BYTES, Extent
from core.storage.writing import Ledger, ObjectWriter

UNKEPT_LIFETIME = timedelta(days=1)
"""How long an object that was written but never kept stays."""

REMOVE_BLOBS = "storage.remove_blobs"

objects = Repository(StoredObject)


class RemoveBlobs(msgspec.Struct, frozen=True):
    """Payload of the job `REMOVE_BLOBS`."""

    object_id: str


class ObjectStorage:
    """The objects of all organizations in one store; the `Access` of a call says whose it may reach."""

    def __init__(self, blobs: BlobStore) -> None:
        self.blobs = blobs

    @classmethod
    def at(cls, url: str) -> "ObjectStorage":
        """Storage at `file:///folder` or `s3://bucket/prefix`."""
        return cls(BlobStore.at(url))

    async def open(self, access: Access, object_id: str) -> ObjectReader:
        """A reader of a finished object. One entry in the audit log, however much is then read.

        Raises:
            NotFound: it does not exist for this actor, or is not finished, or was deleted.
            TamperedObject: its ledger was altered.
        """
        ledger = await objects.get(access, object_id, view=Ledger)
        if ledger.state != "complete":
            raise NotFound("There is no such stored object.")
        return ObjectReader(self.blobs, ledger, await writing.key_of(access, ledger))

    async def read(self, access: Access, object_id: str, start: int = 0, length: int | None = None) -> bytes:
        """A range of a finished object, or all of it. For several ranges, `open` it once."""
        reader = await self.open(access, object_id)
        return await reader.read_range(start, reader.size if length is None else length)

    async def stream(
        self, access: Access, object_id: str, start: int = 0, length: int | None = None
    ) -> AsyncGenerator[bytes]:
        """A range of a finished object in pieces of at most 1 MiB."""
        reader = await self.open(access, object_id)
        async for part in reader.stream(start, length):
            yield part

    async def write(
        self, access: Access, content: bytes, *, patient_id: str, location_id: str, content_type: str
    ) -> str:
        """Store `content` and return the id of its object, which nobody can read until `keep`.

        An object that is never kept, because its job died before it committed, is removed after
        `UNKEPT_LIFETIME`.
        """

        async def begin(tx: Transaction) -> str:
            expires_at = tx.now() + UNKEPT_LIFETIME
            return await self.create(
                tx, patient_id=patient_id, location_id=location_id, expires_at=expires_at
            )

        object_id = await access.transact(begin)
        async with self.extend(access, object_id) as writer:
            await writer.take(content)
            await writer.finish()
            extent, _ = await writer.read_back()
            await access.transact(lambda tx: self.vouch(tx, object_id, writer, extent, content_type))
        return object_id

    async def keep(self, tx: Transaction, object_id: str) -> None:
        """Make a written object readable for good, as part of the transaction that refers to it."""
        ledger = await objects.get(tx, object_id, view=Ledger)
        if ledger.state == "complete":
            return
        if ledger.state == "deleted" or ledger.mac is None:
            raise Conflict("The object was not written to its end.")
        kept = {"state": "complete", "expires_at": None}
        await objects.update(tx, object_id, kept, expected_version=ledger.version)

    async def delete(self, tx: Transaction, object_id: str) -> None:
        """Destroy an object: its key with this transaction, its sealed bytes by a job soon after."""
        if (await objects.get(tx, object_id, view=Ledger)).state == "deleted":
            return
        gone = {"state": "deleted", "wrapped_key": None, "sha256": None, "mac": None, "expires_at": None}
        await objects.update(tx, object_id, gone)
        await tx.enqueue(REMOVE_BLOBS, RemoveBlobs(object_id), key=object_id)

    async def create(
        self, tx: Transaction, *, patient_id: str, location_id: str, expires_at: datetime
    ) -> str:
        """An empty object with a key of its own, to be extended. Returns its id."""
        object_id = objects.new_id()
        wrapped = await tx.database.keys.wrap_object_key(
            tx.organization_id, secrets.token_bytes(DATA_KEY_BYTES), object_id
        )
        document = StoredObject(
            id=object_id,
            organization_id=tx.organization_id,
            patient_id=patient_id,
            location_id=location_id,
            wrapped_key=wrapped,
            expires_at=expires_at,
        )
        await objects.insert(tx, document)
        return object_id

    def extend(
        self, access: Access, object_id: str, *, admit: Callable[[bytes], None] | None = None
    ) -> AbstractAsyncContextManager[ObjectWriter]:
        """Hold the right to extend an object (see `writing.extend`)."""
        return writing.extend(access, self.blobs, object_id, admit)

    async def vouch(
        self, tx: Transaction, object_id: str, writer: ObjectWriter, extent: Extent, content_type: str
    ) -> None:
        """Record what a whole object consists of, under the key's MAC. `Stale` if `writer` was superseded."""
        vouched = {
            "sha256": extent.sha256,
            "mac": writer.sign(extent),
            "content_type": content_type,
            "writer_until": None,
        }
        await objects.update(tx, object_id, vouched, expected_version=writer.fence)

    async def remove_blobs(self, organization_id: str, object_id: str) -> None:
        """Remove all sealed bytes of an object whose key is destroyed."""
        await self.blobs.delete(await self.blobs.list(f"{organization_id}/{object_id}"))
