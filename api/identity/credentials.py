"""Routes for how one signs in oneself: authenticator app and passkeys."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, delete, get, post
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT

from api.authorization import needs
from api.dependencies import Given
from api.identity.me import describe_me
from api.identity.sign_in import REFUSED, Code, Password
from core.access import Access
from identity.authority import Authority
from identity.passkeys import (
    Credential,
    PasskeyView,
    list_passkeys,
    register_passkey,
    registration_options,
    remove_passkey,
)
from identity.password_change import change_password
from identity.policy import Permission
from identity.second_factor import TotpEnrolment, begin_totp, confirm_totp, remove_totp


class TotpConfirmation(msgspec.Struct, forbid_unknown_fields=True):
    """The code that the authenticator app shows."""

    code: Code


class RecoveryCodes(msgspec.Struct, frozen=True):
    """Codes for when the phone is lost: each is good once. They are shown this once."""

    recovery_codes: list[str]


class PasswordChange(msgspec.Struct, forbid_unknown_fields=True):
    """The password as it is, and as it shall be."""

    current_password: Password
    new_password: Password


class PasskeyRegistration(msgspec.Struct, forbid_unknown_fields=True):
    """What `navigator.credentials.create()` gave, as JSON, and a name to recognise the passkey by."""

    credential: Credential
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100, examples=["Ana's phone"])]


class CredentialController(Controller):
    path = "/auth"
    tags = ("Sign-in",)
    opt = needs(Permission.CREDENTIALS_MANAGE)

    @post("/password", status_code=HTTP_204_NO_CONTENT)
    async def change_password(
        self, authority: Given[Authority], access: Given[Access], data: JSONBody[PasswordChange]
    ) -> None:
        """Change one's own password (staff). Ends one's other sessions."""
        await change_password(authority, access, current=data.current_password, new=data.new_password)

    @post("/totp", status_code=HTTP_200_OK)
    async def begin_totp_enrolment(self, access: Given[Access]) -> TotpEnrolment:
        """Begin to set up an authenticator app."""
        me = await describe_me(access)
        return await begin_totp(access, account_name=f"{me.organization.name}: {me.name}")

    @post("/totp/confirmation", status_code=HTTP_200_OK)
    async def confirm_totp_enrolment(
        self,
        authority: Given[Authority],
        access: Given[Access],
        data: JSONBody[TotpConfirmation],
    ) -> RecoveryCodes:
        """Confirm the authenticator app with its first code."""
        return RecoveryCodes(await confirm_totp(authority, access, data.code))

    @delete("/totp")
    async def remove_totp(self, access: Given[Access]) -> None:
        """Remove the authenticator app."""
        await remove_totp(access)

    @post("/passkeys/registration", status_code=HTTP_200_OK)
    async def begin_passkey_registration(
        self, authority: Given[Authority], access: Given[Access]
    ) -> dict[str, Any]:
        """Get the options for `navigator.credentials.create()`."""
        me = await describe_me(access)
        return await registration_options(authority, access, user_name=me.name)

    @post("/passkeys", responses=REFUSED)
    async def register_passkey(
        self,
        authority: Given[Authority],
        access: Given[Access],
        data: JSONBody[PasskeyRegistration],
    ) -> PasskeyView:
        """Register a passkey that the device has just created."""
        return await register_passkey(authority, access, data.credential, name=data.name)

    @get("/passkeys")
    async def list_passkeys(self, access: Given[Access]) -> list[PasskeyView]:
        """List one's own passkeys."""
        return await list_passkeys(access)

    @delete("/passkeys/{passkey_id:str}")
    async def remove_passkey(self, access: Given[Access], passkey_id: FromPath[str]) -> None:
        """Remove one of one's own passkeys."""
        await remove_passkey(access, passkey_id)
