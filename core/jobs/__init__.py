"""Background jobs on MongoDB: queued with the change that asks for them, run at least once, committed once.

A room registers what it can do with `@job`, has it done with `tx.enqueue`, by `subscribe` to an event or by
`schedule`, and never thinks about workers. Why it is built this way: docs/decisions/0007-jobs-in-mongodb.md.

    registry    kinds of jobs and their handlers
    ledger      queue, read, retry, cancel
    claim       take a job: the seam between the ledger and whatever runs jobs
    lease       hold a job, and end it while its fence stands
    worker      run claimed jobs
    schedules   work that falls due by the clock
    feed        learn that a job changed
"""

from core.jobs.documents import DOCUMENTS, JobState, Progress
from core.jobs.feed import watch
from core.jobs.ledger import JobView, cancel_job, get_job, list_jobs, retry_job
from core.jobs.registry import Backoff, Commit, JobContext, job
from core.jobs.schedules import Daily, Every, Slot, schedule
from core.jobs.worker import Worker

__all__ = [
    "DOCUMENTS",
    "Backoff",
    "Commit",
    "Daily",
    "Every",
    "JobContext",
    "JobState",
    "JobView",
    "Progress",
    "Slot",
    "Worker",
    "cancel_job",
    "get_job",
    "job",
    "list_jobs",
    "retry_job",
    "schedule",
    "watch",
]
