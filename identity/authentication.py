"""From an access token to the caller, on every request: fast, and never long after the fact.

The signature of a token is checked once and remembered. What the token names is looked at again every few
seconds: whether the session still stands, and which roles and locations its owner has now. Signing out,
losing a role or being deactivated therefore takes effect within `SESSION_CHECK_S` in every process, and at
once in the one that did it.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from core.access import Access, Actor
from core.database import Database
from identity.callers import Caller
from identity.documents import emergency_accesses, sign_in_sessions, staff
from identity.policy import EMERGENCY_PERMISSIONS, ENROLMENT_PERMISSIONS, permissions_of
from identity.tokens import AccessClaims, InvalidToken, SubjectKind, TokenSigner

SESSION_CHECK_S = 5.0
"""How long the state of a session is taken for granted."""

_REMEMBERED_TOKENS = 8192
_REMEMBERED_SESSIONS = 8192

Key = TypeVar("Key")
Value = TypeVar("Value")


class _Session(msgspec.Struct, frozen=True):
    id: str
    subject_kind: SubjectKind
    subject_id: str
    enrolment_only: bool
    expires_at: datetime
    revoked_at: datetime | None


class _Staff(msgspec.Struct, frozen=True):
    id: str
    roles: list[str]
    location_ids: list[str] | None
    active: bool


class _Emergency(msgspec.Struct, frozen=True):
    id: str
    session_id: str
    patient_id: str
    reason: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Standing:
    """A caller as they stood when last looked at."""

    caller: Caller
    valid_until: float
    checked_at: float


class Authenticator:
    """Turns access tokens into callers, for one process."""

    def __init__(
        self, database: Database, signer: TokenSigner, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._signer = signer
        self._monotonic = monotonic
        self._claims = _Recent[bytes, AccessClaims](_REMEMBERED_TOKENS)
        self._standings = _Recent[tuple[str, str | None], _Standing](_REMEMBERED_SESSIONS)
        self._unsettled: dict[str, float] = {}

    async def caller(self, token: str) -> Caller:
        """Who stands behind an access token; `InvalidToken` if it is not, or no longer, valid."""
        claims = self._read(token)
        key = (claims.session_id, claims.emergency_access_id)
        standing = self._standings.get(key)
        if standing is None or self._monotonic() - standing.checked_at >= SESSION_CHECK_S:
            standing = await self._look(claims)
            if not self._is_unsettled(claims):
                self._standings.put(key, standing)
        if standing.valid_until <= self._database.clock().timestamp():
            raise InvalidToken
        return standing.caller

    def forget_session(self, session_id: str) -> None:
        """Look at this session again before trusting it."""
        self._forget(session_id, lambda standing: standing.caller.actor.session_id == session_id)

    def forget_subject(self, subject_id: str) -> None:
        """Look at every session of this member of staff or patient again before trusting it."""
        self._forget(subject_id, lambda standing: standing.caller.actor.id == subject_id)

    def _forget(self, id_: str, concerns: Callable[[_Standing], bool]) -> None:
        now = self._monotonic()
        self._unsettled = {other: until for other, until in self._unsettled.items() if until > now}
        self._unsettled[id_] = now + SESSION_CHECK_S
        self._standings.drop(concerns)

    def _is_unsettled(self, claims: AccessClaims) -> bool:
        """Whether what was just read may be out of date: read before a change, or before it was committed."""
        now = self._monotonic()
        ids = (claims.session_id, claims.subject_id)
        return any(self._unsettled.get(id_, now) > now for id_ in ids)

    def _read(self, token: str) -> AccessClaims:
        digest = hashlib.sha256(token.encode()).digest()
        now = self._database.clock()
        claims = self._claims.get(digest)
        if claims is None:
            claims = self._signer.read(token, AccessClaims, now)
            self._claims.put(digest, claims)
        if claims.expires_at <= now.timestamp():
            raise InvalidToken
        return claims

    async def _look(self, claims: AccessClaims) -> _Standing:
        access = self._database.as_system(claims.organization_id, "authentication")
        session = await sign_in_sessions.find_one(access, {"_id": claims.session_id}, view=_Session)
        if session is None or session.revoked_at is not None or session.subject_id != claims.subject_id:
            raise InvalidToken
        actor = await self._actor(access, session)
        permissions = permissions_of(actor)
        valid_until = session.expires_at
        if session.enrolment_only:
            permissions &= ENROLMENT_PERMISSIONS
        if claims.emergency_access_id is not None:
            emergency = await emergency_accesses.find_one(
                access, {"_id": claims.emergency_access_id, "session_id": session.id}, view=_Emergency
            )
            if emergency is None:
                raise InvalidToken
            actor = _reaching_one_patient(actor, emergency)
            permissions &= EMERGENCY_PERMISSIONS
            valid_until = min(valid_until, emergency.expires_at)
        return _Standing(Caller(actor, permissions), valid_until.timestamp(), self._monotonic())

    async def _actor(self, access: Access, session: _Session) -> Actor:
        if session.subject_kind == "patient":
            return Actor(
                organization_id=access.organization_id,
                kind="patient",
                id=session.subject_id,
                session_id=session.id,
            )
        member = await staff.find_one(access, {"_id": session.subject_id}, view=_Staff)
        if member is None or not member.active:
            raise InvalidToken
        return Actor(
            organization_id=access.organization_id,
            kind="staff",
            id=member.id,
            roles=frozenset(member.roles),
            location_ids=None if member.location_ids is None else frozenset(member.location_ids),
            session_id=session.id,
        )


def _reaching_one_patient(actor: Actor, emergency: _Emergency) -> Actor:
    return Actor(
        organization_id=actor.organization_id,
        kind=actor.kind,
        id=actor.id,
        roles=actor.roles,
        location_ids=None,
        session_id=actor.session_id,
        emergency_reason=emergency.reason,
        emergency_patient_id=emergency.patient_id,
    )


class _Recent(Generic[Key, Value]):
    """The most recently used values, at most `size` of them."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Key, Value] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: Key, value: Value) -> None:
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._size:
            self._values.popitem(last=False)

    def drop(self, concerns: Callable[[Value], bool]) -> None:
        for key in [key for key, value in self._values.items() if concerns(value)]:
            del self._values[key]
