"""What is stored about compliance and notifications."""

import datetime as dt
from typing import Annotated, ClassVar, Literal

from msgspec import Struct
from pydantic import Field

from care.exercises import Language
from core.documents import PatientDocument, TenantDocument
from core.encrypted import Encrypted
from core.indexes import ASCENDING, DESCENDING, IndexModel
from core.repository import Repository
from core.stored_structs import StoredStruct

Period = Literal["day", "week", "program"]
NotificationKind = Literal["nudge"]
NotificationState = Literal["queued", "sent", "undeliverable"]
DevicePlatform = Literal["ios", "android", "web"]


class ComplianceScore(PatientDocument):
    """The compliance of a program for one day, week or for all of it, as last computed.

    Ratios from 0 to 1, None where nothing was prescribed. `starts_on` and `through` are patient-local dates.
    """

    id_prefix: ClassVar[str] = "cmp"

    program_id: str
    period: Period
    starts_on: dt.date
    through: dt.date
    formula: str
    score: float | None
    completion: float | None
    prescribed_doses: int
    credited_doses: float
    session_ids: list[str]

    class Settings(TenantDocument.Settings):
        name = "compliance_scores"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel(
                [
                    ("organization_id", ASCENDING),
                    ("program_id", ASCENDING),
                    ("period", ASCENDING),
                    ("starts_on", ASCENDING),
                ],
                name="period",
                unique=True,
            ),
            IndexModel([("organization_id", ASCENDING), ("patient_id", ASCENDING)], name="patient"),
        ]


class DeliveryAttempt(Struct, frozen=True, kw_only=True):
    """One try to deliver a notification to one device."""

    at: dt.datetime
    adapter: str
    outcome: Literal["delivered", "no_device"]
    device_id: str | None = None


class Notification(PatientDocument):
    """The outbox: one message to a patient, queued with its reason and sent later.

    Its id is made of what it is about, so that the same reason queues it once. `date` is the patient-local
    day it is about; `send_after` the instant from which it may go out.
    """

    id_prefix: ClassVar[str] = "ntf"

    kind: NotificationKind
    state: NotificationState = "queued"
    date: dt.date
    program_ids: list[str]
    """The programs that fell behind."""
    language: Language
    title: str
    body: str
    send_after: dt.datetime
    sent_at: dt.datetime | None = None
    attempts: list[Annotated[DeliveryAttempt, StoredStruct()]] = Field(default_factory=list[DeliveryAttempt])

    class Settings(TenantDocument.Settings):
        name = "notifications"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel(
                [("organization_id", ASCENDING), ("patient_id", ASCENDING), ("date", DESCENDING)],
                name="patient",
            ),
            IndexModel(
                [("organization_id", ASCENDING), ("send_after", ASCENDING)],
                name="due",
                partialFilterExpression={"state": "queued"},
            ),
            IndexModel([("organization_id", ASCENDING), ("created_at", DESCENDING)], name="newest"),
        ]


class Device(TenantDocument):
    """A device that notifications reach a person on: registered by that person, and gone when they say so."""

    id_prefix: ClassVar[str] = "dev"
    health_data: ClassVar[bool] = False

    owner_id: str
    """The patient or member of staff."""
    platform: DevicePlatform
    name: Annotated[str, Encrypted()]
    target: Annotated[str, Encrypted(lookup=True)]
    """Where a delivery adapter reaches it: a push token or a subscription."""

    class Settings(TenantDocument.Settings):
        name = "devices"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel(
                [("organization_id", ASCENDING), ("owner_id", ASCENDING), ("target", ASCENDING)],
                name="owner",
                unique=True,
            ),
        ]


compliance_scores = Repository(ComplianceScore)
notifications = Repository(Notification)
devices = Repository(Device)

DOCUMENTS: list[type[TenantDocument]] = [ComplianceScore, Notification, Device]
