"""Sending a request again when its answer got lost."""

import asyncio

import httpx
import pytest

from api import idempotency
from core.idempotency import COLLECTION, IdempotencyLedger
from core.mongo import RawDatabase
from tests.api.conftest import Door

KEY = {"Idempotency-Key": "5f0c8a52-7d3e-4b0c"}
NORTH = {"name": "Nordhaus Clinic", "time_zone": "America/Chicago"}


async def names(client: httpx.AsyncClient) -> list[str]:
    return [location["name"] for location in (await client.get("/v1/locations")).json()]


@pytest.fixture
async def administrator(door: Door) -> httpx.AsyncClient:
    return await door.staff("administrator")


async def test_a_repeated_request_is_answered_alike_and_done_once(administrator: httpx.AsyncClient) -> None:
    first = await administrator.post("/v1/locations", json=NORTH, headers=KEY)
    again = await administrator.post("/v1/locations", json=NORTH, headers=KEY)
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert (await names(administrator)).count("Nordhaus Clinic") == 1


async def test_without_a_key_it_is_done_twice(administrator: httpx.AsyncClient) -> None:
    await administrator.post("/v1/locations", json=NORTH)
    await administrator.post("/v1/locations", json=NORTH)
    assert (await names(administrator)).count("Nordhaus Clinic") == 2


async def test_a_key_stands_for_one_request(administrator: httpx.AsyncClient) -> None:
    await administrator.post("/v1/locations", json=NORTH, headers=KEY)
    other = await administrator.post("/v1/locations", json={**NORTH, "name": "Other"}, headers=KEY)
    assert other.status_code == 422
    assert other.json()["type"] == "/problems/idempotency-key-reused"
    assert "Other" not in await names(administrator)


async def test_keys_of_two_people_are_two_keys(door: Door, administrator: httpx.AsyncClient) -> None:
    colleague = await door.staff("administrator", "therapist")
    mine = await administrator.post("/v1/locations", json=NORTH, headers=KEY)
    hers = await colleague.post("/v1/locations", json=NORTH, headers=KEY)
    assert mine.json()["id"] != hers.json()["id"]


async def test_a_refused_request_leaves_its_key_free(administrator: httpx.AsyncClient) -> None:
    refused = await administrator.post("/v1/locations", json={**NORTH, "time_zone": "Mars"}, headers=KEY)
    assert refused.status_code == 422
    corrected = await administrator.post("/v1/locations", json=NORTH, headers=KEY)
    assert corrected.status_code == 201


async def test_an_answer_lost_after_the_work_was_done_is_given_again(
    administrator: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose(*_: object) -> None:
        raise ConnectionAbortedError

    with monkeypatch.context() as lost:
        lost.setattr(idempotency, "_send", lose)
        failed = await administrator.post("/v1/locations", json=NORTH, headers=KEY)
        assert failed.status_code == 500
    again = await administrator.post("/v1/locations", json=NORTH, headers=KEY)
    assert again.status_code == 201
    assert again.headers["idempotent-replayed"] == "true"
    assert (await names(administrator)).count("Nordhaus Clinic") == 1


async def test_work_that_ends_before_its_answer_is_kept_leaves_no_trace(
    administrator: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as crashing:
        crashing.setattr(IdempotencyLedger, "keep_in", crash)
        failed = await administrator.post("/v1/locations", json=NORTH, headers=KEY)
        assert failed.status_code == 500
    assert "Nordhaus Clinic" not in await names(administrator)
    again = await administrator.post("/v1/locations", json=NORTH, headers=KEY)
    assert "idempotent-replayed" not in again.headers
    assert (await names(administrator)).count("Nordhaus Clinic") == 1


async def test_the_same_request_at_the_same_moment_is_done_once(administrator: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(
        *(administrator.post("/v1/locations", json=NORTH, headers=KEY) for _ in range(6))
    )
    statuses = {answer.status_code for answer in answers}
    assert 201 in statuses
    assert statuses <= {201, 409}
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["type"] == "/problems/request-in-progress"
    assert (await names(administrator)).count("Nordhaus Clinic") == 1


async def test_signing_in_again_with_the_same_key_gives_the_same_tokens(
    door: Door, anonymous: httpx.AsyncClient
) -> None:
    await door.practice.hire("tess@larkspur.example")
    form = {"email": "tess@larkspur.example", "password": "walnut ferry cactus lamp"}
    first = await anonymous.post("/v1/auth/sign-in", json=form, headers=KEY)
    again = await anonymous.post("/v1/auth/sign-in", json=form, headers=KEY)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    wrong = await anonymous.post("/v1/auth/sign-in", json={**form, "password": "wrong"}, headers=KEY)
    assert wrong.status_code == 422


async def test_a_request_that_failed_under_a_lease_may_be_sent_again(
    door: Door, anonymous: httpx.AsyncClient
) -> None:
    await door.practice.hire("tess@larkspur.example")
    form = {"email": "tess@larkspur.example", "password": "wrong"}
    for _ in range(2):
        refused = await anonymous.post("/v1/auth/sign-in", json=form, headers=KEY)
        assert refused.status_code == 401


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "é"])
async def test_a_key_must_be_visible_characters(administrator: httpx.AsyncClient, key: str) -> None:
    answer = await administrator.post(
        "/v1/locations", json=NORTH, headers=[(b"Idempotency-Key", key.encode())]
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/Idempotency-Key"


async def test_what_is_kept_shows_neither_question_nor_answer_and_is_forgotten(
    administrator: httpx.AsyncClient, raw: RawDatabase
) -> None:
    await administrator.post("/v1/locations", json=NORTH, headers=KEY)
    (row,) = await raw[COLLECTION].find().to_list()
    assert b"Nordhaus" not in str(row).encode() + row["answer"]
    assert KEY["Idempotency-Key"] not in str(row)
    (expiry,) = [
        index
        for index in (await raw[COLLECTION].index_information()).values()
        if "expireAfterSeconds" in index
    ]
    assert expiry["key"] == [("expires_at", 1)]


async def test_an_answer_is_not_repeated_to_somebody_who_lost_the_right(
    door: Door, administrator: httpx.AsyncClient
) -> None:
    colleague = await door.staff("administrator", "manager")
    first = await colleague.post("/v1/locations", json=NORTH, headers=KEY)
    assert first.status_code == 201
    me = (await colleague.get("/v1/me")).json()["id"]
    read = await administrator.get(f"/v1/staff/{me}")
    demoted = await administrator.patch(
        f"/v1/staff/{me}", json={"roles": ["front_desk"]}, headers={"If-Match": read.headers["etag"]}
    )
    assert demoted.status_code == 200
    again = await colleague.post("/v1/locations", json=NORTH, headers=KEY)
    assert again.status_code == 403
