"""From stored documents to the Structs that use cases return."""

from typing import TypeVar

import msgspec

from core.documents import TenantDocument

View = TypeVar("View", bound=msgspec.Struct)


def view_of(document: TenantDocument, view: type[View]) -> View:
    """The fields of `document` that `view` names."""
    return msgspec.convert(document, view, from_attributes=True, strict=False)
