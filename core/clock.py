"""Time, in one place, so that tests can move it."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present UTC instant."""


def utc_now() -> datetime:
    """The present UTC instant, at the millisecond precision that BSON keeps."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
