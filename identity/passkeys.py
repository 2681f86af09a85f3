"""Passkeys (WebAuthn): registering, listing and removing them, and checking what they sign.

A passkey that lives on a device and asks for the finger, face or PIN of its owner is two factors in one, so
it signs in without a password, for staff and patients alike. The user handle names organization and
account: nobody is asked for an e-mail, so nothing can be learned from the answer.
"""

import re
from datetime import datetime
from typing import Any, cast

import msgspec
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from core.access import Access, Transaction
from core.errors import Conflict, NotFound
from identity.authority import Authority
from identity.challenges import challenge_in, issue_challenge, read_challenge, spend_challenge
from identity.documents import Account, Passkey, accounts
from identity.enrolment import own_account, require_recent_sign_in, require_remaining_factor, settle_enrolment
from identity.sign_in import WrongCredentials
from identity.tokens import InvalidToken

MOST_PASSKEYS = 20

_HANDLE = re.compile(r"(?P<organization>org_[0-9a-z]{1,26}):(?P<account>acc_[0-9a-z]{1,26})")

# The library raises its own exceptions for what it checks, and these for input that is not even shaped right.
_MALFORMED = (WebAuthnException, ValueError, TypeError, KeyError, IndexError, AttributeError)

Credential = dict[str, Any]
"""What `PublicKeyCredential.toJSON()` gives in the browser."""


class PasskeyView(msgspec.Struct, frozen=True):
    """A passkey as its owner sees it."""

    id: str
    name: str
    created_at: datetime
    last_used_at: datetime | None


async def registration_options(authority: Authority, access: Access, *, user_name: str) -> dict[str, Any]:
    """Options for `navigator.credentials.create()`. `user_name` is what the device shows to its owner."""
    account = await own_account(access)
    await require_recent_sign_in(access, account)
    challenge = issue_challenge(authority, "passkey_registration", account)
    options = generate_registration_options(
        rp_id=authority.relying_party.id,
        rp_name="Homestretch",
        user_name=user_name,
        user_id=f"{account.organization_id}:{account.id}".encode(),
        challenge=challenge.encode(),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED,
            user_verification=UserVerificationRequirement.PREFERRED,
        ),
        exclude_credentials=_descriptors(account),
    )
    return msgspec.json.decode(options_to_json(options), type=dict[str, Any])


async def register_passkey(
    authority: Authority, access: Access, credential: Credential, *, name: str
) -> PasskeyView:
    """Keep a passkey that the caller's device has just created.

    Raises:
        InvalidToken: it answers no challenge of ours for this account, or one that is spent.
        WrongCredentials: the device's answer does not verify.
        Conflict: the passkey is registered already, or there are too many.
    """
    challenge = challenge_in(_response(credential).get("clientDataJSON"))
    claims = read_challenge(authority, challenge, "passkey_registration")
    try:
        verified = verify_registration_response(
            credential=credential,
            expected_challenge=challenge.encode(),
            expected_rp_id=authority.relying_party.id,
            expected_origin=authority.relying_party.origins,
        )
    except _MALFORMED as error:
        raise WrongCredentials("This passkey could not be verified.") from error
    passkey = Passkey(
        id=bytes_to_base64url(verified.credential_id),
        public_key=bytes_to_base64url(verified.credential_public_key),
        sign_count=verified.sign_count,
        name=name,
        created_at=authority.database.clock(),
    )

    async def write(tx: Transaction) -> None:
        account = await own_account(tx)
        if claims.account_id != account.id:
            raise InvalidToken
        if any(known.id == passkey.id for known in account.passkeys):
            raise Conflict("This passkey is registered already.")
        if len(account.passkeys) >= MOST_PASSKEYS:
            raise Conflict(f"Remove a passkey first: there can be {MOST_PASSKEYS}.")
        await accounts.update(tx, account.id, {"passkeys": [*account.passkeys, passkey]})
        await spend_challenge(tx, claims)
        await settle_enrolment(tx)

    await access.transact(write)
    authority.callers.forget_subject(access.actor.id)
    return _view(passkey)


async def list_passkeys(access: Access) -> list[PasskeyView]:
    """The caller's passkeys, oldest first."""
    return [_view(passkey) for passkey in (await own_account(access)).passkeys]


async def remove_passkey(access: Access, passkey_id: str) -> None:
    """Forget one of the caller's passkeys. `Conflict` if the organization requires one and it is the last."""

    async def write(tx: Transaction) -> None:
        account = await own_account(tx)
        await require_recent_sign_in(tx, account)
        remaining = [passkey for passkey in account.passkeys if passkey.id != passkey_id]
        if len(remaining) == len(account.passkeys):
            raise NotFound("There is no such passkey.")
        await require_remaining_factor(tx, account, totp=account.totp_secret is not None, passkeys=remaining)
        await accounts.update(tx, account.id, {"passkeys": remaining})

    await access.transact(write)


def assertion_options(authority: Authority, challenge: str, account: Account | None = None) -> dict[str, Any]:
    """Options for `navigator.credentials.get()`.

    With an account, one of its passkeys as a second factor; without, any passkey that the device offers.
    """
    options = generate_authentication_options(
        rp_id=authority.relying_party.id,
        challenge=challenge.encode(),
        allow_credentials=None if account is None else _descriptors(account),
        user_verification=(
            UserVerificationRequirement.REQUIRED if account is None else UserVerificationRequirement.PREFERRED
        ),
    )
    return msgspec.json.decode(options_to_json(options), type=dict[str, Any])


async def account_of(authority: Authority, credential: Credential) -> Account:
    """Whose passkey this claims to be, by its user handle; `WrongCredentials` if nobody's."""
    handle = _response(credential).get("userHandle")
    try:
        text = base64url_to_bytes(handle).decode() if isinstance(handle, str) else ""
    except ValueError as error:
        raise _refused() from error
    match = _HANDLE.fullmatch(text)
    if match is None:
        raise _refused()
    system = authority.database.as_system(match["organization"], "sign-in")
    try:
        account = await accounts.find_one(system, {"_id": match["account"]})
    except NotFound as error:  # the organization's keys were destroyed
        raise _refused() from error
    if account is None:
        raise _refused()
    return account


def check_assertion(
    authority: Authority, account: Account, credential: Credential, challenge: str, *, alone: bool
) -> list[Passkey]:
    """The account's passkeys after one of them has signed `challenge`; `WrongCredentials` if none has.

    `alone` says that no password came before: the device must then have verified its user.
    """
    used = next((passkey for passkey in account.passkeys if passkey.id == credential.get("id")), None)
    if used is None:
        raise _refused()
    try:
        verified = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge.encode(),
            expected_rp_id=authority.relying_party.id,
            expected_origin=authority.relying_party.origins,
            credential_public_key=base64url_to_bytes(used.public_key),
            credential_current_sign_count=used.sign_count,
            require_user_verification=alone,
        )
    except _MALFORMED as error:
        raise _refused() from error
    changes = {"sign_count": verified.new_sign_count, "last_used_at": authority.database.clock()}
    return [
        passkey.model_copy(update=changes) if passkey.id == used.id else passkey
        for passkey in account.passkeys
    ]


def _refused() -> WrongCredentials:
    return WrongCredentials("This passkey does not open an account here.")


def _response(credential: Credential) -> dict[str, Any]:
    response = credential.get("response")
    return cast("dict[str, Any]", response) if isinstance(response, dict) else {}


def _descriptors(account: Account) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(passkey.id)) for passkey in account.passkeys]


def _view(passkey: Passkey) -> PasskeyView:
    return PasskeyView(passkey.id, passkey.name, passkey.created_at, passkey.last_used_at)
