"""Rules that every change of one's own credentials keeps."""

from collections.abc import Sequence
from datetime import timedelta

from core.access import Access, Transaction
from core.errors import Conflict, Forbidden, NotFound
from identity.documents import Account, Passkey, accounts, organizations, sign_in_sessions

RECENT = timedelta(minutes=10)
"""How fresh a sign-in must be for changing how one signs in."""


async def own_account(access: Access) -> Account:
    """The caller's account."""
    account = await accounts.find_one(access, {"subject_id": access.actor.id})
    if account is None:
        raise NotFound("There is no account to sign in with.")
    return account


async def require_recent_sign_in(access: Access, account: Account) -> None:
    """Raise `Forbidden` unless the caller proved who they are a moment ago.

    Asked only where there is something to protect: a member of staff with a second factor. A patient's phone,
    unlocked and bound to its sign-in, has no other proof to give than the passkey it is about to add.
    """
    if account.subject_kind == "patient" or not account.has_second_factor:
        return
    session = await sign_in_sessions.find_one(access, {"_id": access.actor.session_id})
    if session is None or access.now() - session.authenticated_at > RECENT:
        raise Forbidden("Sign in again to change how you sign in.", code="recent-sign-in-required")


async def require_remaining_factor(
    access: Access, account: Account, *, totp: bool, passkeys: Sequence[Passkey]
) -> None:
    """Raise `Conflict` if staff would be left without the second factor that the organization requires."""
    organization = await organizations.get(access, access.organization_id)
    required = organization.second_factor_required and account.subject_kind == "staff"
    if required and not totp and not passkeys:
        raise Conflict("Your organization requires a second factor: set up another one first.")


async def settle_enrolment(tx: Transaction) -> None:
    """Open the caller's session fully: the second factor that it was waiting for is there."""
    session = await sign_in_sessions.find_one(tx, {"_id": tx.actor.session_id})
    if session is not None and session.enrolment_only:
        await sign_in_sessions.update(tx, session.id, {"enrolment_only": False, "authenticated_at": tx.now()})
