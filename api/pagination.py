"""Lists come in pages: `?limit&cursor` in, `{"items", "next_cursor"}` out (`core.pages.Page`).

async def patients(access: ..., limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[PatientView]: ...
"""

from typing import Annotated

from litestar.params import QueryParameter

DEFAULT_LIMIT = 50
MAXIMUM_LIMIT = 200

Limit = Annotated[
    int,
    QueryParameter(
        ge=1, le=MAXIMUM_LIMIT, description=f"How many items at most; {DEFAULT_LIMIT} unless given."
    ),
]
Cursor = Annotated[
    str | None,
    QueryParameter(
        max_length=500, description="The `next_cursor` of the page before; leave it out for the first page."
    ),
]
