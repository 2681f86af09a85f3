"""Emergency access ("break the glass"): one patient's record, beyond one's locations, for an hour, logged.

Required by 45 CFR 164.312(a)(2)(ii). Whoever treats may open it without asking; it takes a typed reason,
which every entry of the audit log made meanwhile carries, and the managers of the patient's location are
shown it.
"""

from datetime import datetime, timedelta

import msgspec

from core.access import Access, Transaction
from core.errors import FieldFault, Forbidden, Invalid
from core.pages import Page
from identity.authority import Authority
from identity.documents import EmergencyAccess, emergency_accesses
from identity.events import EmergencyAccessOpened
from identity.tokens import AccessClaims

DURATION = timedelta(minutes=60)
SHORTEST_REASON = 15


class OpenedEmergencyAccess(msgspec.Struct, frozen=True):
    """A token that reaches one patient's record; it cannot be renewed."""

    id: str
    access_token: str
    expires_in_s: int


class EmergencyAccessView(msgspec.Struct, frozen=True):
    """Who opened which patient's record, when and why."""

    id: str
    staff_id: str
    patient_id: str
    location_id: str
    reason: str
    opened_at: datetime
    expires_at: datetime


async def open_emergency_access(
    authority: Authority, access: Access, *, patient_id: str, location_id: str, reason: str
) -> OpenedEmergencyAccess:
    """Reach one patient of the organization, treated at `location_id`, for an hour.

    The caller has made sure that there is such a patient.

    Raises:
        Invalid: the reason is not a sentence.
        Forbidden: not a signed-in member of staff.
    """
    reason = " ".join(reason.split())
    if len(reason) < SHORTEST_REASON:
        fault = FieldFault("/reason", f"state the reason in at least {SHORTEST_REASON} characters")
        raise Invalid("Emergency access needs a reason.", [fault])
    session_id = access.actor.session_id
    if session_id is None or access.actor.kind != "staff":
        raise Forbidden("Only staff can use emergency access.")
    now = access.now()
    opened = EmergencyAccess(
        id=emergency_accesses.new_id(),
        organization_id=access.organization_id,
        staff_id=access.actor.id,
        session_id=session_id,
        patient_id=patient_id,
        location_id=location_id,
        reason=reason,
        opened_at=now,
        expires_at=now + DURATION,
    )

    async def write(tx: Transaction) -> None:
        await emergency_accesses.insert(tx, opened)
        await tx.publish(
            EmergencyAccessOpened(
                patient_id=patient_id, staff_id=opened.staff_id, emergency_access_id=opened.id
            )
        )

    await access.transact(write)
    claims = AccessClaims(
        organization_id=access.organization_id,
        session_id=session_id,
        subject_id=access.actor.id,
        expires_at=int(opened.expires_at.timestamp()),
        emergency_access_id=opened.id,
    )
    return OpenedEmergencyAccess(
        id=opened.id,
        access_token=authority.access_tokens.sign(claims, now),
        expires_in_s=claims.expires_at - int(now.timestamp()),
    )


async def list_emergency_access(
    access: Access, *, limit: int, cursor: str | None
) -> Page[EmergencyAccessView]:
    """Every use of emergency access at the caller's locations, newest first."""
    reach = access.actor.location_ids
    query = {} if reach is None else {"location_id": {"$in": sorted(reach)}}
    return await emergency_accesses.page(
        access,
        query,
        view=EmergencyAccessView,
        limit=limit,
        cursor=cursor,
        sort="opened_at",
        descending=True,
    )
