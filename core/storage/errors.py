"""What can go wrong with an object or an upload, on purpose, and what must never happen.

    HomestretchError
    ├── SenderGone                ask for the offset, then continue
    ├── Conflict
    │   └── OffsetMismatch        continue at `offset`
    ├── Invalid
    │   ├── ChecksumMismatch      send the same part again
    │   ├── TooLarge              send a smaller file
    │   └── UnsupportedContent    send another kind of file
    └── NotFound
        └── UploadGone            begin a new upload

`TamperedObject` is none of them: an operator must look, the caller can do nothing.
"""

from core.errors import Conflict, HomestretchError, Invalid, NotFound


class SenderGone(HomestretchError):
    """The connection ended, or fell silent, before the request did."""

    code = "sender-gone"


class OffsetMismatch(Conflict):
    code = "offset-mismatch"

    def __init__(self, offset: int) -> None:
        super().__init__(f"The next byte expected is number {offset}.")
        self.offset = offset


class ChecksumMismatch(Invalid):
    def __init__(self) -> None:
        super().__init__(
            "The part does not match its checksum; nothing of it was kept.", code="checksum-mismatch"
        )


class TooLarge(Invalid):
    def __init__(self, detail: str) -> None:
        super().__init__(detail, code="too-large")


class UnsupportedContent(Invalid):
    """The first bytes say that this is not what the upload is for."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, code="unsupported-content")


class UploadGone(NotFound):
    code = "gone"


class TamperedObject(Exception):
    """A chunk or the ledger of an object was altered outside Homestretch, or lost: not the caller's fault."""
