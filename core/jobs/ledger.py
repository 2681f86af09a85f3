"""The ledger of jobs as the rooms and the front door see it: queue, read, retry, cancel.

A job is queued in the transaction that gives it its reason, so that it exists exactly if that reason does.
Its id is made of its kind, its organization and a key: asking twice for the same work is asking once.
"""

import re
from datetime import datetime, timedelta
from typing import Any

import msgspec

from core.access import Access, Change, Transaction
from core.errors import Conflict, NotFound
from core.jobs.documents import FINAL_STATES, Job, JobState, Progress, job_collection
from core.jobs.registry import known_kinds
from core.pages import Page
from core.repository import Repository

KEEP_FINISHED = timedelta(days=90)
"""How long finished jobs stay in the ledger. Dead ones stay until somebody retries or cancels them."""

_jobs = Repository(Job)
_KEY = re.compile(r"[A-Za-z0-9_.@+~-]{1,200}")


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A job, without its payload. Instants are UTC."""

    id: str
    kind: str
    state: JobState
    attempts: int
    created_at: datetime
    patient_id: str | None = None
    progress: Progress | None = None
    error: str | None = None
    """Why the latest attempt failed, in words that name no person."""
    claimable_at: datetime | None = None
    """While queued, when it may start at the earliest; while running, when its worker's lease ends."""
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens to this job by itself."""
        return self.state in FINAL_STATES


async def enqueue(
    tx: Transaction, kind: str, payload: msgspec.Struct, *, key: str, patient_id: str | None = None
) -> str:
    """Queue a job as part of `tx` and return its id, `<kind>:<organization>:<key>`.

    A job that was queued before under the same kind and key stays as it is, whatever its state.
    """
    known = known_kinds().get(kind)
    if known is not None and not isinstance(payload, known.payload):
        raise TypeError(f"{kind} takes a {known.payload.__name__}, not a {type(payload).__name__}")
    if not _KEY.fullmatch(key):
        raise ValueError("the key of a job consists of letters, digits and _ . @ + ~ -")
    job_id = f"{kind}:{tx.organization_id}:{key}"
    document: dict[str, Any] = {
        "_id": job_id,
        "organization_id": tx.organization_id,
        "version": 1,
        "kind": kind,
        "state": "queued",
        "payload": stored_payload(payload),
        "patient_id": patient_id,
        "requested_by": tx.actor.id,
        "attempts": 0,
        "fence": 0,
    }
    # Claims go by the server's clock. A plain insert of a known id would abort the transaction.
    stamped = {
        "$mergeObjects": [
            {"$literal": document},
            {"created_at": "$$NOW", "updated_at": "$$NOW", "claimable_at": "$$NOW"},
        ]
    }
    keep_or_insert = {"$cond": [{"$eq": [{"$type": "$state"}, "missing"]}, stamped, "$$ROOT"]}
    await job_collection(tx.database).update_one(
        {"_id": job_id}, [{"$replaceWith": keep_or_insert}], upsert=True, session=tx.session
    )
    return job_id


def stored_payload(payload: msgspec.Struct) -> dict[str, Any]:
    """A payload as it is stored; instants keep their milliseconds."""
    return msgspec.to_builtins(payload, builtin_types=(datetime, bytes))


async def get_job(access: Access, job_id: str) -> JobView:
    """The job of that id, or `NotFound`."""
    view = await _jobs.find_one(access, {"_id": job_id, **_reach(access)}, view=JobView)
    if view is None:
        raise NotFound("There is no such job.")
    return view


async def list_jobs(
    access: Access,
    *,
    state: JobState | None = None,
    kind: str | None = None,
    patient_id: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[JobView]:
    """Jobs, the newest first."""
    wanted = {"state": state, "kind": kind, "patient_id": patient_id}
    query = {name: value for name, value in wanted.items() if value is not None}
    return await _jobs.page(
        access,
        {"$and": [query, _reach(access)]},
        view=JobView,
        limit=limit,
        cursor=cursor,
        sort="created_at",
        descending=True,
    )


async def retry_job(access: Access, job_id: str) -> JobView:
    """Queue a dead or cancelled job again, with all its attempts; `Conflict` in any other state."""
    again = {"state": "queued", "attempts": 0, "claimable_at": "$$NOW", "updated_at": "$$NOW"}
    return await _move(
        access, job_id, from_states=("dead", "cancelled"), to=again, drop=("finished_at", "forget_at")
    )


async def cancel_job(access: Access, job_id: str) -> JobView:
    """Call a queued, running or dead job off; `Conflict` if it is done or cancelled already.

    It is over at once: a worker that runs it finds its claim void, stops, and can no longer commit a result.
    """
    over = {"state": "cancelled", "finished_at": "$$NOW", "updated_at": "$$NOW", "forget_at": forget_at()}
    return await _move(
        access,
        job_id,
        from_states=("queued", "running", "dead"),
        to=over,
        drop=("claimable_at", "slot", "worker"),
    )


def forget_at() -> dict[str, Any]:
    """The server's expression for when a job that ends now leaves the ledger."""
    return {"$dateAdd": {"startDate": "$$NOW", "unit": "day", "amount": KEEP_FINISHED.days}}


async def _move(
    access: Access,
    job_id: str,
    *,
    from_states: tuple[JobState, ...],
    to: dict[str, Any],
    drop: tuple[str, ...],
) -> JobView:
    async def write(tx: Transaction) -> JobView:
        before = await get_job(tx, job_id)
        moved = await job_collection(tx.database).update_one(
            {"_id": job_id, "organization_id": tx.organization_id, "state": {"$in": list(from_states)}},
            [{"$set": to}, {"$unset": list(drop)}],
            session=tx.session,
        )
        if moved.matched_count == 0:
            raise Conflict(f"This job is {before.state}.", code=f"job-{before.state}")
        tx.changes.append(
            Change(
                action="update",
                collection=Job.Settings.name,
                document_ids=(job_id,),
                patient_id=before.patient_id,
                fields=("state",),
                note=to["state"],
            )
        )
        return await get_job(tx, job_id)

    return await access.transact(write)


def _reach(access: Access) -> dict[str, Any]:
    """What this actor may see: patients what is about themselves.

    A job does not know where its patient is treated. So staff who are bound to locations see, of the jobs
    about patients, only those that they asked for themselves.
    """
    if access.actor.kind == "patient":
        return {"patient_id": access.actor.id}
    if access.actor.location_ids is not None:
        return {"$or": [{"patient_id": None}, {"requested_by": access.actor.id}]}
    return {}
