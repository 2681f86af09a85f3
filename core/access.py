"""Who is asking, and the door through which they reach stored data.

An `Actor` always belongs to one organization. `Access` binds an actor to the database; a `Transaction` is an
`Access` whose writes, audit entries, events and jobs become durable together or not at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from datetime import datetime

    from pymongo.asynchronous.client_session import AsyncClientSession

    from core.database import Database
    from core.events import Event

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever acts: a member of staff, a patient, or the system itself on behalf of an organization."""

    organization_id: str
    kind: Literal["staff", "patient", "system"]
    id: str
    """The staff id, the patient id, or the name of the job that runs."""
    roles: frozenset[str] = frozenset()
    location_ids: frozenset[str] | None = None
    """Locations this member of staff works at; None means all of the organization's."""
    session_id: str | None = None
    request_id: str | None = None
    emergency_reason: str | None = None
    """Set while a member of staff uses emergency access; recorded with every entry of the audit log."""
    emergency_patient_id: str | None = None
    """The one patient whose documents emergency access reaches, wherever they are treated."""

    @classmethod
    def system(cls, organization_id: str, name: str) -> Actor:
        """The system acting by itself, for instance in a job."""
        return cls(organization_id=organization_id, kind="system", id=name)


@dataclass(frozen=True, slots=True)
class Change:
    """One write or read that the audit log keeps: what was done to which document, never its content."""

    action: Literal["insert", "update", "delete", "read", "event"]
    collection: str
    document_ids: tuple[str, ...]
    patient_id: str | None = None
    fields: tuple[str, ...] = ()
    note: str | None = None


@dataclass(slots=True)
class Access:
    """One actor's reach into the database."""

    database: Database
    actor: Actor

    @property
    def organization_id(self) -> str:
        return self.actor.organization_id

    @property
    def session(self) -> AsyncClientSession | None:
        """The MongoDB session, inside a transaction."""
        return None

    def now(self) -> datetime:
        return self.database.clock()

    async def transact(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Run `work` in one transaction and commit it.

        `work` runs again from its start when MongoDB asks for a retry: it must not have effects outside `tx`.
        """
        return await self.database.transact(self.actor, work)


@dataclass(slots=True)
class Transaction(Access):
    """An `Access` inside a database transaction."""

    client_session: AsyncClientSession
    changes: list[Change] = field(default_factory=list[Change])

    @property
    def session(self) -> AsyncClientSession:
        return self.client_session

    async def transact(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Join this transaction."""
        return await work(self)

    async def publish(self, event: Event) -> None:
        """Record a fact and queue every job that is subscribed to it, as part of this transaction."""
        from core.events import record  # noqa: PLC0415 - events need Transaction's type

        await record(self, event)

    async def enqueue(self, kind: str, payload: Any, *, key: str, patient_id: str | None = None) -> str:  # noqa: ANN401
        """Queue a job as part of this transaction; the same kind and key twice is one job. Returns its id.

        `payload` is the msgspec Struct that the job kind declares.
        """
        from core.jobs.ledger import enqueue  # noqa: PLC0415 - the ledger needs Transaction's type

        return await enqueue(self, kind, payload, key=key, patient_id=patient_id)
