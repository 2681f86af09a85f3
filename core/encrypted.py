"""How a field is marked for encryption: in its annotation, of a document or of a Struct stored within one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Encrypted:
    """Marks a field as a direct identifier: `name: Annotated[str, Encrypted()]`.

    It is encrypted with the organization's key before it leaves the process. With `lookup` the encryption is
    deterministic, so that equality can be queried; equal values of one organization are then equal at rest.
    Only `str` fields (or `str | None`) can be encrypted.
    """

    lookup: bool = False
