"""Where sealed chunks lie: a local folder or an S3 bucket, through obstore.

A chunk that `put` returned for is durable. S3 promises that; obstore's local folder does not (it writes,
renames and leaves the rest to the kernel), so the file and the folders that name it are synced here.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Generator, Sequence
from pathlib import Path, PurePosixPath

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from core.errors import Unavailable
from core.storage.errors import TamperedObject

if sys.platform == "darwin":
    import fcntl

_TORN = "#"
"""obstore writes a file beside its place, as `name#1`, then renames it. It neither lists nor removes
such a file: what a crash leaves of one would stay for ever."""


class BlobStore:
    """Durable puts, gets and deletes by path. `Unavailable` when the store is full, down or broken."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._folder = Path(str(store.prefix)) if isinstance(store, LocalStore) else None

    @classmethod
    def at(cls, url: str) -> "BlobStore":
        """The store at `file:///folder`, made if missing, or `s3://bucket/prefix`.

        S3 credentials, region and endpoint come from the usual `AWS_*` variables.
        """
        if url.startswith("file:"):
            return cls(LocalStore.from_url(url, mkdir=True, automatic_cleanup=True))
        return cls(from_url(url))

    async def put(self, path: str, content: bytes | bytearray) -> None:
        """Store `content` under `path`, durable on return."""
        with _answering():
            await obstore.put_async(self._store, path, content, use_multipart=False)
        if self._folder is not None:
            await asyncio.to_thread(_sync, self._folder, PurePosixPath(path))

    async def get(self, path: str) -> memoryview:
        """All of one blob; `TamperedObject` if it is missing, for only what was put is ever asked for."""
        try:
            with _answering():
                result = await obstore.get_async(self._store, path)
                return memoryview(await result.bytes_async())
        except FileNotFoundError as error:
            raise TamperedObject(f"the stored chunk {path} is missing") from error

    async def list(self, prefix: str) -> list[str]:
        """The paths of all blobs below the folder `prefix`, and of what a crash left of a put."""
        with _answering():
            stream = obstore.list(self._store, f"{prefix}/")  # pyright: ignore[reportUnknownMemberType] - one overload returns Arrow tables, whose types are not installed
            whole = [entry["path"] async for batch in stream for entry in batch]
        return whole if self._folder is None else whole + await asyncio.to_thread(_torn, self._folder, prefix)

    async def delete(self, paths: Sequence[str]) -> None:
        """Remove blobs; one that is gone already is no fault."""
        whole = [path for path in paths if _TORN not in path]
        if self._folder is not None:
            await asyncio.to_thread(_remove, [self._folder / path for path in paths if _TORN in path])
        with _answering():
            try:
                await obstore.delete_async(self._store, whole)
            except FileNotFoundError:  # and perhaps not all of the others were removed
                for path in whole:
                    with contextlib.suppress(FileNotFoundError):
                        await obstore.delete_async(self._store, path)

    async def check(self) -> None:
        """`Unavailable` unless the store answers."""
        with _answering():
            await obstore.list_with_delimiter_async(self._store)  # pyright: ignore[reportUnknownMemberType] - as above
        # A folder that is gone lists as empty.
        if self._folder is not None and not (self._folder.is_dir() and os.access(self._folder, os.W_OK)):
            raise Unavailable("The object store cannot be written to.")


@contextlib.contextmanager
def _answering() -> Generator[None]:
    """The store's own errors as `Unavailable`, which names neither paths nor addresses."""
    try:
        yield
    except BaseError as error:
        raise Unavailable("The object storage cannot do it at present.") from error


def _torn(folder: Path, prefix: str) -> list[str]:
    return [str(path.relative_to(folder)) for path in (folder / prefix).glob(f"*{_TORN}*")]


def _remove(files: Sequence[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)
        # As obstore does when it removes the last file of a folder.
        with contextlib.suppress(OSError):
            file.parent.rmdir()


def _sync(folder: Path, path: PurePosixPath) -> None:
    """Flush a new file to the device, and the folders down to it, any of which may be new too."""
    for name in (path, *path.parents):
        _flush(folder / name)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if sys.platform == "darwin":
            # There fsync stops at the drive's cache.
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        else:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
