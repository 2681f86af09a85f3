"""What a client is told when something is wrong."""

from typing import Any, cast

import httpx
import pytest

from tests.api.conftest import Door

SECRET = "zq-marker-zq"


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The problem detail of an answer, after the checks that hold for every one."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    found = cast("dict[str, Any]", answer.json())
    assert found["status"] == status
    assert found["type"].startswith("/problems/")
    assert found["title"]
    assert found["detail"]
    assert answer.headers["x-request-id"] in found["instance"]
    assert SECRET not in answer.text
    return found


async def test_an_address_that_does_not_exist(anonymous: httpx.AsyncClient) -> None:
    problem(await anonymous.get(f"/v1/{SECRET}?q={SECRET}"), 404)


async def test_a_method_that_an_address_does_not_know_names_those_it_knows(
    anonymous: httpx.AsyncClient,
) -> None:
    answer = await anonymous.delete("/health/live")
    problem(answer, 405)
    assert "GET" in answer.headers["allow"]


async def test_without_a_token_the_way_in_is_named(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/v1/me")
    problem(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_made_up_token_is_refused_and_not_repeated(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/v1/me", headers={"Authorization": f"Bearer {SECRET}"})
    problem(answer, 401)
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_a_role_that_may_not(door: Door) -> None:
    front_desk = await door.staff("front_desk")
    problem(await front_desk.get("/v1/audit"), 403)


async def test_something_of_nobody(door: Door) -> None:
    administrator = await door.staff("administrator")
    problem(await administrator.get(f"/v1/staff/stf_{SECRET}"), 404)


async def test_a_body_that_is_no_json(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.post(
        "/v1/auth/sign-in", content=f'{{"email": {SECRET}', headers={"Content-Type": "application/json"}
    )
    problem(answer, 400)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"email": "a@b.example"}, "/password"),
        ({"email": 5, "password": SECRET}, "/email"),
        ({"email": "a@b.example", "password": "x", SECRET: 1}, ""),
        ([SECRET], ""),
    ],
)
async def test_a_field_that_is_wrong_is_named_by_pointer(
    anonymous: httpx.AsyncClient, body: object, pointer: str
) -> None:
    found = problem(await anonymous.post("/v1/auth/sign-in", json=body), 422)
    assert [(error["pointer"], error["location"]) for error in found["errors"]] == [(pointer, "body")]


async def test_a_parameter_that_is_wrong_is_named(door: Door) -> None:
    manager = await door.staff("manager")
    found = problem(await manager.get("/v1/audit", params={"limit": 201, "from": SECRET}), 422)
    assert {(error["pointer"], error["location"]) for error in found["errors"]} == {
        ("/limit", "query"),
        ("/from", "query"),
    }


async def test_another_media_type(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.post(
        "/v1/auth/sign-in", content=f"email={SECRET}", headers={"Content-Type": "text/plain"}
    )
    problem(answer, 415)


async def test_a_body_that_is_too_large(anonymous: httpx.AsyncClient) -> None:
    body = {"email": "a@b.example", "password": "x" * 1_100_000}
    problem(await anonymous.post("/v1/auth/sign-in", json=body), 413)


async def test_an_update_without_its_precondition(door: Door) -> None:
    administrator = await door.staff("administrator")
    problem(await administrator.patch("/v1/organization", json={"name": SECRET}), 428)


async def test_an_update_of_an_older_version(door: Door) -> None:
    administrator = await door.staff("administrator")
    read = await administrator.get("/v1/organization")
    headers = {"If-Match": read.headers["etag"]}
    await administrator.patch("/v1/organization", json={"name": "Larkspur"}, headers=headers)
    answer = await administrator.patch("/v1/organization", json={"name": SECRET}, headers=headers)
    problem(answer, 412)


async def test_each_kind_of_problem_is_described_where_its_type_leads(anonymous: httpx.AsyncClient) -> None:
    kind = problem(await anonymous.get("/v1/nowhere"), 404)["type"]
    answer = await anonymous.get(kind)
    assert answer.status_code == 200
    assert "not-found" in answer.text
