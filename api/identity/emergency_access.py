"""Routes of emergency access: open it, and review who did."""

from typing import Annotated

import msgspec
from litestar import Controller, get, post
from litestar.params import JSONBody

from api.authorization import needs
from api.dependencies import Given
from api.pagination import DEFAULT_LIMIT, Cursor, Limit
from care.documents import patients
from core.access import Access
from core.pages import Page
from identity.authority import Authority
from identity.emergency import (
    SHORTEST_REASON,
    EmergencyAccessView,
    OpenedEmergencyAccess,
    list_emergency_access,
    open_emergency_access,
)
from identity.policy import Permission


class EmergencyAccessForm(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Whose record is needed, and why. The managers of the patient's location are shown the reason."""

    patient_id: Annotated[str, msgspec.Meta(max_length=40)]
    reason: Annotated[
        str,
        msgspec.Meta(
            min_length=SHORTEST_REASON,
            max_length=1000,
            examples=["Fell in the waiting room; her therapist cannot be reached."],
        ),
    ]


class _Place(msgspec.Struct, frozen=True):
    location_id: str


class EmergencyAccessController(Controller):
    path = "/emergency-access"
    tags = ("Emergency access",)

    @post("/", opt=needs(Permission.EMERGENCY_ACCESS_USE))
    async def open_emergency_access(
        self,
        authority: Given[Authority],
        access: Given[Access],
        data: JSONBody[EmergencyAccessForm],
    ) -> OpenedEmergencyAccess:
        """Open one patient's record for an hour, beyond one's own locations."""
        # The caller need not reach the patient, that is the point: the system looks where they are treated.
        everywhere = authority.database.as_system(access.organization_id, "emergency access")
        patient = await patients.get(everywhere, data.patient_id, view=_Place)
        return await open_emergency_access(
            authority,
            access,
            patient_id=data.patient_id,
            location_id=patient.location_id,
            reason=data.reason,
        )

    @get("/", opt=needs(Permission.EMERGENCY_ACCESS_REVIEW))
    async def list_emergency_access(
        self, access: Given[Access], limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
    ) -> Page[EmergencyAccessView]:
        """List who used emergency access, and why."""
        return await list_emergency_access(access, limit=limit, cursor=cursor)
