"""Signing in with e-mail and password: the first step of staff.

Every refusal looks alike and costs alike. An unknown address, a wrong password and a deactivated account all
read the same collections, verify one Argon2id hash and answer with the same words.
"""

from typing import Literal

import msgspec
import structlog

from core.access import Actor, Transaction
from core.directory import Entry
from core.errors import NotFound, Unauthenticated
from identity.authority import Authority
from identity.challenges import issue_challenge
from identity.documents import Account, Invitation, StaffMember, accounts, staff
from identity.lockout import PASSWORD_BY_EMAIL, counted
from identity.passwords import verify_password
from identity.sessions import Admission, Device, open_session, tokens_for

EMAIL_DIRECTORY = "staff-email"
"""Where the organizations of an e-mail address are looked up."""

_MOST_ORGANIZATIONS = 5
_NOBODY = Entry(organization_id="org_nobody", subject_id="stf_nobody")

Factor = Literal["totp", "passkey"]

_log = structlog.get_logger(__name__)


class WrongCredentials(Unauthenticated):
    """What was given does not fit together; which part of it is not said."""

    code = "wrong-credentials"


class SecondFactorRequired(msgspec.Struct, frozen=True):
    """The password was right; now one of `factors` is needed, within five minutes, citing `challenge`."""

    challenge: str
    factors: list[Factor]
    account: Account


def normal_email(email: str) -> str:
    """The form in which addresses are compared and stored."""
    return email.strip().casefold()


async def sign_in(
    authority: Authority,
    *,
    email: str,
    password: str,
    device: Device,
    client_address: str,
    organization_id: str | None = None,
) -> Admission | SecondFactorRequired:
    """Check e-mail and password. Somebody who works for several organizations may say which is meant.

    Raises:
        WrongCredentials: there is no such account, or the password is another.
        TooManyRequests: too many wrong passwords for this address, or from this client.
    """
    email = normal_email(email)
    async with counted(authority.database.rate_limits, PASSWORD_BY_EMAIL, email, client_address):
        found = await _whose(authority, email, password, organization_id)
        if found is None:
            _log.info("sign_in.refused", client_address=client_address)
            raise WrongCredentials("The e-mail address or the password is wrong.")
    member, account = found
    if account.has_second_factor:
        return second_factor_challenge(authority, account)
    return await admit(authority, member_actor(member), account, device, method="password")


async def admit(
    authority: Authority, actor: Actor, account: Account, device: Device, *, method: str
) -> Admission:
    """Open a session for somebody who has proved everything that is asked of them."""

    async def write(tx: Transaction) -> Admission:
        return await admit_within(tx, authority, account, device, method=method)

    return await authority.database.access(actor).transact(write)


async def admit_within(
    tx: Transaction, authority: Authority, account: Account, device: Device, *, method: str
) -> Admission:
    """As `admit`, together with what else the transaction does."""
    session = await open_session(tx, account, device, method=method)
    return Admission(session, tokens_for(authority, session, tx.now()), tx.actor)


def second_factor_challenge(authority: Authority, account: Account) -> SecondFactorRequired:
    """The question for the second factor of an account whose password was right."""
    factors: list[Factor] = []
    if account.totp_secret is not None:
        factors.append("totp")
    if account.passkeys:
        factors.append("passkey")
    return SecondFactorRequired(issue_challenge(authority, "second_factor", account), factors, account)


def member_actor(member: StaffMember) -> Actor:
    """The actor that a member of staff is."""
    return Actor(
        organization_id=member.organization_id,
        kind="staff",
        id=member.id,
        roles=frozenset(member.roles),
        location_ids=None if member.location_ids is None else frozenset(member.location_ids),
    )


async def actor_of(authority: Authority, owned: Account | Invitation) -> Actor:
    """The actor to whom this belongs; `WrongCredentials` if it is a member of staff who has left."""
    if owned.subject_kind == "patient":
        return Actor(organization_id=owned.organization_id, kind="patient", id=owned.subject_id)
    system = authority.database.as_system(owned.organization_id, "sign-in")
    member = await staff.find_one(system, {"_id": owned.subject_id, "active": True})
    if member is None:
        raise WrongCredentials("This sign-in is not possible any more.")
    return member_actor(member)


async def _whose(
    authority: Authority, email: str, password: str, organization_id: str | None
) -> tuple[StaffMember, Account] | None:
    """The person whose password this is. Verifies a hash even if nobody has this address."""
    entries = [
        entry
        for entry in await authority.database.directory.find(EMAIL_DIRECTORY, email)
        if organization_id in (None, entry.organization_id)
    ]
    match: tuple[StaffMember, Account] | None = None
    for entry in entries[:_MOST_ORGANIZATIONS] or [_NOBODY]:
        member, account = await _load(authority, entry)
        usable = member is not None and member.active and account is not None
        verified = await verify_password(password, account.password_hash if account and usable else None)
        if verified and match is None and member is not None and account is not None:
            match = (member, account)
    return match


async def _load(authority: Authority, entry: Entry) -> tuple[StaffMember | None, Account | None]:
    system = authority.database.as_system(entry.organization_id, "sign-in")
    try:
        member = await staff.find_one(system, {"_id": entry.subject_id})
        account = await accounts.find_one(system, {"subject_id": entry.subject_id})
    except NotFound:  # the organization's keys were destroyed
        return None, None
    return member, account
