"""Sign-in sessions: opened, kept alive by rotating refresh tokens, and ended.

A refresh token is good once. The one that is older than the newest may be redeemed again for a short while,
because the answer to a refresh can get lost on the way to a phone; it then yields the same successor. Any
other reuse means that two parties hold tokens of one session, and ends it for both (RFC 9700, section
4.14.2).
"""

from datetime import datetime, timedelta

import msgspec

from core.access import Access, Actor, Transaction
from core.errors import NotFound
from identity.authority import Authority
from identity.device_keys import DeviceKey, proves_possession
from identity.documents import (
    Account,
    Organization,
    SessionPolicy,
    SignInSession,
    organizations,
    sign_in_sessions,
)
from identity.events import RefreshTokenReused, SignedIn
from identity.tokens import (
    ACCESS_TOKEN_S,
    AccessClaims,
    InvalidToken,
    RefreshToken,
    equal,
    new_secret,
    refresh_secret,
)

LOST_ANSWER_GRACE = timedelta(seconds=60)


class Device(msgspec.Struct, frozen=True):
    """What signs in: a name for people to recognise it by, and the public half of its key."""

    name: str | None = None
    key: DeviceKey | None = None


class IssuedTokens(msgspec.Struct, frozen=True):
    """What a client needs to act for the person who signed in."""

    access_token: str
    expires_in_s: int
    refresh_token: str


class Admission(msgspec.Struct, frozen=True):
    """Somebody has been let in. With `enrolment_only`, just far enough to enrol a second factor."""

    session: SignInSession
    tokens: IssuedTokens
    actor: Actor

    @property
    def enrolment_only(self) -> bool:
        return self.session.enrolment_only


async def open_session(tx: Transaction, account: Account, device: Device, *, method: str) -> SignInSession:
    """Begin a session for the account's owner, who has just proved who they are by `method`."""
    organization = await organizations.get(tx, tx.organization_id)
    if device.key is not None:
        device.key.public_key()
    idle_s, lifetime_s = _limits(organization.sessions, account, device)
    now = tx.now()
    session = await sign_in_sessions.insert(
        tx,
        SignInSession(
            id=sign_in_sessions.new_id(),
            organization_id=tx.organization_id,
            account_id=account.id,
            subject_kind=account.subject_kind,
            subject_id=account.subject_id,
            device_name=device.name,
            device_key=None if device.key is None else device.key.to_jwk(),
            enrolment_only=_must_enrol(organization, account),
            refresh_seed=new_secret(),
            rotated_at=now,
            authenticated_at=now,
            idle_s=idle_s,
            expires_at=now + timedelta(seconds=lifetime_s),
        ),
    )
    patient_id = account.subject_id if account.subject_kind == "patient" else None
    await tx.publish(
        SignedIn(subject_id=account.subject_id, session_id=session.id, method=method, patient_id=patient_id)
    )
    return session


def tokens_for(authority: Authority, session: SignInSession, now: datetime) -> IssuedTokens:
    """The newest pair of tokens of `session`."""
    claims = AccessClaims(
        organization_id=session.organization_id,
        session_id=session.id,
        subject_id=session.subject_id,
        expires_at=int(min(now + timedelta(seconds=ACCESS_TOKEN_S), session.expires_at).timestamp()),
    )
    refresh_token = RefreshToken(
        session.organization_id,
        session.id,
        session.generation,
        refresh_secret(session.refresh_seed, session.id, session.generation),
    )
    return IssuedTokens(
        access_token=authority.access_tokens.sign(claims, now),
        expires_in_s=claims.expires_at - int(now.timestamp()),
        refresh_token=str(refresh_token),
    )


async def refresh(authority: Authority, refresh_token: str, device_proof: str | None = None) -> IssuedTokens:
    """New tokens for a refresh token, which is spent by this.

    `device_proof` is required where the session is bound to a device (see `device_keys`).

    Raises:
        InvalidToken: malformed, forged, spent, expired or ended, or the proof is missing or wrong.
    """
    token = RefreshToken.parse(refresh_token)
    system = authority.database.as_system(token.organization_id, "refresh")
    try:
        found = await sign_in_sessions.get(system, token.session_id)
    except NotFound as error:  # made up, long over, or the organization's keys were destroyed
        raise InvalidToken from error
    owner = Actor(
        organization_id=found.organization_id,
        kind=found.subject_kind,
        id=found.subject_id,
        session_id=found.id,
    )

    async def rotate(tx: Transaction) -> SignInSession | None:
        session = await sign_in_sessions.get(tx, found.id)
        _require_genuine(session, token, device_proof, tx.now())
        if token.generation == session.generation:
            return await sign_in_sessions.update(
                tx, session.id, {"generation": session.generation + 1, "rotated_at": tx.now()}
            )
        lost_answer = token.generation == session.generation - 1
        if lost_answer and tx.now() - session.rotated_at <= LOST_ANSWER_GRACE:
            return session
        await _revoke(tx, session, "refresh token reused")
        await tx.publish(RefreshTokenReused(subject_id=session.subject_id, session_id=session.id))
        return None

    rotated = await authority.database.access(owner).transact(rotate)
    if rotated is None:
        authority.callers.forget_session(found.id)
        raise InvalidToken
    return tokens_for(authority, rotated, authority.database.clock())


async def sign_out(authority: Authority, access: Access) -> None:
    """End the session that the caller uses."""
    session_id = access.actor.session_id
    if session_id is None:
        raise NotFound("There is no session to end.")

    async def write(tx: Transaction) -> None:
        await _revoke(tx, await sign_in_sessions.get(tx, session_id), "signed out")

    await access.transact(write)
    authority.callers.forget_session(session_id)


async def sign_out_everywhere(authority: Authority, access: Access) -> int:
    """End every session of the caller, on all devices; returns how many there were.

    Holds at once in this process and within `authentication.SESSION_CHECK_S` in every other.
    """

    async def write(tx: Transaction) -> int:
        return await end_sessions(tx, access.actor.id, "signed out everywhere")

    ended = await access.transact(write)
    authority.callers.forget_subject(access.actor.id)
    return ended


async def end_sessions(tx: Transaction, subject_id: str, reason: str, *, but: str | None = None) -> int:
    """End every session of a member of staff or patient, except `but`; returns how many were open."""
    sessions = await sign_in_sessions.find(tx, {"subject_id": subject_id, "revoked_at": None})
    for session in sessions:
        if session.id != but:
            await _revoke(tx, session, reason)
    return len(sessions)


def _limits(policy: SessionPolicy, account: Account, device: Device) -> tuple[int, int]:
    if account.subject_kind == "staff":
        return policy.staff_idle_s, policy.staff_lifetime_s
    if device.key is None:
        return policy.patient_unbound_lifetime_s, policy.patient_unbound_lifetime_s
    return policy.patient_idle_s, policy.patient_lifetime_s


def _must_enrol(organization: Organization, account: Account) -> bool:
    return (
        organization.second_factor_required
        and account.subject_kind == "staff"
        and not account.has_second_factor
    )


def _require_genuine(
    session: SignInSession, token: RefreshToken, device_proof: str | None, now: datetime
) -> None:
    """Raise `InvalidToken` unless we made this token, its session is alive and the right device sent it."""
    expected = refresh_secret(session.refresh_seed, session.id, token.generation)
    genuine = equal(token.secret, expected) and token.generation <= session.generation
    idle_until = session.rotated_at + timedelta(seconds=session.idle_s)
    alive = session.revoked_at is None and now < min(session.expires_at, idle_until)
    if not genuine or not alive:
        raise InvalidToken
    key = session.bound_to
    if key is not None and (device_proof is None or not proves_possession(key, str(token), device_proof)):
        raise InvalidToken


async def _revoke(tx: Transaction, session: SignInSession, reason: str) -> None:
    if session.revoked_at is None:
        await sign_in_sessions.update(tx, session.id, {"revoked_at": tx.now(), "revoked_reason": reason})
