"""How the bytes of a recording reach the confined decoder without a plaintext copy on disk.

The decoder never gets a path. It inherits one file descriptor: of the plain file itself, or of a socket
pair on whose other end the parent answers range reads, decrypting as it goes. Either way it sees a seekable
file.

A range request is 12 bytes, big-endian: offset (8) and length (4). The answer is the length (4) and the
bytes; fewer bytes than asked for mean the end of the file.
"""

import asyncio
import contextlib
import io
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from _typeshed import WriteableBuffer

ReadRange = Callable[[int, int], Awaitable[bytes]]
"""`await read(offset, length)`: the bytes from `offset`, at most `length` of them."""

_REQUEST = struct.Struct(">QI")
_LENGTH = struct.Struct(">I")
_BLOCK = 256 * 1024
_BLOCKS_KEPT = 8


class VideoSource(Protocol):
    """Where a recording is read from."""

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    async def head(self, length: int) -> bytes:
        """The first bytes, to sniff."""
        ...

    def descriptor(self) -> contextlib.AbstractAsyncContextManager[int]:
        """An inheritable file descriptor for the decoder, served while the context is open."""
        ...

    @property
    def is_file(self) -> bool:
        """Whether the descriptor is the file itself rather than a socket that speaks range requests."""
        ...


class FileSource:
    """A recording that is a plain file on this machine."""

    is_file = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = path.stat().st_size

    async def head(self, length: int) -> bytes:
        with self._path.open("rb") as file:
            return file.read(length)

    @contextlib.asynccontextmanager
    async def descriptor(self) -> "AsyncGenerator[int]":
        descriptor = os.open(self._path, os.O_RDONLY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


class RangeSource:
    """A recording that is read in ranges, such as an encrypted object in storage."""

    is_file = False

    def __init__(self, read: ReadRange, size: int) -> None:
        self._read = read
        self.size = size

    async def head(self, length: int) -> bytes:
        return await self._read(0, min(length, self.size)) if self.size else b""

    @contextlib.asynccontextmanager
    async def descriptor(self) -> "AsyncGenerator[int]":
        ours, theirs = socket.socketpair()
        serving = asyncio.create_task(self._serve(ours))
        try:
            yield theirs.fileno()
        finally:
            theirs.close()
            if serving.done():
                # A storage that fails must not pass for a recording that is cut off.
                serving.result()
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving

    async def _serve(self, ours: socket.socket) -> None:
        """Answers until the decoder is gone. What it asks for is checked: it may have been taken over."""
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            while True:
                try:
                    offset, length = _REQUEST.unpack(await reader.readexactly(_REQUEST.size))
                except (asyncio.IncompleteReadError, ConnectionError):
                    return
                length = max(0, min(length, _BLOCK, self.size - offset))
                content = (await self._read(offset, length))[:length] if length else b""
                writer.write(_LENGTH.pack(len(content)) + content)
                try:
                    await writer.drain()
                except ConnectionError:
                    return
        finally:
            writer.close()


class RangeFile(io.RawIOBase):
    """The decoder's end of a `RangeSource`: a seekable, read-only file with a small cache of blocks."""

    def __init__(self, descriptor: int, size: int) -> None:
        super().__init__()
        self._socket = socket.socket(fileno=descriptor)
        self._size = size
        self._position = 0
        self._blocks: dict[int, bytes] = {}

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        index, within = divmod(self._position, _BLOCK)
        if self._position >= self._size or not view:
            return 0
        content = self._block(index)[within : within + len(view)]
        view[: len(content)] = content
        self._position += len(content)
        return len(content)

    def _block(self, index: int) -> bytes:
        if index not in self._blocks:
            if len(self._blocks) >= _BLOCKS_KEPT:
                del self._blocks[next(iter(self._blocks))]
            self._socket.sendall(_REQUEST.pack(index * _BLOCK, _BLOCK))
            (length,) = _LENGTH.unpack(self._receive(_LENGTH.size))
            self._blocks[index] = self._receive(length)
        return self._blocks[index]

    def _receive(self, length: int) -> bytes:
        content = bytearray()
        while len(content) < length:
            part = self._socket.recv(length - len(content))
            if not part:
                raise OSError("the recording is no longer being served")
            content += part
        return bytes(content)
