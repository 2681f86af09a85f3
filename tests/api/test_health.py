"""Whether the process can serve, its figures, and what every answer carries."""

import asyncio
from pathlib import Path

import httpx
import msgspec
import pytest

from api.app import attach
from core.platform import Platform
from core.settings import Secret
from core.storage.objects import ObjectStorage
from tests.api.conftest import Api, Door


async def test_a_process_that_answers_is_alive(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get("/health/live")).json() == {"status": "ok"}


async def test_it_is_ready_when_database_and_storage_are(anonymous: httpx.AsyncClient) -> None:
    ready = await anonymous.get("/health/ready")
    assert ready.status_code == 200
    assert ready.json() == {"status": "ok", "database": "ok", "storage": "ok"}


async def test_it_is_not_ready_without_its_storage(
    api: Api, platform: Platform, anonymous: httpx.AsyncClient, tmp_path: Path
) -> None:
    folder = tmp_path / "vanishing"
    storage = ObjectStorage.at(folder.as_uri())
    folder.rmdir()
    folder.touch()
    attach(api.app, Platform(platform.settings, platform.database, storage))
    down = await anonymous.get("/health/ready")
    assert down.status_code == 503
    assert down.json() == {"status": "down", "database": "ok", "storage": "down"}


async def test_figures_name_routes_and_never_what_was_asked_for(anonymous: httpx.AsyncClient) -> None:
    await anonymous.get("/v1/staff/zq-marker-zq")
    await anonymous.get("/zq-marker-zq")
    figures = (await anonymous.get("/metrics")).text
    assert 'route="/v1/staff/{staff_id}"' in figures
    assert 'route="unmatched"' in figures
    assert "zq-marker-zq" not in figures


async def test_figures_are_for_this_machine_only(anonymous: httpx.AsyncClient) -> None:
    through_a_proxy = await anonymous.get("/metrics", headers={"X-Forwarded-For": "192.0.2.7"})
    assert through_a_proxy.status_code == 403


async def test_with_a_token_figures_are_for_whoever_knows_it(
    api: Api, platform: Platform, anonymous: httpx.AsyncClient
) -> None:
    settings = msgspec.structs.replace(platform.settings, metrics_token=Secret("let-me-see"))
    attach(api.app, Platform(settings, platform.database, platform.storage))
    assert (await anonymous.get("/metrics")).status_code == 401
    wrong = await anonymous.get("/metrics", headers={"Authorization": "Bearer wrong"})
    assert wrong.status_code == 401
    right = await anonymous.get("/metrics", headers={"Authorization": "Bearer let-me-see"})
    assert right.status_code == 200


async def test_a_callers_request_id_is_kept(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/health/live", headers={"X-Request-Id": "support-case-17"})
    assert answer.headers["x-request-id"] == "support-case-17"


@pytest.mark.parametrize("given", ["short", "two words here", "x" * 129, "<script>alert(1)</script>"])
async def test_a_request_id_that_is_none_is_replaced(anonymous: httpx.AsyncClient, given: str) -> None:
    answer = await anonymous.get("/health/live", headers={"X-Request-Id": given})
    assert answer.headers["x-request-id"].startswith("req_")


async def test_the_log_of_a_request_has_its_id_and_route_and_no_address(
    door: Door, capsys: pytest.CaptureFixture[str]
) -> None:
    therapist = await door.staff("therapist")
    capsys.readouterr()
    await therapist.get("/v1/patients/zq-marker-zq?q=zq-marker-zq", headers={"X-Request-Id": "log-test-1"})
    await asyncio.sleep(0)
    logged = "".join(capsys.readouterr())
    assert "log-test-1" in logged
    assert "/v1/patients/{patient_id}" in logged
    assert "zq-marker-zq" not in logged


@pytest.mark.parametrize("path", ["/health/live", "/v1/me", "/nowhere", "/docs", "/app"])
async def test_every_answer_tells_browsers_what_not_to_do(anonymous: httpx.AsyncClient, path: str) -> None:
    headers = (await anonymous.get(path)).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


async def test_answers_about_people_are_not_kept_on_the_way(door: Door) -> None:
    therapist = await door.staff("therapist")
    assert (await therapist.get("/v1/me")).headers["cache-control"] == "no-store"
