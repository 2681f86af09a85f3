"""The connection to MongoDB: majority reads and writes, transactions, and what documents declare."""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from beanie import init_beanie  # pyright: ignore[reportUnknownVariableType] - partly typed by beanie
from bson.codec_options import CodecOptions
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from core.access import Access, Actor, Transaction
from core.audit import AuditLog
from core.audit_chain import Link
from core.clock import Clock, utc_now
from core.directory import Directory
from core.documents import TenantDocument
from core.errors import HomestretchError, Unavailable
from core.fields import FieldCipher
from core.indexes import make_indexes
from core.keys import KeyRing
from core.master_key import MasterKey
from core.mongo import RawDatabase, RawDocument
from core.rate_limits import RateLimits
from core.settings import Settings, SettingsError

Result = TypeVar("Result")

MAJORITY = WriteConcern("majority", j=True)

OLDEST_SERVER = (6, 0)


class Database:
    """One MongoDB database. Rooms reach it through `Access`; unscoped collections are for core alone."""

    def __init__(self, raw: RawDatabase, keys: KeyRing, *, clock: Clock = utc_now) -> None:
        self._raw = raw
        self._server_version: tuple[int, ...] = OLDEST_SERVER
        self.clock = clock
        self.keys = keys
        self.fields = FieldCipher(raw, keys)
        self.audit = AuditLog(self)
        self.directory = Directory(self)
        self.rate_limits = RateLimits(self)

    @classmethod
    async def open(cls, raw: RawDatabase, master: MasterKey, *, clock: Clock = utc_now) -> Database:
        """Open the database with its master key; `KeyFault` if it is another one's."""
        return cls(raw, await KeyRing.open(raw, master, clock=clock), clock=clock)

    async def close(self) -> None:
        """Finish what is under way. The client stays open: it belongs to whoever connected it."""
        await self.audit.close()
        await self.fields.close()

    async def prepare(self, documents: Sequence[type[TenantDocument]], *, indexes: bool = True) -> None:
        """Make `documents` usable, and with `indexes` make and verify theirs and core's own.

        Raises:
            IndexFault: an index does not stand as declared.
            Unavailable: the server is too old.
        """
        self._server_version = await self._read_server_version()
        await init_beanie(self._raw, document_models=list(documents), skip_indexes=True)
        if indexes:
            await make_indexes(self._raw, documents)

    def server_has(self, *version: int) -> bool:
        """Whether the server is at least of this version, for what only newer ones can do."""
        return self._server_version >= version

    async def ping(self) -> None:
        """Raises `Unavailable` unless a server answers that accepts writes."""
        try:
            hello = await self._raw.client.admin.command("hello")
        except PyMongoError as error:
            raise Unavailable("The database does not answer.") from error
        if not hello.get("isWritablePrimary"):
            raise Unavailable("The database accepts no writes at present.")

    def access(self, actor: Actor) -> Access:
        return Access(self, actor)

    def as_system(self, organization_id: str, name: str) -> Access:
        """The system acting for one organization, named for the audit log."""
        return Access(self, Actor.system(organization_id, name))

    async def transact(self, actor: Actor, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Run `work` in a transaction, add its audit entries, and commit with majority.

        Retried on transient errors, for instance a write conflict: `work` must be repeatable. Transactions of
        one organization take turns, because each continues the organization's audit chain.

        Raises:
            RuntimeError: called inside a transaction; use `tx.transact` there.
        """
        organization_id = actor.organization_id
        ends: list[Link | None] = []

        async def attempt(session: AsyncClientSession) -> Result:
            if ends:
                self.audit.forget_end(organization_id)
            await self.audit.prepare(organization_id)
            tx = Transaction(self, actor, session)
            ends.append(None)
            result = await work(tx)
            ends.append(await self.audit.append(tx))
            return result

        async with self.audit.turn(organization_id), self._raw.client.start_session() as session:
            try:
                result = await session.with_transaction(
                    attempt, read_concern=ReadConcern("snapshot"), write_concern=MAJORITY
                )
            except HomestretchError:
                raise  # nothing was written
            except BaseException:
                self.audit.forget_end(organization_id)  # it may or may not have been committed
                raise
            if (end := ends[-1]) is not None:
                self.audit.committed(organization_id, end)
            return result

    async def _read_server_version(self) -> tuple[int, ...]:
        info = await self._raw.command("buildInfo")
        version = tuple(info["versionArray"][:3])
        if version < OLDEST_SERVER:
            raise Unavailable(
                f"MongoDB {info['version']} is too old: 6.0 is the oldest that works, 7 or 8 are supported."
            )
        return version


@asynccontextmanager
async def connected(uri: str, settings: Settings, *, timeout_s: float = 10) -> AsyncGenerator[RawDatabase]:
    """The database of `settings` at `uri`, with majority reads and writes.

    `timeout_s` is how long any operation waits for a server to be found.

    Raises:
        SettingsError: it is no address.
        Unavailable: no server answers there, or it is no replica set.
    """
    client = _client(uri, timeout_s)
    try:
        await _require_replica_set(client)
        yield raw_database(client, settings.mongodb_database)
    finally:
        await client.close()


def raw_database(client: AsyncMongoClient[RawDocument], name: str) -> RawDatabase:
    """The database `name`, with majority reads and writes and UTC instants."""
    options: CodecOptions[Any] = CodecOptions(document_class=dict, tz_aware=True)
    return client.get_database(
        name,
        codec_options=options,
        read_concern=ReadConcern("majority"),
        write_concern=MAJORITY,
        read_preference=ReadPreference.PRIMARY,
    )


def _client(uri: str, timeout_s: float) -> AsyncMongoClient[RawDocument]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an option that the driver does not know would go unnoticed
            return AsyncMongoClient(
                uri,
                appname="homestretch",
                serverSelectionTimeoutMS=round(timeout_s * 1000),
                uuidRepresentation="standard",
            )
    except (PyMongoError, ValueError, UserWarning) as error:
        # The driver's text may repeat the address, which may hold a password.
        raise SettingsError(
            f"HOMESTRETCH_MONGODB_URI is no address of a MongoDB ({type(error).__name__})."
        ) from None


async def _require_replica_set(client: AsyncMongoClient[RawDocument]) -> None:
    try:
        hello = await client.admin.command("hello")
    except PyMongoError as error:
        # The text of the driver's error holds the address, which may hold a password.
        raise Unavailable(f"The database does not answer ({type(error).__name__}).") from None
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise Unavailable("The database is no replica set: transactions need one, even of a single server.")
