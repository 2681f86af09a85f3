"""The stored shape of a job, and the indexes that claiming, listing and forgetting jobs stand on."""

from datetime import datetime
from typing import Any, ClassVar, Literal

import msgspec

from core.database import Database
from core.documents import TenantDocument
from core.indexes import ASCENDING, DESCENDING, IndexModel
from core.mongo import RawCollection, raw_collection

JobState = Literal["queued", "running", "done", "dead", "cancelled"]
"""`queued` covers waiting for a first attempt and for the next one; `dead` has used up its attempts."""

FINAL_STATES: frozenset[JobState] = frozenset({"done", "dead", "cancelled"})


class Progress(msgspec.Struct, frozen=True):
    """How far a job has come: what it is doing, and the share of the whole that is done, 0 to 1."""

    stage: str
    fraction: float


class Job(TenantDocument):
    """One piece of background work, from the transaction that asked for it to its end.

    The payload carries ids, never clinical content or names: it is not encrypted.
    """

    id_prefix: ClassVar[str] = "job"
    health_data: ClassVar[bool] = False

    kind: str
    state: JobState
    payload: dict[str, Any]
    patient_id: str | None = None
    """Whom the work is about, where it is about a patient."""
    requested_by: str
    """Id of the actor in whose transaction the job was queued."""
    claimable_at: datetime | None = None
    """From when a worker may take the job: while queued its earliest start, while running the end of the
    lease. Absent from finished jobs."""
    attempts: int = 0
    fence: int = 0
    """Grows with every claim. Whoever holds an older number has lost the job and cannot write to it."""
    worker: str | None = None
    slot: int | None = None
    """Which of its organization's places a running job takes, for kinds with limited concurrency."""
    progress: dict[str, Any] | None = None
    error: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    forget_at: datetime | None = None

    class Settings(TenantDocument.Settings):
        name = "jobs"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel(
                [("organization_id", ASCENDING), ("claimable_at", ASCENDING), ("kind", ASCENDING)],
                name="jobs_claimable",
                partialFilterExpression={"claimable_at": {"$exists": True}},
            ),
            IndexModel(
                [("organization_id", ASCENDING), ("claimable_at", ASCENDING)],
                name="jobs_running",
                partialFilterExpression={"state": "running"},
            ),
            IndexModel(
                [("organization_id", ASCENDING), ("kind", ASCENDING), ("slot", ASCENDING)],
                name="jobs_slots",
                unique=True,
                partialFilterExpression={"slot": {"$exists": True}},
            ),
            IndexModel(
                [("organization_id", ASCENDING), ("created_at", DESCENDING), ("_id", DESCENDING)],
                name="jobs_newest",
            ),
            IndexModel(
                [
                    ("organization_id", ASCENDING),
                    ("state", ASCENDING),
                    ("created_at", DESCENDING),
                    ("_id", DESCENDING),
                ],
                name="jobs_newest_of_state",
            ),
            IndexModel(
                [
                    ("organization_id", ASCENDING),
                    ("patient_id", ASCENDING),
                    ("created_at", DESCENDING),
                    ("_id", DESCENDING),
                ],
                name="jobs_newest_of_patient",
            ),
            # MongoDB allows expiry on single-field indexes only.
            IndexModel([("forget_at", ASCENDING)], name="jobs_forget", expireAfterSeconds=0),
        ]


DOCUMENTS: list[type[TenantDocument]] = [Job]


def job_collection(database: Database) -> RawCollection:
    """The ledger, for the conditional updates that a repository does not offer."""
    return raw_collection(database, Job.Settings.name)
