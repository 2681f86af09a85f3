"""The notification outbox: messages queued with their reason, sent to the patient's devices when it is time.

Delivery goes through adapters. The one there is, `logged`, records in the outbox that the message would have
gone to a device, and logs that with ids only; it never sees or logs a contact in plain text.
"""

import datetime as dt
from typing import Annotated, Literal

import structlog
from msgspec import Meta, Struct

from care.documents import patients
from care.views import view_of
from core.access import Access, Transaction
from core.errors import NotFound
from core.indexes import ASCENDING
from core.pages import Page
from engagement.documents import (
    DeliveryAttempt,
    Device,
    DevicePlatform,
    NotificationKind,
    NotificationState,
    devices,
    notifications,
)

LOGGED = "logged"

_DEVICES_OF_ONE_PERSON = 20
_log = structlog.stdlib.get_logger("homestretch.notifications")


class NotificationView(Struct, kw_only=True):
    """A message to a patient, why it was queued, and what became of it."""

    id: str
    patient_id: str
    kind: NotificationKind
    state: NotificationState
    date: dt.date
    program_ids: list[str]
    language: str
    title: str
    body: str
    created_at: dt.datetime
    send_after: dt.datetime
    sent_at: dt.datetime | None
    attempts: list[DeliveryAttempt]


class NewDevice(Struct, kw_only=True, forbid_unknown_fields=True):
    """A device to reach the person signed in: `target` is its push token or subscription."""

    platform: DevicePlatform
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    target: Annotated[str, Meta(min_length=1, max_length=2000)]


class DeviceView(Struct, kw_only=True):
    """A registered device, without the address it is reached at."""

    id: str
    platform: DevicePlatform
    name: str
    created_at: dt.datetime


class DueNotification(Struct, kw_only=True):
    """A message that is to be delivered now."""

    id: str
    patient_id: str


class _Id(Struct):
    id: str


async def register_device(access: Access, new: NewDevice) -> DeviceView:
    """Register a device of the person signed in; the same target again renames it."""

    async def write(tx: Transaction) -> Device:
        known = await devices.find_one(tx, {"owner_id": tx.actor.id, "target": new.target})
        if known is not None:
            return await devices.update(tx, known.id, {"platform": new.platform, "name": new.name})
        document = Device(
            id=devices.new_id(),
            organization_id=tx.organization_id,
            created_at=tx.now(),
            updated_at=tx.now(),
            owner_id=tx.actor.id,
            platform=new.platform,
            name=new.name,
            target=new.target,
        )
        return await devices.insert(tx, document)

    return view_of(await access.transact(write), DeviceView)


async def list_devices(access: Access) -> list[DeviceView]:
    """The devices of the person signed in."""
    return await devices.find(
        access, {"owner_id": access.actor.id}, view=DeviceView, limit=_DEVICES_OF_ONE_PERSON
    )


async def remove_device(access: Access, device_id: str) -> None:
    """Stop notifications to one of one's own devices; `NotFound` for any other."""

    async def write(tx: Transaction) -> None:
        own = await devices.find_one(tx, {"_id": device_id, "owner_id": tx.actor.id}, view=_Id)
        if own is None:
            raise NotFound("There is no such device.")
        await devices.delete(tx, device_id)

    await access.transact(write)


async def notifications_of_patient(
    access: Access, patient_id: str, *, limit: int, cursor: str | None
) -> Page[NotificationView]:
    """Messages to one patient, the newest first; `NotFound` if the patient is out of reach."""
    await patients.require(access, patient_id)
    return await _page(access, {"patient_id": patient_id}, limit=limit, cursor=cursor)


async def list_notifications(
    access: Access, *, state: NotificationState | None, limit: int, cursor: str | None
) -> Page[NotificationView]:
    """Messages to all patients within reach, the newest first."""
    return await _page(access, {} if state is None else {"state": state}, limit=limit, cursor=cursor)


async def due_notifications(access: Access, *, limit: int) -> list[DueNotification]:
    """Queued messages whose time has come, the oldest first."""
    query = {"state": "queued", "send_after": {"$lte": access.now()}}
    return await notifications.find(
        access, query, sort=[("send_after", ASCENDING)], view=DueNotification, limit=limit
    )


async def deliver(tx: Transaction, notification_id: str) -> None:
    """Deliver a queued message to each of the patient's devices. One that was delivered stays as it is."""
    notification = await notifications.get(tx, notification_id)
    if notification.state != "queued":
        return
    reached = await devices.find(
        tx, {"owner_id": notification.patient_id}, view=_Id, limit=_DEVICES_OF_ONE_PERSON
    )
    now = tx.now()
    state: Literal["sent", "undeliverable"] = "sent" if reached else "undeliverable"
    attempts = [
        DeliveryAttempt(at=now, adapter=LOGGED, outcome="delivered", device_id=device.id)
        for device in reached
    ] or [DeliveryAttempt(at=now, adapter=LOGGED, outcome="no_device")]
    changes = {
        "state": state,
        "sent_at": now if reached else None,
        "attempts": [*notification.attempts, *attempts],
    }
    await notifications.update(tx, notification_id, changes)
    _log.info(
        "notification_delivery",
        notification_id=notification_id,
        adapter=LOGGED,
        outcome=state,
        devices=[device.id for device in reached],
    )


async def _page(
    access: Access, query: dict[str, object], *, limit: int, cursor: str | None
) -> Page[NotificationView]:
    return await notifications.page(
        access,
        query,
        view=NotificationView,
        limit=limit,
        cursor=cursor,
        sort="created_at",
        descending=True,
    )
