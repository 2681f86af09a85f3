"""Values that no honest client sends, where a query or a calendar might choke on them."""

import base64
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest

from tests.api.conftest import Door


def cursor(*position: Any) -> str:  # noqa: ANN401 - whatever somebody may make up
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(position)).decode().rstrip("=")


@pytest.fixture
async def administrator(door: Door) -> httpx.AsyncClient:
    return await door.staff("administrator", "manager")


@pytest.mark.parametrize(
    "made_up",
    [
        cursor({"$ne": None}, "job_1"),
        cursor({"$where": "sleep(1000)"}, "job_1"),
        cursor({"$nonsense": 1}, "job_1"),
        cursor(2**64 - 1, "job_1"),
        cursor(["a"], "job_1"),
        cursor(b"\xff", "job_1"),
        cursor(None, "job_1"),
        cursor(datetime(2026, 3, 2, tzinfo=UTC), {"$gt": ""}),
        cursor({"$ne": None}),
        cursor("only one"),
        cursor("a", "b", "c"),
        "not base64!",
        "ÿ",
    ],
)
async def test_a_made_up_cursor_is_refused_and_is_never_a_query(
    administrator: httpx.AsyncClient, made_up: str
) -> None:
    for path in ("/v1/jobs", "/v1/notifications", "/v1/emergency-access"):
        answer = await administrator.get(path, params={"cursor": made_up})
        assert answer.status_code == 422, path
        assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/cursor"]


@pytest.mark.parametrize(
    "instant",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
    ],
)
async def test_the_ends_of_the_calendar_break_nothing(administrator: httpx.AsyncClient, instant: str) -> None:
    for name in ("from", "to"):
        answer = await administrator.get("/v1/audit", params={name: instant})
        assert answer.status_code in {200, 422}, answer.text
