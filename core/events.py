"""Facts that rooms publish, past tense, and who listens.

An event is written in the transaction that made it true, together with one queued job for each subscriber:
the outbox. Nothing is dispatched later, so nothing can be lost in between.
"""

from typing import Any, ClassVar

import msgspec

from core.access import Change, Transaction
from core.ids import new_id
from core.mongo import raw_collection

_subscribers: dict[str, list[str]] = {}


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact. Subclasses name it in the past tense and carry ids, not content.

    `patient_id` says whom it is about, where it is about a patient.
    """

    name: ClassVar[str]
    patient_id: str | None = None


def subscribe(event: type[Event], job_kind: str) -> None:
    """Queue a job of `job_kind`, with the event as its payload, whenever `event` is published. Idempotent."""
    kinds = _subscribers.setdefault(event.name, [])
    if job_kind not in kinds:
        kinds.append(job_kind)


async def record(tx: Transaction, event: Event) -> None:
    """Write `event` and the jobs of its subscribers within `tx`."""
    event_id = new_id("evt")
    document: dict[str, Any] = {
        "_id": event_id,
        "organization_id": tx.organization_id,
        "name": event.name,
        "patient_id": event.patient_id,
        "at": tx.now(),
        "actor": {"kind": tx.actor.kind, "id": tx.actor.id},
        "data": msgspec.to_builtins(event),
    }
    await raw_collection(tx.database, "events").insert_one(document, session=tx.session)
    tx.changes.append(
        Change(
            action="event",
            collection="events",
            document_ids=(event_id,),
            patient_id=event.patient_id,
            note=event.name,
        ),
    )
    for kind in _subscribers.get(event.name, ()):
        await tx.enqueue(kind, event, key=event_id, patient_id=event.patient_id)
