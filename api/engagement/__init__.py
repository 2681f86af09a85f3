"""Controllers of engagement: compliance, notifications and the devices they go to."""

from litestar.types import ControllerRouterHandler

from api.engagement.compliance import ComplianceController
from api.engagement.notifications import DeviceController, NotificationController

CONTROLLERS: list[ControllerRouterHandler] = [ComplianceController, NotificationController, DeviceController]
