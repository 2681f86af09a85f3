"""The connection to MongoDB: majority reads and writes, transactions, and the indexes that documents declare."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from beanie import init_beanie
from bson.codec_options import CodecOptions
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from core.access import Access, Actor, Transaction
from core.audit import AuditLog
from core.clock import Clock, utc_now
from core.documents import TenantDocument
from core.fields import FieldCipher
from core.keys import KeyRing
from core.mongo import RawCollection, RawDatabase, RawDocument

Result = TypeVar("Result")

MAJORITY = WriteConcern("majority", j=True)


class Database:
    """One MongoDB database. Rooms reach it through `Access`; `raw` is for core alone."""

    def __init__(
        self, client: AsyncMongoClient[RawDocument], name: str, keys: KeyRing, *, clock: Clock = utc_now
    ) -> None:
        self.client = client
        self.clock = clock
        self.keys = keys
        self.database: RawDatabase = client.get_database(
            name,
            codec_options=CodecOptions(tz_aware=True),
            read_concern=ReadConcern("majority"),
            write_concern=MAJORITY,
            read_preference=ReadPreference.PRIMARY,
        )
        self.fields = FieldCipher(self.database, keys)
        self.audit = AuditLog(self)

    def raw(self, collection: str) -> RawCollection:
        """A collection without tenant scope: only core may use it (an import and type rule of `make check`)."""
        return self.database[collection]

    def access(self, actor: Actor) -> Access:
        return Access(self, actor)

    def as_system(self, organization_id: str, name: str) -> Access:
        """The system acting for one organization, named for the audit log."""
        return Access(self, Actor.system(organization_id, name))

    async def transact(self, actor: Actor, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Run `work` in a transaction, add its audit entries, and commit with majority.

        Retried by the driver on transient errors, for instance a write conflict: `work` must be repeatable.
        """

        async def attempt(session: AsyncClientSession) -> Result:
            tx = Transaction(self, actor, session)
            result = await work(tx)
            await self.audit.append(tx)
            return result

        async with self.client.start_session() as session:
            return await session.with_transaction(
                attempt, read_concern=ReadConcern("snapshot"), write_concern=MAJORITY
            )
