"""Routes of a patient's compliance."""

import datetime as dt
from typing import Annotated

from litestar import Controller, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK
from msgspec import Struct

from api.authorization import needs
from api.dependencies import Given
from api.pagination import DEFAULT_LIMIT, Cursor, Limit
from core.access import Access
from core.pages import Page
from engagement.notifications import NotificationView, notifications_of_patient
from engagement.nudges import DayEvaluation, evaluate_day
from engagement.scoring import PatientCompliance, compliance_of_patient
from identity.policy import Permission

_From = Annotated[
    dt.date | None,
    QueryParameter(name="from", description="A day of the first week; eight weeks before `to` unless given."),
]
_To = Annotated[
    dt.date | None,
    QueryParameter(
        name="to",
        description="The last day; unless given, yesterday, or today once something was done today.",
    ),
]


class EvaluationRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """The day to evaluate (patient-local), yesterday unless given."""

    date: dt.date | None = None


class ComplianceController(Controller):
    path = "/patients/{patient_id:str}"
    tags = ("Compliance",)

    @get("/compliance", opt=needs(Permission.COMPLIANCE_READ))
    async def get_compliance(
        self,
        access: Given[Access],
        patient_id: FromPath[str],
        starts_on: _From = None,
        through: _To = None,
    ) -> PatientCompliance:
        """Get a patient's compliance by program, week and day, with every part it is made of."""
        return await compliance_of_patient(access, patient_id, starts_on=starts_on, through=through)

    @post("/compliance/evaluation", opt=needs(Permission.PROGRAM_PRESCRIBE), status_code=HTTP_200_OK)
    async def evaluate_compliance(
        self,
        access: Given[Access],
        patient_id: FromPath[str],
        data: JSONBody[EvaluationRequest],
    ) -> DayEvaluation:
        """Evaluate a day now instead of overnight: store its scores, and queue a nudge if need be."""
        return await evaluate_day(access, patient_id, data.date)

    @get("/notifications", opt=needs(Permission.NOTIFICATION_READ))
    async def list_patient_notifications(
        self,
        access: Given[Access],
        patient_id: FromPath[str],
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[NotificationView]:
        """List the messages to a patient, the newest first."""
        return await notifications_of_patient(access, patient_id, limit=limit, cursor=cursor)
