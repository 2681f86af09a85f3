"""Reading a finished object: any range of it, opening only the chunks that the range touches."""

from collections import OrderedDict
from collections.abc import AsyncGenerator

from core.storage.blobs import BlobStore
from core.storage.errors import TamperedObject
from core.storage.sealing import CHUNK_BYTES, Extent, ObjectSeal, chunk_count
from core.storage.writing import Ledger, open_chunk

_CACHED_CHUNKS = 4
"""Demuxers jump between index, sound and picture; that many opened chunks are kept for them."""


class ObjectReader:
    """One finished object. Memory stays at a few chunks, whatever its size."""

    def __init__(self, blobs: BlobStore, ledger: Ledger, seal: ObjectSeal) -> None:
        """`TamperedObject` if the ledger does not say what was vouched for when the object was finished."""
        self._blobs = blobs
        self._ledger = ledger
        self._seal = seal
        self._opened: OrderedDict[int, bytes] = OrderedDict()
        if ledger.sha256 is None or ledger.mac is None:
            raise TamperedObject(f"nothing vouches for {ledger.id}")
        self.sha256 = ledger.sha256
        seal.verify(Extent(ledger.size, tuple(ledger.generations), ledger.sha256), ledger.mac)
        if len(ledger.generations) != chunk_count(ledger.size):
            raise TamperedObject(f"{ledger.id} has another number of chunks than its size needs")

    @property
    def id(self) -> str:
        return self._ledger.id

    @property
    def size(self) -> int:
        """Bytes of content."""
        return self._ledger.size

    @property
    def content_type(self) -> str | None:
        return self._ledger.content_type

    async def read_range(self, start: int, length: int) -> bytes:
        """The bytes from `start` on: `length` of them, or fewer at the end, none beyond it."""
        return b"".join([part async for part in self.stream(start, length)])

    async def stream(self, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes]:
        """The same bytes in pieces of at most one chunk; to the end without `length`."""
        end = self.size if length is None else min(self.size, start + length)
        position = start
        while position < end:
            index, begin = divmod(position, CHUNK_BYTES)
            content = await self._open(index)
            part = content[begin : begin + end - position]
            yield part
            position += len(part)

    async def _open(self, index: int) -> bytes:
        content = self._opened.get(index)
        if content is None:
            content = await open_chunk(self._blobs, self._seal, self._ledger, index)
            self._opened[index] = content
            if len(self._opened) > _CACHED_CHUNKS:
                self._opened.popitem(last=False)
        self._opened.move_to_end(index)
        return content
