"""The second step of signing in, and enrolling, confirming and removing an authenticator app."""

from typing import Any

import msgspec

from core.access import Access, Transaction
from core.errors import FieldFault, Invalid
from identity.authority import Authority
from identity.challenges import read_challenge, spend_challenge
from identity.documents import Account, accounts
from identity.enrolment import own_account, require_recent_sign_in, require_remaining_factor, settle_enrolment
from identity.lockout import CODE_BY_ACCOUNT, counted
from identity.one_time_codes import (
    new_recovery_codes,
    new_totp_secret,
    otpauth_uri,
    recovery_digest,
    totp_step,
)
from identity.passkeys import Credential, account_of, check_assertion
from identity.sessions import Admission, Device, end_sessions
from identity.sign_in import WrongCredentials, actor_of, admit_within
from identity.tokens import ChallengeClaims, InvalidToken


class TotpCode(msgspec.Struct, frozen=True):
    """Six digits from an authenticator app."""

    code: str


class RecoveryCode(msgspec.Struct, frozen=True):
    """One of the codes kept on paper; each is good once."""

    code: str


class PasskeyAssertion(msgspec.Struct, frozen=True):
    """What a passkey signed."""

    credential: Credential


Answer = TotpCode | RecoveryCode | PasskeyAssertion


class TotpEnrolment(msgspec.Struct, frozen=True):
    """A secret that an authenticator app should hold; nothing changes until a code confirms it."""

    secret: str
    otpauth_uri: str


async def finish_sign_in(
    authority: Authority, *, challenge: str, answer: Answer, device: Device, client_address: str
) -> Admission:
    """Let in whoever answers the challenge: after a password, or with a passkey alone.

    Raises:
        InvalidToken: the challenge is not ours, has expired or was answered before.
        WrongCredentials: the answer is wrong.
        TooManyRequests: too many wrong answers for this account, or from this client.
    """
    claims = read_challenge(authority, challenge, "second_factor", "passkey_sign_in")
    # Signatures cannot be guessed: answers with a passkey alone are counted by their challenge, that is,
    # hardly.
    guessed_at = claims.account_id or claims.id
    async with counted(authority.database.rate_limits, CODE_BY_ACCOUNT, guessed_at, client_address):
        account = await _account(authority, claims, answer)
        actor = await actor_of(authority, account)

        async def write(tx: Transaction) -> Admission:
            present = await accounts.get(tx, account.id)
            changes = _check(authority, present, answer, challenge, claims)
            updated = await accounts.update(tx, account.id, changes)
            await spend_challenge(tx, claims)
            return await admit_within(tx, authority, updated, device, method=_method(answer, claims))

        return await authority.database.access(actor).transact(write)


async def begin_totp(access: Access, *, account_name: str) -> TotpEnrolment:
    """A new secret for the caller's authenticator app, which shows it as `account_name`."""
    secret = new_totp_secret()

    async def write(tx: Transaction) -> None:
        account = await own_account(tx)
        await require_recent_sign_in(tx, account)
        await accounts.update(tx, account.id, {"totp_pending_secret": secret})

    await access.transact(write)
    return TotpEnrolment(secret, otpauth_uri(secret, account_name))


async def confirm_totp(authority: Authority, access: Access, code: str) -> list[str]:
    """Turn the second factor on, once the app shows the right code. Ends the caller's other sessions.

    Returns the recovery codes, which are shown this once. `Invalid` if the code is wrong.
    """
    recovery_codes = new_recovery_codes()

    async def write(tx: Transaction) -> None:
        account = await own_account(tx)
        secret = account.totp_pending_secret
        step = None if secret is None else totp_step(secret, code, tx.database.clock, 0)
        if step is None:
            raise Invalid("The code is wrong.", [FieldFault("/code", "not the code that the app shows now")])
        changes: dict[str, Any] = {
            "totp_secret": secret,
            "totp_pending_secret": None,
            "totp_last_step": step,
            "recovery_code_hashes": [recovery_digest(account.id, code) for code in recovery_codes],
        }
        await accounts.update(tx, account.id, changes)
        await settle_enrolment(tx)
        await end_sessions(tx, account.subject_id, "second factor changed", but=tx.actor.session_id)

    async with counted(authority.database.rate_limits, CODE_BY_ACCOUNT, access.actor.id, None):
        await access.transact(write)
    authority.callers.forget_subject(access.actor.id)
    return recovery_codes


async def remove_totp(access: Access) -> None:
    """Turn the authenticator app off. `Conflict` if the organization requires one and no passkey remains."""

    async def write(tx: Transaction) -> None:
        account = await own_account(tx)
        await require_recent_sign_in(tx, account)
        await require_remaining_factor(tx, account, totp=False, passkeys=account.passkeys)
        await accounts.update(tx, account.id, dict(NO_TOTP))

    await access.transact(write)


NO_TOTP: dict[str, Any] = {
    "totp_secret": None,
    "totp_pending_secret": None,
    "recovery_code_hashes": [],
}
"""An account's fields without an authenticator app. The last step stays: no code ever counts twice."""


async def _account(authority: Authority, claims: ChallengeClaims, answer: Answer) -> Account:
    if claims.organization_id is None or claims.account_id is None:
        if not isinstance(answer, PasskeyAssertion):
            raise InvalidToken
        return await account_of(authority, answer.credential)
    system = authority.database.as_system(claims.organization_id, "sign-in")
    account = await accounts.find_one(system, {"_id": claims.account_id})
    if account is None:
        raise InvalidToken
    return account


def _check(
    authority: Authority, account: Account, answer: Answer, challenge: str, claims: ChallengeClaims
) -> dict[str, Any]:
    """What a right answer changes in the account; `WrongCredentials` for a wrong one."""
    match answer:
        case TotpCode(code) if account.totp_secret is not None:
            step = totp_step(account.totp_secret, code, authority.database.clock, account.totp_last_step)
            if step is not None:
                return {"totp_last_step": step}
        case RecoveryCode(code):
            spent = recovery_digest(account.id, code)
            if spent in account.recovery_code_hashes:
                return {"recovery_code_hashes": [h for h in account.recovery_code_hashes if h != spent]}
        case PasskeyAssertion(credential):
            alone = claims.purpose == "passkey_sign_in"
            return {"passkeys": check_assertion(authority, account, credential, challenge, alone=alone)}
        case _:
            pass
    raise WrongCredentials("This is not the right answer, or it was used before.")


def _method(answer: Answer, claims: ChallengeClaims) -> str:
    first = "" if claims.purpose == "passkey_sign_in" else "password+"
    match answer:
        case TotpCode():
            return f"{first}totp"
        case RecoveryCode():
            return f"{first}recovery code"
        case PasskeyAssertion():
            return f"{first}passkey"
