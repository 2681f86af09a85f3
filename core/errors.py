"""What can go wrong on purpose. Each class says what the caller can do about it.

    HomestretchError
    ├── Unauthenticated     sign in (again)
    ├── Forbidden           ask someone who may
    ├── NotFound            it does not exist, or not for you
    ├── Invalid             correct the named fields and send again
    ├── Conflict            read the present state, then decide
    │   └── Stale           somebody changed it since you read it
    ├── Locked              another request is at it: try again shortly
    ├── TooManyRequests     wait `retry_after_s`
    └── Unavailable         a part we depend on is down: try again later

Anything else that escapes is a bug.
"""

from dataclasses import dataclass, field


class HomestretchError(Exception):
    """A fault that was expected. `detail` is safe to show: it never repeats what the caller sent."""

    code = "error"

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if code is not None:
            self.code = code


class Unauthenticated(HomestretchError):
    code = "unauthenticated"


class Forbidden(HomestretchError):
    code = "forbidden"


class NotFound(HomestretchError):
    code = "not-found"


@dataclass(frozen=True)
class FieldFault:
    """One thing wrong with the input, by JSON pointer (RFC 6901)."""

    pointer: str
    detail: str


@dataclass
class Invalid(HomestretchError):
    """Input that cannot be accepted, with every fault found."""

    detail: str
    faults: list[FieldFault] = field(default_factory=list[FieldFault])
    code: str = "invalid"

    def __post_init__(self) -> None:
        super().__init__(self.detail, code=self.code)


class Conflict(HomestretchError):
    code = "conflict"


class Stale(Conflict):
    code = "stale"


class Locked(HomestretchError):
    code = "locked"


class TooManyRequests(HomestretchError):
    code = "too-many-requests"

    def __init__(self, detail: str, *, retry_after_s: float) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class Unavailable(HomestretchError):
    code = "unavailable"
