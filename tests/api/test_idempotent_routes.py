"""Every POST of a signed-in person, with a key: done once, answered twice."""

import base64
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
from pyotp.totp import TOTP

from api.app import create_app
from api.openapi import describe
from core.settings import Settings
from tests.api.clinic import Visit, open_visit
from tests.api.conftest import Door
from tests.identity.practice import PASSWORD

# Before sign-in, or with a body that is streamed: those run under a lease.
UNDER_A_LEASE = {
    "/v1/auth/invitations",
    "/v1/auth/staff-invitations",
    "/v1/auth/second-factor",
    "/v1/auth/passkeys/authentication",
    "/v1/auth/refresh",
    "/v1/auth/sign-in",
    "/v1/uploads",
    "/v1/uploads/{upload_id}",
}
# What they need is shown elsewhere: a passkey made by an authenticator, and a job that failed.
SHOWN_ELSEWHERE = {"/v1/auth/passkeys", "/v1/jobs/{job_id}/retry"}
# Whoever has signed out is nobody to repeat an answer to.
SIGNS_OUT = {"/v1/auth/sign-out", "/v1/auth/sign-out-everywhere"}


class Twice:
    """Sends each request twice under one key."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    async def post(
        self,
        client: httpx.AsyncClient,
        template: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        **ids: str,
    ) -> Any:  # noqa: ANN401 - whatever the route answers
        key = {"Idempotency-Key": f"key-{len(self.seen)}", **(headers or {})}
        arguments: dict[str, Any] = {} if body is None else {"json": body}
        first = await client.post(template.format(**ids), headers=key, **arguments)
        again = await client.post(template.format(**ids), headers=key, **arguments)
        assert first.is_success, (template, first.text)
        assert (again.status_code, again.content) == (first.status_code, first.content), template
        assert again.headers["idempotent-replayed"] == "true"
        self.seen.add(template)
        return first.json() if first.content else None


async def test_every_route_that_takes_a_key_keeps_it(door: Door) -> None:
    twice = Twice()
    visit = await open_visit(door, began_days_ago=3)
    await _of_the_organization(twice, door)
    await _of_care(twice, visit.therapist, visit)
    await _of_the_patient(twice, visit)
    await _of_ones_own_sign_in(twice, await door.staff("therapist"))
    posts = {path for path, item in describe(create_app(Settings()))["paths"].items() if "post" in item}
    assert twice.seen | UNDER_A_LEASE | SHOWN_ELSEWHERE | SIGNS_OUT == posts


async def test_an_upload_announced_twice_under_one_key_is_one_upload(door: Door) -> None:
    visit = await open_visit(door)
    filmed = visit.self_report(evidence="video", self_report=None)
    session = (await visit.therapist.post("/v1/exercise-sessions", json=filmed)).json()
    metadata = f"exercise_session_id {base64.b64encode(session['id'].encode()).decode()}"
    headers = {
        "Tus-Resumable": "1.0.0",
        "Upload-Length": "1000",
        "Upload-Metadata": metadata,
        "Idempotency-Key": "upload-1",
    }
    first = await visit.therapist.post("/v1/uploads", headers=headers)
    again = await visit.therapist.post("/v1/uploads", headers=headers)
    assert first.status_code == again.status_code == 201
    assert first.headers["location"] == again.headers["location"]
    other = await visit.therapist.post("/v1/uploads", headers={**headers, "Upload-Length": "2000"})
    assert other.status_code == 422


async def _of_the_organization(twice: Twice, door: Door) -> None:
    administrator = await door.staff("administrator")
    await twice.post(administrator, "/v1/locations", {"name": "East", "time_zone": "America/New_York"})
    colleague = {"name": "Cleo", "email": "cleo@larkspur.example", "roles": ["biller"], "location_ids": None}
    added = await twice.post(administrator, "/v1/staff", colleague)
    await twice.post(administrator, "/v1/staff/{staff_id}/invitation", staff_id=added["id"])


async def _of_care(twice: Twice, therapist: httpx.AsyncClient, visit: Visit) -> None:
    patient = await twice.post(therapist, "/v1/patients", {**visit.new_patient, "phone": None})
    patient_id = patient["id"]
    await twice.post(therapist, "/v1/patients/{patient_id}/invitation", patient_id=patient_id)
    diagnosis = {"diagnosis": "Low back pain", "started_on": visit.today.isoformat()}
    episode = await twice.post(
        therapist, "/v1/patients/{patient_id}/episodes", diagnosis, patient_id=patient_id
    )
    program = {
        "title": "Calmer back",
        "starts_on": visit.today.isoformat(),
        "prescriptions": [visit.prescription_draft],
    }
    await twice.post(therapist, "/v1/episodes/{episode_id}/programs", program, episode_id=episode["id"])
    yesterday = {"date": (visit.today - timedelta(days=1)).isoformat()}
    evaluation = "/v1/patients/{patient_id}/compliance/evaluation"
    await twice.post(therapist, evaluation, yesterday, patient_id=visit.patient["id"])
    reason = {"patient_id": patient_id, "reason": "Fell in the waiting room, nobody else here."}
    await twice.post(therapist, "/v1/emergency-access", reason)


async def _of_the_patient(twice: Twice, visit: Visit) -> None:
    phone = {"platform": "android", "name": "Ana's phone", "target": "device-1"}
    headers = visit.patient_headers
    await twice.post(visit.therapist, "/v1/exercise-sessions", visit.self_report(), headers)
    await twice.post(visit.therapist, "/v1/devices", phone, headers)


async def _of_ones_own_sign_in(twice: Twice, client: httpx.AsyncClient) -> None:
    enrolment = await twice.post(client, "/v1/auth/totp")
    code = TOTP(enrolment["secret"]).now()
    await twice.post(client, "/v1/auth/totp/confirmation", {"code": code})
    await twice.post(client, "/v1/auth/passkeys/registration")
    passwords = {"current_password": PASSWORD, "new_password": "maple kettle orbit thumb"}
    await twice.post(client, "/v1/auth/password", passwords)
