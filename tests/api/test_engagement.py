"""Compliance, nudges and devices over HTTP."""

from datetime import timedelta

import httpx
import pytest

from tests.api.clinic import Visit, open_visit
from tests.api.conftest import Api, Door


@pytest.fixture
async def visit(door: Door) -> Visit:
    """A program that has been running since yesterday."""
    return await open_visit(door, began_days_ago=1)


async def test_a_report_changes_compliance_and_shows_what_it_rests_on(visit: Visit, api: Api) -> None:
    address = f"/v1/patients/{visit.patient['id']}/compliance"
    before = (await visit.therapist.get(address)).json()
    assert (before["score"], before["prescribed_doses"]) == (0.0, 1)
    async with httpx.AsyncClient(base_url=api.url, headers=visit.patient_headers) as patient:
        session = (await patient.post("/v1/exercise-sessions", json=visit.self_report())).json()
        own = (await patient.get(address)).json()
    after = (await visit.therapist.get(address)).json()
    assert own == after
    assert after["completion"] > before["completion"]
    assert after["to"] == visit.today.isoformat()
    (program,) = after["programs"]
    doses = [dose for week in program["weeks"] for day in week["days"] for dose in day["doses"]]
    assert [dose["session_ids"] for dose in doses if dose["credit"] > 0] == [[session["id"]]]
    assert doses[-1]["grades"] == [{"grade": "self_report", "weight": 0.8, "repetitions": 5.0}]
    alone = (await visit.therapist.get(f"/v1/programs/{visit.program['id']}/compliance")).json()
    assert alone["credited_doses"] == after["credited_doses"]


async def test_compliance_of_a_period_is_asked_for_by_dates(visit: Visit) -> None:
    address = f"/v1/patients/{visit.patient['id']}/compliance"
    yesterday = (visit.today - timedelta(days=1)).isoformat()
    asked = (await visit.therapist.get(address, params={"from": yesterday, "to": yesterday})).json()
    assert (asked["to"], asked["prescribed_doses"]) == (yesterday, 1)
    backwards = await visit.therapist.get(address, params={"from": "2026-03-09", "to": "2026-03-01"})
    assert backwards.status_code == 422
    nonsense = await visit.therapist.get(address, params={"from": "soon"})
    assert nonsense.status_code == 422


async def test_a_missed_day_is_evaluated_on_request_and_nudges_once(visit: Visit, api: Api) -> None:
    address = f"/v1/patients/{visit.patient['id']}"
    first = await visit.therapist.post(f"{address}/compliance/evaluation", json={})
    again = await visit.therapist.post(f"{address}/compliance/evaluation", json={})
    assert (first.status_code, first.json()["nudge"], again.json()["nudge"]) == (
        200,
        "queued",
        "queued_before",
    )
    outbox = (await visit.therapist.get("/v1/notifications")).json()["items"]
    assert [message["id"] for message in outbox] == [first.json()["notification_id"]]
    async with httpx.AsyncClient(base_url=api.url, headers=visit.patient_headers) as patient:
        own = (await patient.get(f"{address}/notifications")).json()["items"]
        assert own == outbox
        assert (await patient.get("/v1/notifications")).status_code == 403
        refused = await patient.post(f"{address}/compliance/evaluation", json={})
        assert refused.status_code == 403


async def test_a_day_that_is_not_over_cannot_be_evaluated(visit: Visit) -> None:
    address = f"/v1/patients/{visit.patient['id']}/compliance/evaluation"
    refused = await visit.therapist.post(address, json={"date": visit.today.isoformat()})
    assert refused.status_code == 422
    assert [fault["pointer"] for fault in refused.json()["errors"]] == ["/date"]


async def test_a_patient_registers_a_device_and_takes_it_away_again(visit: Visit, api: Api) -> None:
    async with httpx.AsyncClient(base_url=api.url, headers=visit.patient_headers) as patient:
        device = {"platform": "web", "name": "Ana's phone", "target": "https://push.example/1"}
        registered = await patient.post("/v1/devices", json=device)
        assert registered.status_code == 201
        assert "push.example" not in registered.text
        assert [each["id"] for each in (await patient.get("/v1/devices")).json()] == [registered.json()["id"]]
        assert (await visit.therapist.get("/v1/devices")).json() == []
        gone = await patient.delete(f"/v1/devices/{registered.json()['id']}")
        assert gone.status_code == 204
        assert (await patient.get("/v1/devices")).json() == []
