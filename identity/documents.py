"""What is stored about organizations, their people, and how they sign in.

None of this is health data. Names and e-mail addresses are encrypted; secrets are stored so that reading the
database alone does not let anyone sign in: passwords as Argon2id, random tokens as SHA-256, TOTP secrets and
refresh seeds encrypted.
"""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.documents import TenantDocument
from core.encrypted import Encrypted
from core.indexes import ASCENDING, IndexModel
from core.repository import Repository
from identity.device_keys import DeviceKey
from identity.tokens import SubjectKind

Units = Literal["metric", "us"]

_HOUR_S = 3600
_DAY_S = 24 * _HOUR_S


class SessionPolicy(BaseModel):
    """How long a sign-in lasts, in seconds: unused (`idle`), and at most (`lifetime`).

    Staff: the AAL2 values of NIST SP 800-63B-4, section 2.2.3. Patients: longer than its AAL1 value of 30
    days, because an episode of care lasts weeks to months and a new invitation takes a visit; in return
    such a sign-in is bound to the device that made it. Without a device key it ends within a day.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    staff_idle_s: int = Field(default=_HOUR_S, ge=300, le=_DAY_S)
    staff_lifetime_s: int = Field(default=_DAY_S, ge=300, le=7 * _DAY_S)
    patient_idle_s: int = Field(default=30 * _DAY_S, ge=_HOUR_S, le=90 * _DAY_S)
    patient_lifetime_s: int = Field(default=180 * _DAY_S, ge=_HOUR_S, le=366 * _DAY_S)
    patient_unbound_lifetime_s: int = Field(default=_DAY_S, ge=300, le=7 * _DAY_S)


class Organization(TenantDocument):
    """A practice: the tenant. Its id is the `organization_id` of everything else."""

    id_prefix: ClassVar[str] = "org"
    health_data: ClassVar[bool] = False

    name: str
    time_zone: str
    """IANA name; the default of its locations."""
    demo: bool = False
    second_factor_required: bool = False
    sessions: SessionPolicy = Field(default_factory=SessionPolicy)

    class Settings(TenantDocument.Settings):
        name = "organizations"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel([("organization_id", ASCENDING)], name="organization", unique=True)
        ]


class Location(TenantDocument):
    """A place where the organization treats patients. Its time zone decides what "today" is for them."""

    id_prefix: ClassVar[str] = "loc"
    health_data: ClassVar[bool] = False

    name: str
    time_zone: str
    address: str | None = None
    active: bool = True

    class Settings(TenantDocument.Settings):
        name = "locations"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel([("organization_id", ASCENDING), ("_id", ASCENDING)], name="organization")
        ]


class StaffMember(TenantDocument):
    """Somebody who works for the organization, with what they may do and where."""

    id_prefix: ClassVar[str] = "stf"
    health_data: ClassVar[bool] = False

    name: Annotated[str, Encrypted()]
    email: Annotated[str, Encrypted(lookup=True)]
    """Lower case; one person in the organization."""
    roles: list[str]
    location_ids: list[str] | None
    """Where they work; None means at all locations."""
    language: str = "en"
    units: Units = "us"
    active: bool = True

    class Settings(TenantDocument.Settings):
        name = "staff"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel([("organization_id", ASCENDING), ("email", ASCENDING)], name="email", unique=True)
        ]


class Passkey(BaseModel):
    """A WebAuthn credential: the public half of a key that an authenticator keeps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    """Credential id, base64url."""
    public_key: str
    """COSE key, base64url."""
    sign_count: int
    name: Annotated[str, Encrypted()]
    """What its owner calls it; most put their own name into it."""
    created_at: datetime
    last_used_at: datetime | None = None


class Account(TenantDocument):
    """How one member of staff or one patient proves who they are."""

    id_prefix: ClassVar[str] = "acc"
    health_data: ClassVar[bool] = False

    subject_kind: SubjectKind
    subject_id: str
    password_hash: str | None = None
    totp_secret: Annotated[str | None, Encrypted()] = None
    totp_pending_secret: Annotated[str | None, Encrypted()] = None
    """Shown to the person, but not yet confirmed by a code."""
    totp_last_step: int = 0
    """The 30-second step of the last code accepted: no code counts twice."""
    recovery_code_hashes: list[str] = Field(default_factory=list[str])
    passkeys: list[Passkey] = Field(default_factory=list[Passkey])

    @property
    def has_second_factor(self) -> bool:
        return self.totp_secret is not None or bool(self.passkeys)

    class Settings(TenantDocument.Settings):
        name = "accounts"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel(
                [("organization_id", ASCENDING), ("subject_id", ASCENDING)], name="subject", unique=True
            )
        ]


class SignInSession(TenantDocument):
    """One sign-in on one device: a family of refresh tokens, of which only the newest is good."""

    id_prefix: ClassVar[str] = "ses"
    health_data: ClassVar[bool] = False

    account_id: str
    subject_kind: SubjectKind
    subject_id: str
    device_name: Annotated[str | None, Encrypted()] = None
    """What its owner calls the device; most put their own name into it."""
    device_key: dict[str, str] | None = None
    """Public JWK; with it every refresh must be signed by the device."""
    enrolment_only: bool = False
    """The organization requires a second factor that this account does not have yet."""
    refresh_seed: Annotated[str, Encrypted()]
    generation: int = 0
    rotated_at: datetime
    """When the newest refresh token was made: the last sign of life."""
    authenticated_at: datetime
    """When the person last proved who they are."""
    idle_s: int
    expires_at: datetime
    revoked_at: datetime | None = None
    revoked_reason: str | None = None

    @property
    def bound_to(self) -> DeviceKey | None:
        return None if self.device_key is None else DeviceKey.from_jwk(self.device_key)

    class Settings(TenantDocument.Settings):
        name = "sign_in_sessions"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel([("organization_id", ASCENDING), ("subject_id", ASCENDING)], name="subject"),
            # Kept for a month after the end, for whoever has to find out what happened.
            IndexModel([("expires_at", ASCENDING)], name="expiry", expireAfterSeconds=30 * _DAY_S),
        ]


class Invitation(TenantDocument):
    """The way in for somebody without credentials: a link and a code that travel separately, good once."""

    id_prefix: ClassVar[str] = "inv"
    health_data: ClassVar[bool] = False

    subject_kind: SubjectKind
    subject_id: str
    token_hash: str
    code_hash: str
    attempts: int = 0
    expires_at: datetime
    closed_at: datetime | None = None
    """When it was used, replaced by a newer one, or guessed at too often."""

    class Settings(TenantDocument.Settings):
        name = "invitations"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel([("organization_id", ASCENDING), ("subject_id", ASCENDING)], name="subject")
        ]


class SpentChallenge(TenantDocument):
    """A challenge that has served: its id cannot be inserted a second time."""

    id_prefix: ClassVar[str] = "chl"
    health_data: ClassVar[bool] = False

    expires_at: datetime

    class Settings(TenantDocument.Settings):
        name = "spent_challenges"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel([("expires_at", ASCENDING)], name="expiry", expireAfterSeconds=0)
        ]


class EmergencyAccess(TenantDocument):
    """Somebody reached beyond their locations to one patient's record, for a reason and for a time."""

    id_prefix: ClassVar[str] = "emg"
    health_data: ClassVar[bool] = False

    staff_id: str
    session_id: str
    patient_id: str
    location_id: str
    """Where the patient is treated: its managers get to see this."""
    reason: Annotated[str, Encrypted()]
    opened_at: datetime
    expires_at: datetime

    class Settings(TenantDocument.Settings):
        name = "emergency_access"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel([("organization_id", ASCENDING), ("opened_at", ASCENDING)], name="opened")
        ]


organizations = Repository(Organization)
locations = Repository(Location)
staff = Repository(StaffMember)
accounts = Repository(Account)
sign_in_sessions = Repository(SignInSession)
invitations = Repository(Invitation)
spent_challenges = Repository(SpentChallenge)
emergency_accesses = Repository(EmergencyAccess)

DOCUMENTS: list[type[TenantDocument]] = [
    Organization,
    Location,
    StaffMember,
    Account,
    SignInSession,
    Invitation,
    SpentChallenge,
    EmergencyAccess,
]
