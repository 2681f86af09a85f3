"""Changing one's own password."""

from core.access import Access, Transaction
from core.errors import FieldFault, Invalid
from identity.authority import Authority
from identity.documents import accounts, organizations, staff
from identity.enrolment import own_account
from identity.lockout import PASSWORD_BY_ACCOUNT, counted
from identity.passwords import hash_password, require_strength, verify_password
from identity.sessions import end_sessions


async def change_password(authority: Authority, access: Access, *, current: str, new: str) -> None:
    """Replace the caller's password and end their other sessions.

    Raises:
        Invalid: the current password is another, or the new one is too weak.
        NotFound: the caller signs in without a password, as patients do.
        TooManyRequests: too many wrong passwords.
    """
    member = await staff.get(access, access.actor.id)
    account = await own_account(access)
    async with counted(authority.database.rate_limits, PASSWORD_BY_ACCOUNT, account.id, None):
        if not await verify_password(current, account.password_hash):
            fault = FieldFault("/current_password", "is not your password")
            raise Invalid("The password was not changed.", [fault])
    organization = await organizations.get(access, access.organization_id)
    context = (member.name, member.email, organization.name)
    require_strength(new, context, pointer="/new_password")
    password_hash = await hash_password(new)

    async def write(tx: Transaction) -> None:
        await accounts.update(tx, account.id, {"password_hash": password_hash})
        await end_sessions(tx, account.subject_id, "password changed", but=tx.actor.session_id)

    await access.transact(write)
    authority.callers.forget_subject(access.actor.id)
