"""A practice with people who can sign in, and the phones they hold."""

import base64
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from pyotp.totp import TOTP

from core.access import Access
from identity.authority import Authority
from identity.device_keys import DeviceKey, message_to_sign
from identity.invitations import accept_as_patient, invite_patient
from identity.organizations import LocationView, add_location, create_organization
from identity.second_factor import begin_totp, confirm_totp
from identity.sessions import Admission, Device
from identity.sign_in import SecondFactorRequired, sign_in
from identity.staff import StaffView, add_staff, set_password
from tests.identity.software_authenticator import encoded

PASSWORD = "walnut ferry cactus lamp"
NOWHERE = Device()


@dataclass
class Phone:
    """A device with a key pair that never leaves it."""

    private_key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))

    @property
    def device(self) -> Device:
        numbers = self.private_key.public_key().public_numbers()
        x, y = encoded(numbers.x.to_bytes(32)), encoded(numbers.y.to_bytes(32))
        return Device("Ana's phone", DeviceKey(kty="EC", crv="P-256", x=x, y=y))

    def proof(self, refresh_token: str) -> str:
        """The device's signature for a refresh token, as WebCrypto makes it."""
        r, s = decode_dss_signature(self.private_key.sign(message_to_sign(refresh_token), ECDSA(SHA256())))
        return base64.urlsafe_b64encode(r.to_bytes(32) + s.to_bytes(32)).decode().rstrip("=")


@dataclass
class Practice:
    """One organization with two locations, as the system sees it."""

    authority: Authority
    access: Access
    north: LocationView
    south: LocationView

    @classmethod
    async def open(cls, authority: Authority, *, second_factor_required: bool = False) -> "Practice":
        access = await create_organization(
            authority.database,
            name="Larkspur Physical Therapy",
            time_zone="America/Chicago",
            second_factor_required=second_factor_required,
        )
        north = await add_location(access, name="North", time_zone="America/Chicago")
        south = await add_location(access, name="South", time_zone="America/Denver")
        return cls(authority, access, north, south)

    async def hire(
        self,
        email: str = "tess@larkspur.example",
        *,
        roles: tuple[str, ...] = ("therapist",),
        location_ids: list[str] | None = None,
        password: str = PASSWORD,
    ) -> StaffView:
        """Somebody who works here and has a password."""
        member = await add_staff(
            self.access, name="Tess Trainor", email=email, roles=roles, location_ids=location_ids
        )
        await set_password(self.access, member.id, password)
        return member

    async def attempt(
        self,
        email: str = "tess@larkspur.example",
        password: str = PASSWORD,
        *,
        client_address: str = "192.0.2.1",
        device: Device = NOWHERE,
    ) -> Admission | SecondFactorRequired:
        return await sign_in(
            self.authority, email=email, password=password, device=device, client_address=client_address
        )

    async def sign_in(self, email: str = "tess@larkspur.example", password: str = PASSWORD) -> Admission:
        """Sign in somebody who has no second factor."""
        admission = await self.attempt(email, password)
        assert isinstance(admission, Admission)
        return admission

    async def sign_in_patient(self, patient_id: str, device: Device) -> Admission:
        """Invite a patient and let them in."""
        invitation = await invite_patient(self.access, patient_id, public_url="https://clinic.example")
        return await accept_as_patient(
            self.authority,
            token=token_of(invitation.link),
            code=invitation.code,
            device=device,
            client_address="192.0.2.1",
        )

    async def enrol_app(self, admission: Admission) -> TOTP:
        """Set up an authenticator app for somebody who is signed in; returns the app."""
        access = await self.access_of(admission)
        app = TOTP((await begin_totp(access, account_name="Tess")).secret)
        await confirm_totp(self.authority, access, app.at(self.authority.database.clock()))
        return app

    async def access_of(self, admission: Admission) -> Access:
        """The reach of somebody who was let in, by their access token."""
        caller = await self.authority.callers.caller(admission.tokens.access_token)
        return self.authority.database.access(caller.actor)


def token_of(link: str) -> str:
    """The token at the end of an invitation link."""
    return link.rsplit("/", 1)[1]
