"""Invitations: how staff and patients come by their first credentials, or by new ones.

The link and the code travel on separate channels (say, the link by e-mail or as a QR code, the code by word
of mouth), so that neither a forwarded message nor a glance at a screen is enough. An invitation is good
once, for a limited time and for few guesses; a newer one for the same person replaces it.
"""

import re
import secrets
from datetime import datetime, timedelta

import msgspec

from core.access import Access, Transaction
from core.errors import Conflict
from identity.authority import Authority
from identity.documents import Account, Invitation, accounts, invitations, organizations, staff
from identity.events import InvitationAccepted
from identity.lockout import ATTEMPTS_BY_ADDRESS
from identity.passwords import hash_password, require_strength
from identity.sessions import Admission, Device, end_sessions
from identity.sign_in import (
    SecondFactorRequired,
    WrongCredentials,
    actor_of,
    admit_within,
    second_factor_challenge,
)
from identity.tokens import SubjectKind, digest, equal, new_secret

PATIENT_VALIDITY = timedelta(days=7)
STAFF_VALIDITY = timedelta(days=3)
MOST_ATTEMPTS = 5
_CODE_DIGITS = 8

_TOKEN = re.compile(
    r"hsi_(?P<organization>org_[0-9a-z]{1,26})\.(?P<invitation>inv_[0-9a-z]{1,26})\.(?P<secret>[A-Za-z0-9_-]{43})"
)


class IssuedInvitation(msgspec.Struct, frozen=True):
    """What to hand over: the link on one channel, the code on another. Shown this once."""

    link: str
    code: str
    expires_at: datetime


class UnusableInvitation(WrongCredentials):
    """There is no such invitation, it is used, expired or guessed at too often, or the code is wrong."""

    code = "invitation-unusable"

    def __init__(self) -> None:
        super().__init__("This link and code do not work (any more). Ask your clinic for a new invitation.")


async def invite_patient(access: Access, patient_id: str, *, public_url: str) -> IssuedInvitation:
    """Invite a patient whom the caller is known to reach. Replaces an earlier invitation."""
    link = f"{public_url}/app/#/invitation/"
    return await _invite(access, "patient", patient_id, link, PATIENT_VALIDITY)


async def invite_staff(access: Access, staff_id: str, *, public_url: str) -> IssuedInvitation:
    """Invite a member of staff to choose a password, also if they have forgotten theirs.

    `Conflict` if they do not work here any more.
    """
    member = await staff.get(access, staff_id)
    if not member.active:
        raise Conflict("This person does not work here any more.")
    link = f"{public_url}/app/#/staff-invitation/"
    return await _invite(access, "staff", staff_id, link, STAFF_VALIDITY)


async def accept_as_patient(
    authority: Authority, *, token: str, code: str, device: Device, client_address: str
) -> Admission:
    """Let the invited patient in on this device.

    Raises:
        UnusableInvitation: link and code do not open anything.
        TooManyRequests: too many attempts from this client.
    """
    invitation = await _redeemable(authority, "patient", token, code, client_address)
    actor = await actor_of(authority, invitation)

    async def write(tx: Transaction) -> Admission:
        account = await _take_possession(tx, invitation)
        return await admit_within(tx, authority, account, device, method="invitation")

    return await authority.database.access(actor).transact(write)


async def accept_as_staff(
    authority: Authority, *, token: str, code: str, password: str, device: Device, client_address: str
) -> Admission | SecondFactorRequired:
    """Let the invited member of staff choose a password. Sessions opened with an older one end.

    Raises:
        UnusableInvitation: link and code do not open anything.
        Invalid: the password is too weak; the invitation stays good.
        TooManyRequests: too many attempts from this client.
    """
    invitation = await _redeemable(authority, "staff", token, code, client_address)
    actor = await actor_of(authority, invitation)
    system = authority.database.as_system(invitation.organization_id, "invitation")
    member = await staff.get(system, invitation.subject_id)
    organization = await organizations.get(system, invitation.organization_id)
    require_strength(password, (member.name, member.email, organization.name))
    password_hash = await hash_password(password)

    async def write(tx: Transaction) -> Admission | SecondFactorRequired:
        account = await _take_possession(tx, invitation)
        account = await accounts.update(tx, account.id, {"password_hash": password_hash})
        await end_sessions(tx, account.subject_id, "password changed")
        if account.has_second_factor:
            return second_factor_challenge(authority, account)
        return await admit_within(tx, authority, account, device, method="invitation")

    outcome = await authority.database.access(actor).transact(write)
    authority.callers.forget_subject(invitation.subject_id)
    return outcome


async def _invite(
    access: Access, kind: SubjectKind, subject_id: str, link: str, validity: timedelta
) -> IssuedInvitation:
    secret = new_secret()
    code = f"{secrets.randbelow(10**_CODE_DIGITS):0{_CODE_DIGITS}}"
    invitation = Invitation(
        id=invitations.new_id(),
        organization_id=access.organization_id,
        subject_kind=kind,
        subject_id=subject_id,
        token_hash=digest(secret),
        # Eight digits alone are found by trying all; together with the link's secret they are not.
        code_hash=digest(secret, code),
        expires_at=access.now() + validity,
    )

    async def write(tx: Transaction) -> None:
        for earlier in await invitations.find(tx, {"subject_id": subject_id, "closed_at": None}):
            await invitations.update(tx, earlier.id, {"closed_at": tx.now()})
        await invitations.insert(tx, invitation)

    await access.transact(write)
    token = f"hsi_{access.organization_id}.{invitation.id}.{secret}"
    return IssuedInvitation(f"{link}{token}", code, invitation.expires_at)


async def _redeemable(
    authority: Authority, kind: SubjectKind, token: str, code: str, client_address: str
) -> Invitation:
    """The open invitation that link and code fit. The last wrong code that is allowed closes it."""
    await authority.database.rate_limits.hit(client_address, ATTEMPTS_BY_ADDRESS)
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise UnusableInvitation
    secret = match["secret"]
    system = authority.database.as_system(match["organization"], "invitation")

    found = await invitations.find_one(system, {"_id": match["invitation"], "subject_kind": kind})
    if found is None or not equal(found.token_hash, digest(secret)):
        raise UnusableInvitation

    async def attempt(tx: Transaction) -> Invitation | None:
        invitation = await invitations.get(tx, found.id)
        if invitation.closed_at is not None or invitation.expires_at <= tx.now():
            return None
        right = equal(invitation.code_hash, digest(secret, "".join(code.split())))
        attempts = invitation.attempts if right else invitation.attempts + 1
        closed_at = tx.now() if attempts >= MOST_ATTEMPTS else None
        # Written for a right code too: of many guesses at the same moment, one is checked after the other.
        await invitations.update(tx, invitation.id, {"attempts": attempts, "closed_at": closed_at})
        return invitation if right else None

    invitation = await system.transact(attempt)
    if invitation is None:
        raise UnusableInvitation
    return invitation


async def _take_possession(tx: Transaction, invitation: Invitation) -> Account:
    """Close the invitation and make sure that its owner has an account."""
    present = await invitations.get(tx, invitation.id)
    if present.closed_at is not None:
        raise UnusableInvitation
    await invitations.update(tx, invitation.id, {"closed_at": tx.now()})
    patient_id = invitation.subject_id if invitation.subject_kind == "patient" else None
    await tx.publish(InvitationAccepted(subject_id=invitation.subject_id, patient_id=patient_id))
    account = await accounts.find_one(tx, {"subject_id": invitation.subject_id})
    if account is not None:
        return account
    return await accounts.insert(
        tx,
        Account(
            id=accounts.new_id(),
            organization_id=invitation.organization_id,
            subject_kind=invitation.subject_kind,
            subject_id=invitation.subject_id,
        ),
    )
