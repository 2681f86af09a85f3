"""Facts about sign-in that other rooms and the audit log may want to know."""

from typing import ClassVar

from core.events import Event


class SignedIn(Event, frozen=True, kw_only=True):
    """Somebody proved who they are; `method` says how."""

    name: ClassVar[str] = "identity.signed_in"
    subject_id: str
    session_id: str
    method: str


class RefreshTokenReused(Event, frozen=True, kw_only=True):
    """A refresh token came a second time: it or its successor was stolen. The session was ended."""

    name: ClassVar[str] = "identity.refresh_token_reused"
    subject_id: str
    session_id: str


class InvitationAccepted(Event, frozen=True, kw_only=True):
    """An invited member of staff or patient took possession of their account."""

    name: ClassVar[str] = "identity.invitation_accepted"
    subject_id: str


class EmergencyAccessOpened(Event, frozen=True, kw_only=True):
    """Somebody reached beyond their locations to one patient's record; the reason is stored with it."""

    name: ClassVar[str] = "identity.emergency_access_opened"
    staff_id: str
    emergency_access_id: str
