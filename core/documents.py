"""What every stored document has in common, and how a field is marked for encryption."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from core.clock import utc_now
from core.closed_doors import ClosedDocument


@dataclass(frozen=True, slots=True)
class Encrypted:
    """Marks a field as a direct identifier: `name: Annotated[str, Encrypted()]`.

    It is encrypted with the organization's key before it leaves the process. With `lookup` the encryption is
    deterministic, so that equality can be queried; equal values of one organization are then equal at rest.
    Only `str` fields (or `str | None`) can be encrypted.
    """

    lookup: bool = False


def _as_it_is(instant: datetime) -> datetime:
    return instant


class TenantDocument(ClosedDocument):
    """A document of one organization. Query it through a `Repository`, never through the class itself."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    id_prefix: ClassVar[str]
    """What ids of this kind begin with, for instance `pat`."""
    health_data: ClassVar[bool] = True
    """Whether reads by people are written to the audit log."""

    id: str  # type: ignore[assignment]  # pyright: ignore[reportIncompatibleVariableOverride] - our ids are strings
    organization_id: str
    version: int = 1
    created_at: datetime = Field(default_factory=utc_now)
    updated_at: datetime = Field(default_factory=utc_now)

    class Settings:
        name: ClassVar[str]
        """The collection."""
        # A datetime is a date too: named first, it keeps BSON's own form.
        bson_encoders: ClassVar[dict[Any, Any]] = {datetime: _as_it_is, date: date.isoformat}
        validate_on_save = True


class PatientDocument(TenantDocument):
    """A document about one patient. The repository narrows it further than to the organization:

    a patient reaches only what is about themselves, and staff only the locations they work at.
    """

    patient_id: str
    location_id: str
    """Where the patient is treated; moves with the patient."""
