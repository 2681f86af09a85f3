"""Everybody who may knock at the API, and what each must not get to see."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

import httpx

from core.clock import utc_now
from core.jobs import cancel_job
from core.mongo import RawDatabase
from identity.tokens import AccessClaims
from tests.api.conftest import Api
from tests.api.reach_world import (
    Chart,
    Contents,
    House,
    contents_of_patient,
    keep_chart,
    settled,
    words_in,
)

STAFF_ROLES = ("therapist", "assistant", "front_desk", "biller", "manager", "administrator")


@dataclass
class Caller:
    """Somebody with or without a token."""

    name: str
    role: str
    """One of the roles, or `emergency`, or `nobody` for whoever has no good token."""
    client: httpx.AsyncClient
    mine: Chart
    """What they may see, as far as their role lets them."""
    others: list[Chart]
    """Charts of their own organization that are out of their reach."""
    foreign: Chart
    """A chart of the other organization."""
    bound: bool = False
    """Works at one location only."""
    asked_for_jobs: bool = True
    """The job of `mine` is theirs to see: people bound to a location see the jobs they asked for."""
    sign_in: Callable[[], Awaitable[None]] | None = None
    subject_id: str = ""


@dataclass
class World:
    """Two organizations, the charts in them, and everybody who calls from the first of them."""

    raw: RawDatabase
    ours: House
    theirs: House
    north: Chart
    neighbour: Chart
    """Treated where `north` is."""
    south: Chart
    """Treated at another location of the same organization."""
    foreign: Chart
    callers: list[Caller] = field(default_factory=list[Caller])
    numbers: count[int] = field(default_factory=count)

    @property
    def charts(self) -> list[Chart]:
        return [self.north, self.neighbour, self.south, self.foreign]

    async def untouchable(self) -> Contents:
        """What none of the callers may change in any way."""
        found = await settled(self.raw, self.theirs.id)
        for chart in (self.neighbour, self.south):
            found |= await contents_of_patient(self.raw, chart.patient_id)
        return found

    async def stop_job(self, job_id: str) -> None:
        """Call a job of ours off."""
        await cancel_job(self.ours.access, job_id)


async def open_world(api: Api, raw: RawDatabase, stack: AsyncExitStack) -> World:
    """Both organizations, and everybody of the first one signed in."""
    ours, theirs = await House.open(api, "Larkspur", stack), await House.open(api, "Nettlebrook", stack)
    north_id, south_id = await ours.location("North"), await ours.location("South")
    at_north = await ours.hire(("therapist",), north_id)
    of_north = await ours.client()
    await ours.sign_in(of_north, at_north[1])
    of_south = await ours.staff("therapist", at=south_id)
    of_theirs = await theirs.staff("therapist")
    north, north_phone = await keep_chart(ours, of_north, "Quillfeather", north_id)
    neighbour, _ = await keep_chart(ours, of_north, "Umberwick", north_id)
    south, _ = await keep_chart(ours, of_south, "Zaffrelow", south_id)
    foreign, _ = await keep_chart(theirs, of_theirs, "Oxblood", await theirs.location("West"))
    world = World(raw, ours, theirs, north, neighbour, south, foreign)
    rescuer = await ours.staff("therapist", at=north_id)
    emergency = await _rescue(ours, rescuer, south)
    await _rescue(ours, of_south, north)
    await _rescue(theirs, of_theirs, foreign)
    await _know_words(world)
    for role in STAFF_ROLES:
        for location_id in (None, north_id):
            client = await ours.client()
            member = at_north if (role, location_id) == ("therapist", north_id) else None
            member = member or await ours.hire((role,), location_id)
            caller = _colleague(world, role, client, member, bound=location_id is not None)
            caller.asked_for_jobs = location_id is None or member is at_north
            await _sign_in_again(caller)
            world.callers.append(caller)
    world.callers += [
        _patient(world, north_phone, await ours.staff("front_desk")),
        Caller(
            "a therapist in an emergency",
            "emergency",
            await ours.client(emergency),
            world.south,
            [world.north],
            world.foreign,
        ),
        *await _nobodies(world),
    ]
    return world


async def _rescue(house: House, therapist: httpx.AsyncClient, chart: Chart) -> str:
    """The token of emergency access to a chart, used once."""
    form = {"patient_id": chart.patient_id, "reason": f"{chart.word} fell in the waiting room"}
    answer = await therapist.post("/v1/emergency-access", json=form)
    assert answer.status_code == 201, answer.text
    token = answer.json()["access_token"]
    seen = await (await house.client(token)).get(f"/v1/patients/{chart.patient_id}")
    assert seen.status_code == 200  # and the log now holds the reason
    return token


async def _know_words(world: World) -> None:
    for chart in (world.north, world.neighbour, world.south):
        contents = await contents_of_patient(world.raw, chart.patient_id)
        chart.private = words_in(contents, chart.word)
    whole = await settled(world.raw, world.theirs.id)
    world.foreign.private = words_in(whole, world.foreign.word) | {world.theirs.word, world.theirs.id}


def _colleague(
    world: World, role: str, client: httpx.AsyncClient, member: tuple[str, str], *, bound: bool
) -> Caller:
    async def sign_in() -> None:
        await world.ours.sign_in(client, member[1])

    return Caller(
        name=f"{role} at one location" if bound else role,
        role=role,
        client=client,
        mine=world.north,
        others=[world.south] if bound else [],
        foreign=world.foreign,
        bound=bound,
        sign_in=sign_in,
        subject_id=member[0],
    )


def _patient(world: World, phone: httpx.AsyncClient, front_desk: httpx.AsyncClient) -> Caller:
    async def sign_in() -> None:
        await world.ours.sign_patient_in(phone, front_desk, world.north.patient_id)

    return Caller(
        name="patient",
        role="patient",
        client=phone,
        mine=world.north,
        others=[world.neighbour],
        foreign=world.foreign,
        sign_in=sign_in,
        subject_id=world.north.patient_id,
    )


async def _sign_in_again(caller: Caller) -> None:
    assert caller.sign_in is not None
    await caller.sign_in()


async def _nobodies(world: World) -> list[Caller]:
    """Whoever has no token, or one that is no good (any more)."""
    leaver = await world.ours.staff("therapist")
    left_with = leaver.headers["Authorization"].partition(" ")[2]
    assert (await leaver.post("/v1/auth/sign-out")).status_code == 204
    stale = await world.ours.staff("therapist")
    me = (await stale.get("/v1/me")).json()
    session = await world.raw["sign_in_sessions"].find_one({"subject_id": me["id"]})
    assert session is not None
    past = utc_now() - timedelta(hours=1)
    claims = AccessClaims(
        organization_id=world.ours.id,
        session_id=session["_id"],
        subject_id=me["id"],
        expires_at=int(past.timestamp()),
    )
    signer = world.ours.authority.access_tokens
    good = stale.headers["Authorization"].partition(" ")[2]
    forged = replace_payload(good, signer.sign(_of(claims, organization_id=world.theirs.id), past))
    tokens = {
        "nobody": None,
        "somebody with a made-up token": "a.b.c",
        "somebody with an expired token": signer.sign(claims, past - timedelta(minutes=10)),
        "somebody who signed out": left_with,
        "somebody who changed their token": forged,
    }
    everything = [world.north, world.neighbour, world.south]
    return [
        Caller(name, "nobody", await world.ours.client(token), world.foreign, everything, world.foreign)
        for name, token in tokens.items()
    ]


def replace_payload(token: str, other: str) -> str:
    """A token with the payload of another one, and so with a wrong signature."""
    head, _, signature = token.split(".")
    return f"{head}.{other.split('.')[1]}.{signature}"


def _of(claims: AccessClaims, *, organization_id: str) -> AccessClaims:
    future = int((utc_now() + timedelta(hours=1)).timestamp())
    return AccessClaims(
        organization_id=organization_id,
        session_id=claims.session_id,
        subject_id=claims.subject_id,
        expires_at=future,
    )
