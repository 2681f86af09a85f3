"""Routes of the notification outbox, and of the devices that notifications go to."""

from typing import Annotated

from litestar import Controller, delete, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from api.authorization import needs
from api.dependencies import Given
from api.pagination import DEFAULT_LIMIT, Cursor, Limit
from core.access import Access
from core.pages import Page
from engagement.documents import NotificationState
from engagement.notifications import (
    DeviceView,
    NewDevice,
    NotificationView,
    list_devices,
    list_notifications,
    register_device,
    remove_device,
)
from identity.policy import Permission

_InState = Annotated[
    NotificationState | None, QueryParameter(name="state", description="Only messages in this state.")
]


class NotificationController(Controller):
    path = "/notifications"
    tags = ("Notifications",)

    @get("/", opt=needs(Permission.NOTIFICATIONS_LIST))
    async def list_notifications(
        self,
        access: Given[Access],
        in_state: _InState = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[NotificationView]:
        """List messages to patients, the newest first."""
        return await list_notifications(access, state=in_state, limit=limit, cursor=cursor)


class DeviceController(Controller):
    path = "/devices"
    tags = ("Notifications",)

    @get("/", opt=needs(Permission.DEVICE_REGISTER))
    async def list_devices(self, access: Given[Access]) -> list[DeviceView]:
        """List one's own devices."""
        return await list_devices(access)

    @post("/", opt=needs(Permission.DEVICE_REGISTER))
    async def register_device(self, access: Given[Access], data: JSONBody[NewDevice]) -> DeviceView:
        """Register the device one is using for notifications."""
        return await register_device(access, data)

    @delete("/{device_id:str}", opt=needs(Permission.DEVICE_REGISTER))
    async def remove_device(self, access: Given[Access], device_id: FromPath[str]) -> None:
        """Stop notifications to one of one's own devices."""
        await remove_device(access, device_id)
