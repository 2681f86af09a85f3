"""Phones that never give up: a tus client that asks where to continue, and goes on from there."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from core.ids import new_id
from core.storage.metadata import format_metadata
from tests.identity.practice import PASSWORD

PART = 256 * 1024
PACKET = 32 * 1024
SETS, REPETITIONS = 4, 10
_TUS = {"Tus-Resumable": "1.0.0"}
_BYTES = {**_TUS, "Content-Type": "application/offset+octet-stream"}
_WAIT = {408, 423, 425, 429, 503}
"""What a phone takes as: not now."""
_PAUSE_S = 0.2


@dataclass(frozen=True)
class Recording:
    """What a phone knows of a recording that it has handed over."""

    patient_id: str
    program_id: str
    session_id: str
    upload_id: str
    job_id: str
    sha256: bytes


@dataclass
class Phone:
    """The phone of one patient with one program."""

    client: httpx.AsyncClient
    patient_id: str
    program_id: str
    prescription_id: str
    rng: random.Random
    cuts: int = 0
    """Requests that got no answer."""
    faults: list[str] = field(default_factory=list[str])
    """Answers that no server should give."""

    async def film(self, content: bytes) -> Recording:
        """Begin a session and hand its recording over, whatever happens to the server meanwhile."""
        session_id = await self._begin_session()
        location = await self._announce(len(content), session_id)
        job_id = await self._send_all(location, content)
        return Recording(
            patient_id=self.patient_id,
            program_id=self.program_id,
            session_id=session_id,
            upload_id=location.rpartition("/")[2],
            job_id=job_id,
            sha256=hashlib.sha256(content).digest(),
        )

    async def _begin_session(self) -> str:
        key = {"Idempotency-Key": new_id("key")}
        body = {"program_id": self.program_id, "prescription_id": self.prescription_id, "evidence": "video"}
        answer = await self._until_answered(
            lambda: self.client.post("/v1/exercise-sessions", json=body, headers=key)
        )
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    async def _announce(self, length: int, session_id: str) -> str:
        metadata = format_metadata({"exercise_session_id": session_id, "filename": "IMG_0001.mp4"})
        headers = {**_TUS, "Upload-Length": str(length), "Upload-Metadata": metadata}
        answer = await self._until_answered(lambda: self.client.post("/v1/uploads", headers=headers))
        assert answer.status_code == 201, answer.text
        return httpx.URL(answer.headers["Location"]).path

    async def _send_all(self, location: str, content: bytes) -> str:
        """Returns the job that works on the recording. What was acknowledged once must stay so."""
        acknowledged = 0
        while True:
            standing = await self._until_answered(lambda: self.client.head(location, headers=_TUS))
            assert standing.status_code == 200, standing.status_code
            offset = int(standing.headers["Upload-Offset"])
            assert offset >= acknowledged, f"{location} fell back from {acknowledged} to {offset}"
            if offset == len(content) and "Homestretch-Job" in standing.headers:
                return standing.headers["Homestretch-Job"]
            while offset < len(content):
                await asyncio.sleep(self.rng.uniform(0, _PAUSE_S))
                answer = await self._send(location, offset, content[offset : offset + PART])
                if answer is None or answer.status_code != 204:
                    break
                offset = acknowledged = int(answer.headers["Upload-Offset"])
            await asyncio.sleep(self.rng.uniform(0, _PAUSE_S))

    async def _send(self, location: str, offset: int, part: bytes) -> httpx.Response | None:
        """Send a part; None if no answer came. Only the server knows how much of it arrived then."""
        headers = {**_BYTES, "Upload-Offset": str(offset), "Content-Length": str(len(part))}
        try:
            answer = await self.client.patch(location, headers=headers, content=self._over_the_air(part))
        except httpx.TransportError:
            self.cuts += 1
            return None
        if answer.status_code not in {204, 409, *_WAIT}:
            self.faults.append(f"PATCH: {answer.status_code} {answer.text}")
        return answer

    async def _over_the_air(self, part: bytes) -> AsyncGenerator[bytes]:
        """Bytes leave a phone in dribs and drabs: a server is mostly killed in the middle of a part."""
        for begin in range(0, len(part), PACKET):
            yield part[begin : begin + PACKET]
            await asyncio.sleep(self.rng.uniform(0, _PAUSE_S / 4))

    async def _until_answered(self, send: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        while True:
            try:
                answer = await send()
            except httpx.TransportError:
                self.cuts += 1
            else:
                in_progress = answer.status_code == 409 and "request-in-progress" in answer.text
                if answer.status_code >= 500 and answer.status_code not in _WAIT:
                    self.faults.append(f"{answer.request.method}: {answer.status_code} {answer.text}")
                elif answer.status_code not in _WAIT and not in_progress:
                    return answer
            await asyncio.sleep(self.rng.uniform(0.1, 2 * _PAUSE_S))


@asynccontextmanager
async def phones(
    url: str, therapist_email: str, how_many: int, seed: int
) -> AsyncGenerator[tuple[httpx.AsyncClient, list[Phone]]]:
    """The therapist's client, and the phones of so many new patients, each with a program."""
    timeout = httpx.Timeout(90)
    clients = [httpx.AsyncClient(base_url=url, timeout=timeout) for _ in range(how_many + 1)]
    try:
        therapist = clients[0]
        form = {"email": therapist_email, "password": PASSWORD}
        admitted = (await therapist.post("/v1/auth/sign-in", json=form)).raise_for_status().json()
        therapist.headers["Authorization"] = f"Bearer {admitted['tokens']['access_token']}"
        yield (
            therapist,
            [
                await _phone(therapist, client, random.Random(seed + number))  # noqa: S311 - made-up behaviour
                for number, client in enumerate(clients[1:])
            ],
        )
    finally:
        for client in clients:
            await client.aclose()


async def _phone(therapist: httpx.AsyncClient, client: httpx.AsyncClient, rng: random.Random) -> Phone:
    locations = await _answer(therapist.get("/v1/locations"))
    person = {
        "location_id": locations[0]["id"],
        "given_name": "Ada",
        "family_name": "Demo",
        "birth_date": "1961-05-17",
    }
    patient = await _answer(therapist.post("/v1/patients", json=person))
    since = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    episode = await _answer(
        therapist.post(
            f"/v1/patients/{patient['id']}/episodes",
            json={"diagnosis": "Knee osteoarthritis", "started_on": since},
        )
    )
    dose = {"exercise_id": "sit_to_stand", "sets": SETS, "repetitions": REPETITIONS, "days_per_week": 7}
    program = await _answer(
        therapist.post(
            f"/v1/episodes/{episode['id']}/programs",
            json={"title": "Stronger knees", "starts_on": since, "prescriptions": [dose]},
        )
    )
    invitation = await _answer(therapist.post(f"/v1/patients/{patient['id']}/invitation"))
    form = {"token": invitation["link"].rsplit("/", 1)[1], "code": invitation["code"], "device_name": "Phone"}
    accepted = await _answer(client.post("/v1/auth/invitations", json=form))
    client.headers["Authorization"] = f"Bearer {accepted['tokens']['access_token']}"
    return Phone(client, patient["id"], program["id"], program["prescriptions"][0]["id"], rng)


async def _answer(asked: Awaitable[httpx.Response]) -> Any:  # noqa: ANN401 - JSON
    answer = await asked
    assert answer.is_success, answer.text
    return answer.json()
