"""A first visit over HTTP: a therapist registers a patient and prescribes, and the patient signs in."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from tests.api.conftest import Door

Json = dict[str, Any]


@dataclass(frozen=True)
class Visit:
    """What a first visit leaves behind: everyone's data as the API answered it, and both sides signed in."""

    therapist: httpx.AsyncClient
    patient: Json
    episode: Json
    program: Json
    patient_headers: dict[str, str]
    new_patient: Json
    prescription_draft: Json
    today: date

    @property
    def prescription(self) -> Json:
        return self.program["prescriptions"][0]

    def self_report(self, **more: Any) -> Json:  # noqa: ANN401 - fields of the request
        """The body that reports the prescribed set as done."""
        return {
            "program_id": self.program["id"],
            "prescription_id": self.prescription["id"],
            "evidence": "self_report",
            "self_report": {"sets": 1, "repetitions": 5},
            **more,
        }


async def open_visit(door: Door, *, began_days_ago: int = 0) -> Visit:
    """Register a patient, prescribe sit-to-stand once five times every day, and let the patient sign in."""
    therapist = await door.staff("therapist")
    location = (await therapist.get("/v1/locations")).json()[0]
    today = datetime.now(UTC).astimezone(ZoneInfo(location["time_zone"])).date()
    new_patient = {
        "location_id": location["id"],
        "given_name": "Ana",
        "family_name": "Demo",
        "birth_date": "1961-05-17",
        "phone": "+12025550123",
    }
    patient = await _made(therapist, "/v1/patients", new_patient)
    episode = await _made(
        therapist,
        f"/v1/patients/{patient['id']}/episodes",
        {"diagnosis": "Knee osteoarthritis", "started_on": today.isoformat()},
    )
    draft = {"exercise_id": "sit_to_stand", "sets": 1, "repetitions": 5, "days_per_week": 7}
    program = await _made(
        therapist,
        f"/v1/episodes/{episode['id']}/programs",
        {
            "title": "Stronger knees",
            "starts_on": (today - timedelta(days=began_days_ago)).isoformat(),
            "prescriptions": [draft],
        },
    )
    return Visit(
        therapist=therapist,
        patient=patient,
        episode=episode,
        program=program,
        patient_headers=await _accept(therapist, patient["id"]),
        new_patient=new_patient,
        prescription_draft=draft,
        today=today,
    )


async def _made(client: httpx.AsyncClient, address: str, body: Json) -> Json:
    answer = await client.post(address, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def _accept(therapist: httpx.AsyncClient, patient_id: str) -> dict[str, str]:
    """The headers of the patient's first sign-in, by invitation."""
    invitation = (await therapist.post(f"/v1/patients/{patient_id}/invitation")).json()
    form = {"token": invitation["link"].rsplit("/", 1)[1], "code": invitation["code"], "device_name": "Phone"}
    async with httpx.AsyncClient(base_url=therapist.base_url) as phone:
        accepted = await phone.post("/v1/auth/invitations", json=form)
    return {"Authorization": f"Bearer {accepted.json()['tokens']['access_token']}"}
