"""Background work of engagement: scores follow the evidence, days are evaluated, notifications delivered."""

import datetime as dt
from functools import partial

from msgspec import Struct

from care.events import ProgramChanged, SessionEvidenceChanged
from core.access import Transaction
from core.events import subscribe
from core.jobs import Commit, Daily, Every, JobContext, Slot, job, schedule
from engagement.notifications import deliver, due_notifications
from engagement.nudge_rules import NUDGES
from engagement.nudges import DeliverNotification, evaluate_day, patients_to_evaluate, queue_delivery
from engagement.scoring import rescore

OUTBOX_INTERVAL = dt.timedelta(minutes=5)
"""How late a notification may leave after its time has come."""
_OUTBOX_BATCH = 500


class EvaluateDay(Struct, frozen=True, kw_only=True):
    """Payload of the job `engagement.evaluate_day`: whose patient-local day to look at."""

    patient_id: str
    date: dt.date


@job("engagement.score_session", payload=SessionEvidenceChanged)
async def score_session(context: JobContext, changed: SessionEvidenceChanged) -> Commit:
    """Bring the scores of a session's day, week and program up to date."""
    del context
    return partial(_rescore, program_id=changed.program_id, since=changed.local_date, day=changed.local_date)


@job("engagement.score_program", payload=ProgramChanged)
async def score_program(context: JobContext, changed: ProgramChanged) -> Commit:
    """Bring the scores of a program up to date from the day on which it changed."""
    del context
    return partial(_rescore, program_id=changed.program_id, since=changed.valid_from, day=None)


@job("engagement.evaluate_yesterday", payload=Slot)
async def evaluate_yesterday(context: JobContext, slot: Slot) -> Commit:
    """In the morning of a time zone, have yesterday evaluated for each of its patients with a program."""
    yesterday = slot.local_date - dt.timedelta(days=1)
    patient_ids = await patients_to_evaluate(context.access, slot.zone, yesterday)

    async def commit(tx: Transaction) -> None:
        for patient_id in patient_ids:
            payload = EvaluateDay(patient_id=patient_id, date=yesterday)
            key = f"{patient_id}.{yesterday:%Y%m%d}"
            await tx.enqueue("engagement.evaluate_day", payload, key=key, patient_id=patient_id)

    return commit


@job("engagement.evaluate_day", payload=EvaluateDay)
async def evaluate(context: JobContext, payload: EvaluateDay) -> None:
    """Evaluate one patient's day; harmless to repeat."""
    await evaluate_day(context.access, payload.patient_id, payload.date)


@job("engagement.empty_outbox", payload=Slot)
async def empty_outbox(context: JobContext, slot: Slot) -> Commit:
    """Have every notification delivered whose time has come."""
    del slot
    due = await due_notifications(context.access, limit=_OUTBOX_BATCH)

    async def commit(tx: Transaction) -> None:
        for notification in due:
            await queue_delivery(tx, notification.id, notification.patient_id)

    return commit


@job("engagement.deliver", payload=DeliverNotification)
async def deliver_notification(context: JobContext, payload: DeliverNotification) -> Commit:
    """Deliver one notification: its state changes together with the end of this job."""
    del context
    return partial(_deliver, notification_id=payload.notification_id)


async def _rescore(tx: Transaction, *, program_id: str, since: dt.date, day: dt.date | None) -> None:
    await rescore(tx, program_id, since=since, day=day)


async def _deliver(tx: Transaction, *, notification_id: str) -> None:
    await deliver(tx, notification_id)


subscribe(SessionEvidenceChanged, "engagement.score_session")
subscribe(ProgramChanged, "engagement.score_program")
schedule("engagement.evaluate_yesterday", Daily(NUDGES.evaluate_at.time), zone="location")
schedule("engagement.empty_outbox", Every(OUTBOX_INTERVAL))
