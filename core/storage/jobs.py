"""Background work of the storage: remove what was deleted, tidy up after crashes and broken promises."""

from datetime import timedelta

from core.jobs import Every, JobContext, Slot, job, schedule
from core.storage import uploads
from core.storage.objects import REMOVE_BLOBS, RemoveBlobs

TIDY = "storage.tidy"


@job(REMOVE_BLOBS, payload=RemoveBlobs, max_attempts=20)
async def remove_blobs(context: JobContext, payload: RemoveBlobs) -> None:
    """Remove the sealed bytes of a deleted object. Their key is gone already."""
    await context.platform.storage.remove_blobs(context.access.organization_id, payload.object_id)


@job(TIDY, payload=Slot, max_attempts=3, timeout_s=1800)
async def tidy(context: JobContext, _: Slot) -> None:
    """Complete uploads that a crash left whole but uncompleted; remove what was not finished in time."""
    await uploads.tidy(context.access, context.platform.storage)


schedule(TIDY, Every(timedelta(minutes=15)))
