"""The audit log: who did what to which documents, and whether the log itself is as it was written."""

from datetime import UTC, datetime
from typing import Annotated

from litestar import Controller, get
from litestar.params import QueryParameter

from api.authorization import needs
from api.dependencies import Given
from api.pagination import DEFAULT_LIMIT, Cursor, Limit
from core import audit_review
from core.access import Access
from core.audit_review import AuditEntry, Verification
from core.errors import FieldFault, Invalid
from core.pages import Page
from identity.policy import Permission

_PatientFilter = Annotated[
    str | None, QueryParameter(max_length=100, description="Only what was done to this patient's documents.")
]
_ActorFilter = Annotated[
    str | None, QueryParameter(max_length=100, description="Only what this person or job did.")
]
_From = Annotated[datetime | None, QueryParameter(name="from", description="Only from this instant on.")]
_To = Annotated[datetime | None, QueryParameter(name="to", description="Only before this instant.")]


class AuditController(Controller):
    path = "/audit"
    tags = ("Audit",)

    @get("/", opt=needs(Permission.AUDIT_READ))
    async def list_audit_entries(
        self,
        *,
        access: Given[Access],
        patient_id: _PatientFilter = None,
        actor_id: _ActorFilter = None,
        since: _From = None,
        until: _To = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[AuditEntry]:
        """Read the audit log, the newest entries first. Reading it is recorded too."""
        return await audit_review.page(
            access,
            limit=limit,
            cursor=cursor,
            patient_id=patient_id,
            actor_id=actor_id,
            since=_instant("/from", since),
            until=_instant("/to", until),
        )

    @get("/verification", opt=needs(Permission.AUDIT_READ))
    async def verify_audit_log(self, access: Given[Access]) -> Verification:
        """Check every entry of the organization's audit log, and that none is missing."""
        return await audit_review.verify(access.database, access.organization_id)


def _instant(pointer: str, given: datetime | None) -> datetime | None:
    """The instant in UTC; `Invalid` if it is ambiguous, or beyond the years that have a number."""
    if given is None:
        return None
    try:
        if given.tzinfo is not None:
            return given.astimezone(UTC)
    except OverflowError:
        pass
    fault = "expected an instant with its offset from UTC, such as 2026-03-02T14:30:00Z"
    raise Invalid("This is not an instant.", [FieldFault(pointer, fault)])
