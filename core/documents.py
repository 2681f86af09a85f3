"""What every stored document has in common."""

from datetime import datetime
from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from core.clock import utc_now
from core.closed_doors import ClosedDocument
from core.stored_structs import BSON_ENCODERS


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
        bson_encoders: ClassVar[dict[Any, Any]] = BSON_ENCODERS
        validate_on_save = True


class PatientDocument(TenantDocument):
    """A document about one patient. The repository narrows it further than to the organization:

    a patient reaches only what is about themselves, and staff only the locations they work at.
    """

    patient_id: str
    location_id: str
    """Where the patient is treated; moves with the patient."""
