"""One key between two processes, which share the database and nothing else."""

import asyncio
import datetime as dt
from collections.abc import AsyncGenerator
from contextvars import Context

import pytest

from core.access import Actor, Transaction
from core.database import Database
from core.errors import Conflict
from core.idempotency import LEASE, Answer, Asked, IdempotencyLedger, KeyReused, RequestInProgress
from core.master_key import MasterKey
from core.mongo import RawDatabase

ANSWER = Answer(201, [(b"content-type", b"application/json")], b'{"name": "Ada"}')


class Clock:
    def __init__(self) -> None:
        self.now = dt.datetime(2026, 3, 4, 17, 0, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def here(raw: RawDatabase, master_key: MasterKey, clock: Clock) -> AsyncGenerator[Database]:
    database = await Database.open(raw, master_key, clock=clock)
    yield database
    await database.close()


@pytest.fixture
async def there(
    here: Database, raw: RawDatabase, master_key: MasterKey, clock: Clock
) -> AsyncGenerator[Database]:
    del here  # which made the keys
    database = await Database.open(raw, master_key, clock=clock)
    yield database
    await database.close()


def asked(database: Database, actor: Actor | None, content: bytes = b"content") -> Asked:
    return IdempotencyLedger(database).asked(actor, "/v1/patients", "key", content)


@pytest.fixture
def actor(organization_id: str) -> Actor:
    return Actor(organization_id, "staff", "stf_1")


async def test_whoever_is_second_is_told_that_it_is_being_worked_on(
    here: Database, there: Database, actor: Actor
) -> None:
    async def first(tx: Transaction) -> None:
        assert await IdempotencyLedger(here).claim_in(tx, asked(here, actor)) is None
        with pytest.raises(RequestInProgress):
            # Another process does not know what this one is in the middle of.
            await asyncio.create_task(there.transact(actor, second), context=Context())
        await IdempotencyLedger(here).keep_in(tx, asked(here, actor), ANSWER)

    async def second(tx: Transaction) -> None:
        await IdempotencyLedger(there).claim_in(tx, asked(there, actor))

    await here.transact(actor, first)
    assert await IdempotencyLedger(there).find(asked(there, actor)) == ANSWER


async def test_whoever_comes_later_gets_the_answer_within_their_transaction(
    here: Database, there: Database, actor: Actor
) -> None:
    async def work(tx: Transaction) -> Answer | None:
        ledger = IdempotencyLedger(tx.database)
        if (before := await ledger.claim_in(tx, asked(tx.database, actor))) is not None:
            return before
        await ledger.keep_in(tx, asked(tx.database, actor), ANSWER)
        return None

    assert await here.transact(actor, work) is None
    assert await there.transact(actor, work) == ANSWER


async def test_work_that_is_given_up_leaves_the_key_free(
    here: Database, there: Database, actor: Actor
) -> None:
    async def give_up(tx: Transaction) -> None:
        await IdempotencyLedger(here).claim_in(tx, asked(here, actor))
        raise Conflict("no")

    with pytest.raises(Conflict):
        await here.transact(actor, give_up)
    assert await IdempotencyLedger(there).find(asked(there, actor)) is None


async def test_a_lease_keeps_others_out_until_it_runs_out(
    here: Database, there: Database, clock: Clock
) -> None:
    assert await IdempotencyLedger(here).lease(asked(here, None)) is None
    with pytest.raises(RequestInProgress):
        await IdempotencyLedger(there).lease(asked(there, None))
    clock.now += LEASE + dt.timedelta(seconds=1)
    assert await IdempotencyLedger(there).lease(asked(there, None)) is None
    await IdempotencyLedger(there).keep(asked(there, None), ANSWER)
    assert await IdempotencyLedger(here).lease(asked(here, None)) == ANSWER


async def test_a_lease_that_is_given_back_can_be_taken(here: Database, there: Database) -> None:
    await IdempotencyLedger(here).lease(asked(here, None))
    await IdempotencyLedger(here).release(asked(here, None))
    assert await IdempotencyLedger(there).lease(asked(there, None)) is None


async def test_a_key_does_not_stand_for_another_request(
    here: Database, there: Database, clock: Clock
) -> None:
    await IdempotencyLedger(here).lease(asked(here, None))
    clock.now += LEASE + dt.timedelta(seconds=1)
    with pytest.raises(KeyReused):
        await IdempotencyLedger(there).lease(asked(there, None, b"something else"))
