"""From the registration of a patient to the exercise session, over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.api.clinic import Visit, open_visit
from tests.api.conftest import Api, Door


@pytest.fixture
async def visit(door: Door) -> Visit:
    return await open_visit(door)


async def test_a_patient_is_registered_found_and_corrected(visit: Visit) -> None:
    therapist, patient = visit.therapist, visit.patient
    read = await therapist.get(f"/v1/patients/{patient['id']}")
    assert read.headers["etag"] == '"1"'
    assert read.json() == patient
    found = await therapist.get("/v1/patients", params={"q": "demo"})
    assert [each["id"] for each in found.json()["items"]] == [patient["id"]]
    corrected = await therapist.patch(
        f"/v1/patients/{patient['id']}", json={"phone": None}, headers={"If-Match": '"1"'}
    )
    assert (corrected.status_code, corrected.headers["etag"]) == (200, '"2"')
    assert corrected.json()["phone"] is None
    assert corrected.json()["family_name"] == patient["family_name"]


async def test_an_update_names_the_version_it_is_based_on(visit: Visit) -> None:
    address = f"/v1/patients/{visit.patient['id']}"
    without = await visit.therapist.patch(address, json={"units": "metric"})
    stale = await visit.therapist.patch(address, json={"units": "metric"}, headers={"If-Match": '"7"'})
    assert (without.status_code, stale.status_code) == (428, 412)


async def test_everything_wrong_is_named_and_nothing_is_repeated(visit: Visit) -> None:
    wrong = {**visit.new_patient, "phone": "call me", "email": "secret.example"}
    refused = await visit.therapist.post("/v1/patients", json=wrong)
    assert refused.status_code == 422
    assert {fault["pointer"] for fault in refused.json()["errors"]} == {"/phone", "/email"}
    assert "secret" not in refused.text


async def test_a_program_is_prescribed_revised_and_its_history_kept(visit: Visit) -> None:
    address = f"/v1/programs/{visit.program['id']}"
    harder = {
        "title": "Stronger still",
        "prescriptions": [{**visit.prescription_draft, "repetitions": 8}],
    }
    revised = await visit.therapist.put(address, json=harder, headers={"If-Match": '"1"'})
    assert (revised.status_code, revised.json()["revision"]) == (200, 2)
    assert revised.json()["prescriptions"][0]["id"] == visit.prescription["id"]
    versions = (await visit.therapist.get(f"{address}/versions")).json()["items"]
    assert [version["prescriptions"][0]["repetitions"] for version in versions] == [5, 8]
    listed = (await visit.therapist.get(f"/v1/patients/{visit.patient['id']}/programs")).json()["items"]
    assert [program["id"] for program in listed] == [visit.program["id"]]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"sets": 21}, "/prescriptions/0/sets"),
        ({"repetitions": 0}, "/prescriptions/0/repetitions"),
        ({"hold_s": 601}, "/prescriptions/0/hold_s"),
        ({"exercise_id": "moonwalk"}, "/prescriptions/0/exercise_id"),
        ({"days_of_week": ["someday"], "days_per_week": None}, "/prescriptions/0/days_of_week/0"),
        ({"days_of_week": ["monday"]}, "/prescriptions/0/days_of_week"),
        ({"reps": 5}, "/prescriptions/0"),
    ],
)
async def test_what_cannot_be_prescribed_is_refused_by_field(
    visit: Visit, change: dict[str, Any], pointer: str
) -> None:
    program = {
        "title": "Knees",
        "starts_on": "2026-03-02",
        "prescriptions": [{**visit.prescription_draft, **change}],
    }
    refused = await visit.therapist.post(f"/v1/episodes/{visit.episode['id']}/programs", json=program)
    assert refused.status_code == 422
    assert [fault["pointer"] for fault in refused.json()["errors"]] == [pointer]


async def test_an_episode_is_closed(visit: Visit) -> None:
    address = f"/v1/episodes/{visit.episode['id']}"
    closed = await visit.therapist.patch(
        address, json={"ended_on": visit.today.isoformat()}, headers={"If-Match": '"1"'}
    )
    assert closed.json()["ended_on"] == visit.today.isoformat()
    assert (await visit.therapist.get(address)).json() == closed.json()


async def test_a_patient_reports_a_set_and_sees_the_day_fill(visit: Visit, api: Api) -> None:
    async with httpx.AsyncClient(base_url=api.url, headers=visit.patient_headers) as patient:
        before = (await patient.get(f"/v1/patients/{visit.patient['id']}/today")).json()
        assert before["date"] == visit.today.isoformat()
        assert before["prescriptions"][0]["done"]["sets"] == 0
        started = await patient.post("/v1/exercise-sessions", json=visit.self_report(pain_before=2))
        assert started.status_code == 201
        session = started.json()
        assert session["evidence"][0]["repetitions"] == 5
        after = (await patient.get(f"/v1/patients/{visit.patient['id']}/today")).json()
        assert after["prescriptions"][0]["complete"] is True
        changed = await patient.patch(
            f"/v1/exercise-sessions/{session['id']}",
            json={"pain_after": 4, "exertion_after": 3},
            headers={"If-Match": started.headers["etag"]},
        )
        assert (changed.json()["pain_before"], changed.json()["pain_after"]) == (2, 4)
        refused = await patient.patch(
            f"/v1/exercise-sessions/{session['id']}",
            json={"pain_after": 11},
            headers={"If-Match": changed.headers["etag"]},
        )
        assert [fault["pointer"] for fault in refused.json()["errors"]] == ["/pain_after"]
        analysis = (await patient.get(f"/v1/exercise-sessions/{session['id']}/analysis")).json()
        assert analysis["state"] == "awaiting_video"
    listed = await visit.therapist.get(f"/v1/patients/{visit.patient['id']}/exercise-sessions")
    assert [each["id"] for each in listed.json()["items"]] == [session["id"]]


async def test_a_report_sent_twice_with_one_key_is_recorded_once(visit: Visit, api: Api) -> None:
    headers = {**visit.patient_headers, "Idempotency-Key": "report-1"}
    async with httpx.AsyncClient(base_url=api.url, headers=headers) as patient:
        first = await patient.post("/v1/exercise-sessions", json=visit.self_report())
        again = await patient.post("/v1/exercise-sessions", json=visit.self_report())
    assert first.json() == again.json()
    listed = await visit.therapist.get(f"/v1/patients/{visit.patient['id']}/exercise-sessions")
    assert len(listed.json()["items"]) == 1


async def test_a_patient_neither_prescribes_nor_reaches_another_patient(
    visit: Visit, door: Door, api: Api
) -> None:
    other = await open_visit(door)
    async with httpx.AsyncClient(base_url=api.url, headers=visit.patient_headers) as patient:
        forbidden = await patient.post(f"/v1/episodes/{visit.episode['id']}/programs", json={"title": "Mine"})
        assert forbidden.status_code == 403
        for address in (
            f"/v1/patients/{other.patient['id']}",
            f"/v1/patients/{other.patient['id']}/today",
            f"/v1/patients/{other.patient['id']}/compliance",
            f"/v1/programs/{other.program['id']}",
        ):
            assert (await patient.get(address)).status_code == 404
        stranger = await patient.post("/v1/exercise-sessions", json=other.self_report())
        assert stranger.status_code == 404


async def test_the_library_is_searched_and_read_in_the_language_asked_for(visit: Visit) -> None:
    found = await visit.therapist.get("/v1/exercises", params={"q": "levantarse", "language": "es"})
    assert [exercise["id"] for exercise in found.json()["items"]] == ["sit_to_stand"]
    knees = (await visit.therapist.get("/v1/exercises", params={"body_region": "knee"})).json()["items"]
    assert {exercise["body_region"] for exercise in knees} == {"knee"}
    exercise = (await visit.therapist.get("/v1/exercises/sit_to_stand")).json()
    assert exercise["names"] == {"en": "Sit to stand", "es": "Sentarse y levantarse"}
    assert (await visit.therapist.get("/v1/exercises/moonwalk")).status_code == 404


async def test_lists_go_on_where_the_page_before_ended(visit: Visit) -> None:
    for _ in range(3):
        await visit.therapist.post("/v1/patients", json=visit.new_patient)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        parameters: dict[str, Any] = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await visit.therapist.get("/v1/patients", params=parameters)).json()
        seen += [patient["id"] for patient in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 4


async def test_today_is_counted_where_the_patient_is_treated(visit: Visit) -> None:
    day = (await visit.therapist.get(f"/v1/patients/{visit.patient['id']}/today")).json()
    zone = ZoneInfo(day["time_zone"])
    now = datetime.now(UTC)
    around = {(now + timedelta(minutes=minutes)).astimezone(zone).date().isoformat() for minutes in (-1, 1)}
    assert day["date"] in around
