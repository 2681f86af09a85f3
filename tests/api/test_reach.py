"""Two organizations, every route, every role: nobody reads or changes what is not theirs.

The routes come from the application's own description. A new one fails here until `reach_probes` says who may
use it and how it is asked for.
"""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import httpx
import pytest

from api.authorization import OPTION, route_handlers
from api.openapi import describe
from care.documents import programs
from care.programs import ProgramView, get_program
from core.access import Access, Transaction
from core.errors import NotFound
from core.mongo import RawDatabase
from identity.policy import Permission
from tests.api.conftest import Api
from tests.api.reach_callers import World, open_world
from tests.api.reach_examiner import Operation, examine, operations_of, without_probe
from tests.identity.conftest import light_hashes

__all__ = ["light_hashes"]


@pytest.fixture
async def world(api: Api, raw: RawDatabase) -> AsyncGenerator[World]:
    async with AsyncExitStack() as stack:
        yield await open_world(api, raw, stack)


async def test_nobody_reaches_what_is_not_theirs(world: World) -> None:
    operations = operations_of(describe(world.ours.api.app))
    assert without_probe(operations) == []
    examination = await examine(world, operations)
    assert not examination.findings, "\n".join(examination.findings)
    assert examination.requests > 20 * len(operations)


def test_a_route_nobody_says_how_to_probe_is_noticed() -> None:
    listed = Operation("listSecrets", "GET", "/v1/secrets", frozenset({200}), is_public=False, example={})
    assert "listSecrets" in without_probe([listed])
    assert "getPatient" in without_probe([listed])


async def findings_of(world: World, *roles: str) -> str:
    """What is found when only the route of one program is examined."""
    operations = operations_of(describe(world.ours.api.app))
    only = [operation for operation in operations if operation.id == "getProgram"]
    return "\n".join((await examine(world, only, *roles)).findings)


async def test_leaks_of_every_kind_are_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An examination that finds nothing means something only if it finds a route that was made to leak."""
    foreign = world.foreign.program_id

    async def for_anybody(access: Access, program_id: str) -> ProgramView:
        del access
        house = world.theirs if program_id == foreign else world.ours
        return await get_program(house.access, program_id)

    with monkeypatch.context() as leak:
        leak.setattr("api.care.programs.get_program", for_anybody)
        found = await findings_of(world, "therapist", "patient")
    assert "therapist: getProgram foreign: 200 instead of 404" in found
    assert "therapist: getProgram foreign: it shows Oxblood" in found
    assert "therapist at one location: getProgram of Zaffrelow: it shows Zaffrelow" in found
    assert "patient: getProgram of Umberwick: it shows Umberwick" in found

    async def telling(access: Access, program_id: str) -> ProgramView:
        if program_id == foreign:
            raise NotFound("This program is somebody else's.")
        return await get_program(access, program_id)

    with monkeypatch.context() as leak:
        leak.setattr("api.care.programs.get_program", telling)
        found = await findings_of(world, "therapist")
    assert found.splitlines() == [
        f"{name}: getProgram tells what is foreign from what is not"
        for name in ("therapist", "therapist at one location")
    ]

    async def writing(access: Access, program_id: str) -> ProgramView:
        async def write(tx: Transaction) -> None:
            await programs.update(tx, program_id, {"ends_on": None})

        if program_id == foreign:
            await world.theirs.access.transact(write)
        return await get_program(access, program_id)

    with monkeypatch.context() as leak:
        leak.setattr("api.care.programs.get_program", writing)
        found = await findings_of(world, "therapist")
    assert f"programs {foreign} was changed" in found

    handlers = route_handlers(world.ours.api.app)
    (handler,) = (each for each in handlers if each.handler_name == "get_program")
    with monkeypatch.context() as leak:
        leak.setitem(handler.opt, OPTION, Permission.PROFILE_READ)
        found = await findings_of(world, "front_desk", "nobody")
    assert found.splitlines() == [
        f"{name}: getProgram {aim} instead of 403"
        for name in ("front_desk", "front_desk at one location")
        for aim in ("mine: 200", "foreign: 404")
    ]
    assert await findings_of(world) == ""


async def test_one_key_used_by_two_organizations_answers_each_its_own(
    world: World,
) -> None:
    form = {"platform": "web", "name": "Phone", "target": "https://push.example/same"}
    answers: list[httpx.Response] = []
    for house in (world.theirs, world.ours, world.ours):
        colleague = await house.staff("therapist")
        answers.append(await colleague.post("/v1/devices", json=form, headers={"Idempotency-Key": "same"}))
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert len({answer.json()["id"] for answer in answers}) == 3
