"""Routes by which people come in and leave: sign-in, second factor, invitations, refresh, sign-out."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT, HTTP_401_UNAUTHORIZED

from api.authorization import PUBLIC, needs
from api.dependencies import Given
from api.identity.me import Me, describe_me
from api.problems import PROBLEM_JSON, Problem
from core.access import Access
from core.errors import FieldFault, Invalid
from identity import invitations, sign_in
from identity.authority import Authority
from identity.challenges import issue_challenge
from identity.device_keys import DeviceKey
from identity.passkeys import Credential, assertion_options
from identity.policy import Permission
from identity.second_factor import Answer, PasskeyAssertion, RecoveryCode, TotpCode, finish_sign_in
from identity.sessions import Admission, Device, IssuedTokens, refresh, sign_out, sign_out_everywhere
from identity.staff import Email

Password = Annotated[str, msgspec.Meta(max_length=1024, examples=["walnut ferry cactus lamp"])]
DeviceName = Annotated[str, msgspec.Meta(max_length=100, examples=["Ana's phone"])]
Token = Annotated[str, msgspec.Meta(max_length=2048)]
Code = Annotated[str, msgspec.Meta(max_length=40, examples=["31415926"])]

REFUSED = {
    HTTP_401_UNAUTHORIZED: ResponseSpec(
        data_container=Problem,
        media_type=PROBLEM_JSON,
        generate_examples=False,
        description="What was given does not open anything; which part of it is not said.",
    )
}


class _FromDevice(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What every way in may say about the device. With `device_key` the sign-in is bound to it."""

    device_name: DeviceName | None = None
    device_key: DeviceKey | None = None

    @property
    def device(self) -> Device:
        return Device(self.device_name, self.device_key)


class SignInForm(_FromDevice):
    """E-mail and password of a member of staff; the organization only if they work for several."""

    email: Email
    password: Password
    organization_id: Annotated[str, msgspec.Meta(max_length=40)] | None = None


class SecondFactorForm(_FromDevice):
    """The challenge that sign-in gave, and exactly one answer to it."""

    challenge: Token
    totp_code: Code | None = None
    recovery_code: Code | None = None
    passkey: Credential | None = None

    def answer(self) -> Answer:
        """The one answer given; `Invalid` if there are none or several."""
        answers: list[Answer] = []
        if self.totp_code is not None:
            answers.append(TotpCode(self.totp_code))
        if self.recovery_code is not None:
            answers.append(RecoveryCode(self.recovery_code))
        if self.passkey is not None:
            answers.append(PasskeyAssertion(self.passkey))
        if len(answers) != 1:
            fault = FieldFault("", "give one of totp_code, recovery_code, passkey")
            raise Invalid("Answer with exactly one factor.", [fault])
        return answers[0]


class InvitationForm(_FromDevice):
    """The token at the end of the invitation link, and the code that came separately."""

    token: Token
    code: Code


class StaffInvitationForm(InvitationForm):
    """As for patients, with the password to sign in with from now on."""

    password: Password


class RefreshForm(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A refresh token, which is spent by this.

    `device_proof` is required for a sign-in that gave a `device_key`: the base64url ECDSA signature (P-256,
    SHA-256, r and s) by that key of the UTF-8 bytes of `homestretch-refresh-v1:` followed by the token.
    """

    refresh_token: Token
    device_proof: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class SignedIn(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="signed_in"):
    """Signed in."""

    tokens: IssuedTokens
    me: Me


class EnrolmentRequired(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="enrolment_required"
):
    """Signed in, but only to set up the second factor that the organization requires."""

    tokens: IssuedTokens
    me: Me


class SecondFactorRequired(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="second_factor_required"
):
    """The password was right. Answer the challenge within five minutes.

    `passkey_options` is for `navigator.credentials.get()`, where a passkey is one of the methods.
    """

    challenge: str
    methods: list[sign_in.Factor]
    passkey_options: dict[str, Any] | None


class PasskeyChallenge(msgspec.Struct, frozen=True):
    """What a passkey signs to sign in without a password; answer it as a second factor."""

    challenge: str
    options: dict[str, Any]


SignInAnswer = SignedIn | SecondFactorRequired | EnrolmentRequired


class SignInController(Controller):
    path = "/auth"
    tags = ("Sign-in",)

    @post("/sign-in", opt=PUBLIC, status_code=HTTP_200_OK, responses=REFUSED)
    async def sign_in(
        self,
        request: Request[Any, Any, Any],
        authority: Given[Authority],
        data: JSONBody[SignInForm],
    ) -> SignInAnswer:
        """Sign in with e-mail and password (staff)."""
        outcome = await sign_in.sign_in(
            authority,
            email=data.email,
            password=data.password,
            device=data.device,
            client_address=client_address(request),
            organization_id=data.organization_id,
        )
        return await _answer(authority, outcome)

    @post("/passkeys/authentication", opt=PUBLIC, status_code=HTTP_200_OK)
    async def begin_passkey_sign_in(self, authority: Given[Authority]) -> PasskeyChallenge:
        """Begin signing in with a passkey (staff and patients).

        Any passkey for this address will do: the device offers those it has, nobody is asked for a name.
        """
        challenge = issue_challenge(authority, "passkey_sign_in")
        return PasskeyChallenge(challenge, assertion_options(authority, challenge))

    @post("/second-factor", opt=PUBLIC, status_code=HTTP_200_OK, responses=REFUSED)
    async def answer_challenge(
        self,
        request: Request[Any, Any, Any],
        authority: Given[Authority],
        data: JSONBody[SecondFactorForm],
    ) -> SignInAnswer:
        """Answer a sign-in challenge with a code or a passkey."""
        admission = await finish_sign_in(
            authority,
            challenge=data.challenge,
            answer=data.answer(),
            device=data.device,
            client_address=client_address(request),
        )
        return await _answer(authority, admission)

    @post("/invitations", opt=PUBLIC, status_code=HTTP_200_OK, responses=REFUSED)
    async def accept_invitation(
        self,
        request: Request[Any, Any, Any],
        authority: Given[Authority],
        data: JSONBody[InvitationForm],
    ) -> SignInAnswer:
        """Accept an invitation (patients)."""
        admission = await invitations.accept_as_patient(
            authority,
            token=data.token,
            code=data.code,
            device=data.device,
            client_address=client_address(request),
        )
        return await _answer(authority, admission)

    @post("/staff-invitations", opt=PUBLIC, status_code=HTTP_200_OK, responses=REFUSED)
    async def accept_staff_invitation(
        self,
        request: Request[Any, Any, Any],
        authority: Given[Authority],
        data: JSONBody[StaffInvitationForm],
    ) -> SignInAnswer:
        """Accept an invitation and choose a password (staff)."""
        outcome = await invitations.accept_as_staff(
            authority,
            token=data.token,
            code=data.code,
            password=data.password,
            device=data.device,
            client_address=client_address(request),
        )
        return await _answer(authority, outcome)

    @post("/refresh", opt=PUBLIC, status_code=HTTP_200_OK, responses=REFUSED)
    async def refresh_tokens(self, authority: Given[Authority], data: JSONBody[RefreshForm]) -> IssuedTokens:
        """Exchange a refresh token for new tokens.

        A refresh token is good once. Sent again within a minute, because the answer was lost, it gives the
        same successor; any other reuse ends the sign-in on both sides.
        """
        return await refresh(authority, data.refresh_token, data.device_proof)

    @post("/sign-out", opt=needs(Permission.CREDENTIALS_MANAGE), status_code=HTTP_204_NO_CONTENT)
    async def sign_out(self, authority: Given[Authority], access: Given[Access]) -> None:
        """Sign out on this device."""
        await sign_out(authority, access)

    @post("/sign-out-everywhere", opt=needs(Permission.CREDENTIALS_MANAGE), status_code=HTTP_204_NO_CONTENT)
    async def sign_out_everywhere(self, authority: Given[Authority], access: Given[Access]) -> None:
        """Sign out on all devices."""
        await sign_out_everywhere(authority, access)


def client_address(request: Request[Any, Any, Any]) -> str:
    """Where the request came from, as the server (or the proxy that it trusts) saw it."""
    return request.client.host if request.client is not None else "unknown"


async def _answer(authority: Authority, outcome: Admission | sign_in.SecondFactorRequired) -> SignInAnswer:
    if isinstance(outcome, sign_in.SecondFactorRequired):
        asked = "passkey" in outcome.factors
        return SecondFactorRequired(
            challenge=outcome.challenge,
            methods=outcome.factors,
            passkey_options=(
                assertion_options(authority, outcome.challenge, outcome.account) if asked else None
            ),
        )
    me = await describe_me(authority.database.access(outcome.actor))
    if outcome.enrolment_only:
        return EnrolmentRequired(tokens=outcome.tokens, me=me)
    return SignedIn(tokens=outcome.tokens, me=me)
