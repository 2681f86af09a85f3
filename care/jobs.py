"""Background work of care: a patient's record follows them to another location."""

from collections.abc import Iterator
from functools import partial

from msgspec import Struct

from care.documents import patients
from care.events import PatientMoved
from core.access import Transaction
from core.documents import PatientDocument
from core.events import subscribe
from core.jobs import Commit, JobContext, job
from core.repository import Repository

_BATCH = 200


class _Treated(Struct):
    id: str
    location_id: str


@job("care.move_record", payload=PatientMoved)
async def move_record(context: JobContext, moved: PatientMoved) -> Commit | None:
    """Bring every document about the patient, of whichever room, to where the patient is treated by now.

    Moves in batches, each of them durable, so that it can be repeated and resumed.
    """
    for kind in _kinds(PatientDocument):
        while await context.access.transact(partial(_move_batch, Repository(kind), moved.patient_id)):
            pass
    return None


async def _move_batch(documents: Repository[PatientDocument], patient_id: str, tx: Transaction) -> bool:
    """Move some documents, if any are left. The patient may have moved on since the job was queued."""
    location_id = (await patients.get(tx, patient_id, view=_Treated)).location_id
    elsewhere = {"patient_id": patient_id, "location_id": {"$ne": location_id}}
    left = await documents.find(tx, elsewhere, view=_Treated, limit=_BATCH)
    for document in left:
        await documents.update(tx, document.id, {"location_id": location_id})
    return bool(left)


def _kinds(kind: type[PatientDocument]) -> Iterator[type[PatientDocument]]:
    """Every kind of document about a patient that is loaded in this process."""
    for narrower in kind.__subclasses__():
        yield narrower
        yield from _kinds(narrower)


subscribe(PatientMoved, "care.move_record")
