"""Limits hold however many processes count, and let people back in."""

from __future__ import annotations

import asyncio

from pymongo.read_concern import ReadConcern

from core.database import Database
from core.errors import TooManyRequests
from core.master_key import MasterKey
from core.mongo import RawDatabase
from core.rate_limits import Rule

SIGN_IN = Rule("sign-in", limit=5, per_s=3600)


async def refused(database: Database, key: str, rule: Rule) -> float | None:
    """How long to wait, or None if it was let through."""
    try:
        await database.rate_limits.hit(key, rule)
    except TooManyRequests as error:
        return error.retry_after_s
    return None


async def test_as_many_as_allowed_pass_and_the_next_is_told_how_long_to_wait(database: Database) -> None:
    for _ in range(SIGN_IN.limit):
        assert await refused(database, "192.0.2.1", SIGN_IN) is None
    wait = await refused(database, "192.0.2.1", SIGN_IN)
    assert wait is not None
    assert 0 < wait <= SIGN_IN.per_s / SIGN_IN.limit


async def test_keys_and_rules_are_counted_apart(database: Database) -> None:
    strict = Rule("strict", limit=1, per_s=3600)
    assert await refused(database, "a", strict) is None
    assert await refused(database, "b", strict) is None
    assert await refused(database, "a", SIGN_IN) is None
    assert await refused(database, "a", strict) is not None


async def test_many_processes_at_once_let_through_no_more_than_allowed(
    raw: RawDatabase, database: Database, master_key: MasterKey
) -> None:
    others = [database, *[await Database.open(raw, master_key) for _ in range(2)]]
    results = await asyncio.gather(
        *(refused(process, "192.0.2.1", SIGN_IN) for process in others for _ in range(10))
    )
    assert results.count(None) == SIGN_IN.limit


async def test_a_refused_attempt_does_not_prolong_the_wait(database: Database) -> None:
    rule = Rule("brief", limit=1, per_s=0.2)
    assert await refused(database, "a", rule) is None
    for _ in range(5):
        await refused(database, "a", rule)
    await asyncio.sleep(0.25)
    assert await refused(database, "a", rule) is None


async def test_success_forgives(database: Database) -> None:
    for _ in range(SIGN_IN.limit):
        await database.rate_limits.hit("a", SIGN_IN)
    await database.rate_limits.forgive("a", SIGN_IN)
    assert await refused(database, "a", SIGN_IN) is None


async def test_keys_are_not_stored(raw: RawDatabase, database: Database) -> None:
    await database.rate_limits.hit("ada@example.org", SIGN_IN)
    # Limits do not wait for the majority, so neither must this look at them.
    stored = await raw["rate_limits"].with_options(read_concern=ReadConcern("local")).find({}).to_list()
    assert len(stored) == 1
    assert "ada" not in repr(stored)
