"""Controllers of identity: signing in, one's own credentials, the organization and its people."""

from litestar.types import ControllerRouterHandler

from api.identity.credentials import CredentialController
from api.identity.emergency_access import EmergencyAccessController
from api.identity.me import MeController
from api.identity.organization import LocationController, OrganizationController
from api.identity.sign_in import SignInController
from api.identity.staff import StaffController

CONTROLLERS: list[ControllerRouterHandler] = [
    SignInController,
    CredentialController,
    MeController,
    OrganizationController,
    LocationController,
    StaffController,
    EmergencyAccessController,
]
