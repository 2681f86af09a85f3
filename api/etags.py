"""Entity tags: an update says which version it is based on, so nobody overwrites what they have not seen.

A document's tag is its version in quotes. Reads carry it in `ETag`; `PATCH` and `PUT` repeat it in `If-Match`
(RFC 9110, section 13.1.1). Without it the answer is 428, with an old one 412.
"""

import re
from typing import Annotated, TypeVar

from litestar import Response
from litestar.params import HeaderParameter
from litestar.status_codes import HTTP_200_OK

from api.problems import PreconditionRequired
from core.errors import Stale

Content = TypeVar("Content")

IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description='The ETag that was read, for instance `"3"`. `*` accepts whatever version is there.',
        max_length=200,
        required=False,
    ),
]
"""Declare it as `if_match: IfMatch = None`, and pass it to `expected_version`."""

_STRONG_TAG = re.compile(r'"(\d{1,15})"')


def etag_of(version: int) -> str:
    """The entity tag of a document's version."""
    return f'"{version}"'


def expected_version(if_match: str | None) -> int | None:
    """The version an update is based on, for `Repository.update(expected_version=)`; None for `*`.

    `PreconditionRequired` without the header; `Stale` for a tag that no document of ours can have, a weak one
    included: `If-Match` compares strongly.
    """
    if if_match is None:
        raise PreconditionRequired("Send the ETag that you read, in an If-Match header.")
    if if_match.strip() == "*":
        return None
    tag = _STRONG_TAG.fullmatch(if_match.strip())
    if tag is None:
        raise Stale("This is not an ETag of the document. Read it again, then repeat your change.")
    return int(tag[1])


def tagged(content: Content, version: int, *, status_code: int = HTTP_200_OK) -> Response[Content]:
    """A response that carries the ETag of `version`."""
    return Response(content, status_code=status_code, headers={"ETag": etag_of(version)})
