"""Nudges: at the end of a day, who fell behind gets one gentle reminder, and only one."""

import datetime as dt
from collections.abc import Sequence
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from care.documents import PatientStatus, patients, programs
from care.exercises import Language
from care.local_time import DAYS_IN_WEEK, local_date, week_start
from care.locations import locations_in, zone_of
from care.programs import StoredProgram, programs_between
from care.todays_plan import sessions_between
from core.access import Access, Transaction
from core.errors import FieldFault, Invalid
from engagement.documents import Notification, notifications
from engagement.events import ProgramFellBehind
from engagement.falling_behind import Standing, standing
from engagement.nudge_rules import NUDGES, send_after
from engagement.scoring import rescore, work_of

NudgeOutcome = Literal[
    "queued", "queued_before", "not_behind", "program_over", "too_late", "enough_this_week", "discharged"
]


class DeliverNotification(Struct, frozen=True, kw_only=True):
    """Payload of the job `engagement.deliver`."""

    notification_id: str


class DayEvaluation(Struct, frozen=True, kw_only=True):
    """How a patient's programs stood at the end of a day, and whether that led to a nudge.

    `queued_before`: the day had its nudge already. `program_over`: nothing is prescribed any more.
    `too_late`: a nudge for a day longer gone than yesterday would only confuse. `enough_this_week`: the
    patient has had as many nudges as anyone gets.
    """

    patient_id: str
    date: dt.date
    programs: list[Standing]
    nudge: NudgeOutcome
    notification_id: str | None = None


class _Patient(Struct):
    id: str
    location_id: str
    language: Language
    status: PatientStatus


async def evaluate_day(access: Access, patient_id: str, date: dt.date | None = None) -> DayEvaluation:
    """Look at a day that is over, by default yesterday: store its scores, and queue a nudge if need be.

    Only yesterday can lead to a nudge. Repeating it changes nothing: a day has one nudge at most.

    Raises:
        NotFound: the patient is out of reach.
        Invalid: the day is not over yet where the patient is treated.
    """

    async def write(tx: Transaction) -> DayEvaluation:
        patient = await patients.get(tx, patient_id, view=_Patient)
        zone = await zone_of(tx, patient.location_id)
        today = local_date(tx.now(), zone)
        day = date or today - dt.timedelta(days=1)
        if day >= today:
            raise Invalid("The day is not over yet.", [FieldFault("/date", "is not before today")])
        programs_then = await programs_between(tx, patient_id, week_start(day), day)
        standings = await _standings(tx, programs_then, day)
        for program in programs_then:
            if program.ends_on is None or program.ends_on >= day:
                await rescore(tx, program.id, since=day, day=day)
        behind = {each.program_id for each in standings if each.behind}
        going_on = [
            each.id
            for each in programs_then
            if each.id in behind and (each.ends_on is None or each.ends_on >= today)
        ]
        nudge = await _decide(tx, patient, day, today, behind=bool(behind), going_on=bool(going_on))
        if nudge == "queued":
            await _queue(tx, patient, zone, day, going_on)
        return DayEvaluation(
            patient_id=patient_id,
            date=day,
            programs=standings,
            nudge=nudge,
            notification_id=_nudge_id(patient_id, day) if nudge in ("queued", "queued_before") else None,
        )

    return await access.transact(write)


async def patients_to_evaluate(access: Access, zone: str, date: dt.date) -> list[str]:
    """Patients treated in the time zone who had a program in force on `date`."""
    in_force = {
        "starts_on": {"$lte": date.isoformat()},
        "$or": [{"ends_on": None}, {"ends_on": {"$gte": date.isoformat()}}],
        "location_id": {"$in": await locations_in(access, zone)},
    }
    rows = await programs.aggregate(
        access, [{"$match": in_force}, {"$group": {"_id": "$patient_id"}}, {"$sort": {"_id": 1}}]
    )
    return [row["_id"] for row in rows]


async def _standings(tx: Transaction, of_patient: Sequence[StoredProgram], day: dt.date) -> list[Standing]:
    sessions = await sessions_between(tx, [each.id for each in of_patient], week_start(day), day)
    return [
        standing(program.id, program.versions, work_of(sessions[program.id]), day) for program in of_patient
    ]


async def _decide(
    tx: Transaction, patient: _Patient, day: dt.date, today: dt.date, *, behind: bool, going_on: bool
) -> NudgeOutcome:
    """Whether a nudge is to be queued now, or why not."""
    if patient.status == "discharged":
        return "discharged"
    if not going_on:
        return "program_over" if behind else "not_behind"
    if await notifications.count(tx, {"_id": _nudge_id(patient.id, day)}):
        return "queued_before"
    if day < today - dt.timedelta(days=1):
        return "too_late"
    recently = {
        "patient_id": patient.id,
        "kind": "nudge",
        "date": {"$gt": (day - dt.timedelta(days=DAYS_IN_WEEK)).isoformat()},
    }
    enough = await notifications.count(tx, recently) >= NUDGES.at_most_in_seven_days.count
    return "enough_this_week" if enough else "queued"


async def _queue(
    tx: Transaction, patient: _Patient, zone: ZoneInfo, day: dt.date, program_ids: Sequence[str]
) -> None:
    template = NUDGES.templates[patient.language]
    notification = Notification(
        id=_nudge_id(patient.id, day),
        organization_id=tx.organization_id,
        patient_id=patient.id,
        location_id=patient.location_id,
        created_at=tx.now(),
        updated_at=tx.now(),
        kind="nudge",
        date=day,
        program_ids=list(program_ids),
        language=patient.language,
        title=template.title,
        body=template.body,
        send_after=send_after(tx.now(), zone),
    )
    await notifications.insert(tx, notification)
    for program_id in program_ids:
        await tx.publish(
            ProgramFellBehind(
                patient_id=patient.id, program_id=program_id, date=day, notification_id=notification.id
            )
        )
    if notification.send_after <= tx.now():
        await queue_delivery(tx, notification.id, patient.id)


async def queue_delivery(tx: Transaction, notification_id: str, patient_id: str) -> None:
    """Have a notification delivered now."""
    payload = DeliverNotification(notification_id=notification_id)
    await tx.enqueue("engagement.deliver", payload, key=notification_id, patient_id=patient_id)


def _nudge_id(patient_id: str, day: dt.date) -> str:
    """One nudge for a patient and a day."""
    return f"{Notification.id_prefix}_nudge_{patient_id}_{day:%Y%m%d}"
