"""Two practices with everything the API can hold, for the tests of who reaches what.

Everything that people wrote about a patient contains that patient's `word`; everything a practice wrote about
itself contains the practice's. A word, or an id, in the wrong hands is therefore easy to see.
"""

from __future__ import annotations

import asyncio
import base64
import re
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import bson
import httpx

from care.documents import exercise_sessions
from care.exercise_videos import AnalyzedVideo, record_analysis
from core.access import Access, Transaction
from core.clock import utc_now
from core.ids import new_id
from core.jobs import cancel_job
from core.mongo import RawDatabase, RawDocument
from core.storage.metadata import format_metadata
from identity.authority import Authority
from identity.documents import Passkey, accounts
from identity.organizations import add_location, create_organization
from identity.staff import add_staff, set_password
from pose.documents import MovementAnalysis, movement_analyses
from tests.api.conftest import Api
from tests.identity.practice import PASSWORD, token_of

Json = dict[str, Any]

ZONE = "America/Chicago"
TUS = {"Tus-Resumable": "1.0.0"}
TUS_BYTES = {"Content-Type": "application/offset+octet-stream"}
CLIP = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\0\x08free" + bytes(1000)

# The log grows with each read of one's own data, and its end is signed a moment later.
_LOG = ("audit", "audit_heads")


@dataclass
class Chart:
    """Everything around one patient, by id. The names are those of the API's path parameters."""

    word: str
    patient_id: str
    location_id: str
    episode_id: str
    program_id: str
    prescription_id: str
    session_id: str
    upload_id: str
    """An upload that has only begun."""
    job_id: str
    """The job of a finished upload."""
    device_id: str
    passkey_id: str
    staff_id: str
    """A colleague at the patient's location."""
    exercise_id: str = "sit_to_stand"
    private: frozenset[str] = frozenset()
    """What must not be seen by whoever does not reach the patient: ids, and the word as it may appear."""

    @classmethod
    def of_nobody(cls) -> Chart:
        """Ids that lead nowhere."""
        organization_id, upload_id = new_id("org"), new_id("upl")
        return cls(
            word="Nowhere",
            patient_id=new_id("pat"),
            location_id=new_id("loc"),
            episode_id=new_id("epi"),
            program_id=new_id("prg"),
            prescription_id=new_id("rx"),
            session_id=new_id("exs"),
            upload_id=upload_id,
            job_id=f"pose.analyze:{organization_id}:{upload_id}",
            device_id=new_id("dev"),
            passkey_id=new_passkey_id(),
            staff_id=new_id("stf"),
        )


@dataclass
class House:
    """One organization, and whoever signs in there."""

    word: str
    api: Api
    access: Access
    stack: AsyncExitStack
    hired: list[str] = field(default_factory=list[str])

    @property
    def id(self) -> str:
        return self.access.organization_id

    @property
    def authority(self) -> Authority:
        return self.api.app.state.authority

    @property
    def today(self) -> date:
        return datetime.now(UTC).astimezone(ZoneInfo(ZONE)).date()

    @classmethod
    async def open(cls, api: Api, word: str, stack: AsyncExitStack) -> House:
        authority: Authority = api.app.state.authority
        access = await create_organization(
            authority.database, name=f"{word} Physical Therapy", time_zone=ZONE
        )
        return cls(word, api, access, stack)

    async def location(self, name: str) -> str:
        added = await add_location(
            self.access, name=f"{self.word} {name}", time_zone=ZONE, address=f"1 {self.word} Street"
        )
        return added.id

    async def client(self, token: str | None = None) -> httpx.AsyncClient:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        client = httpx.AsyncClient(base_url=self.api.url, headers=headers, timeout=30)
        return await self.stack.enter_async_context(client)

    async def hire(self, roles: tuple[str, ...], location_id: str | None) -> tuple[str, str]:
        """Id and e-mail address of somebody new who can sign in."""
        email = f"{self.word.lower()}-{len(self.hired)}@clinic.example"
        self.hired.append(email)
        member = await add_staff(
            self.access,
            name=f"{self.word} Colleague",
            email=email,
            roles=roles,
            location_ids=None if location_id is None else [location_id],
        )
        await set_password(self.access, member.id, PASSWORD)
        return member.id, email

    async def sign_in(self, client: httpx.AsyncClient, email: str) -> None:
        answer = await client.post("/v1/auth/sign-in", json={"email": email, "password": PASSWORD})
        _bear(client, answer)

    async def staff(self, *roles: str, at: str | None = None) -> httpx.AsyncClient:
        """Somebody who is signed in."""
        _, email = await self.hire(roles, at)
        client = await self.client()
        await self.sign_in(client, email)
        return client

    async def sign_patient_in(
        self, client: httpx.AsyncClient, colleague: httpx.AsyncClient, patient_id: str
    ) -> None:
        invitation = (await colleague.post(f"/v1/patients/{patient_id}/invitation")).json()
        form = {"token": token_of(invitation["link"]), "code": invitation["code"], "device_name": "Phone"}
        _bear(client, await client.post("/v1/auth/invitations", json=form))


async def keep_chart(
    house: House, therapist: httpx.AsyncClient, word: str, location_id: str
) -> tuple[Chart, httpx.AsyncClient]:
    """A patient with everything that can be stored about one, and the patient's phone, signed in.

    `therapist` does it all, the uploads included.
    """
    patient = await made(
        therapist,
        "/v1/patients",
        {
            "location_id": location_id,
            "given_name": word,
            "family_name": word,
            "birth_date": "1961-05-17",
            "email": f"{word.lower()}@patient.example",
            "address": f"{word} Lane",
            "insurance_member_id": word,
        },
    )
    of_patient = f"/v1/patients/{patient['id']}"
    episode = await made(
        therapist,
        f"{of_patient}/episodes",
        {"diagnosis": f"{word} knee", "started_on": house.today.isoformat()},
    )
    program = await made(
        therapist,
        f"/v1/episodes/{episode['id']}/programs",
        {
            "title": f"{word} program",
            "starts_on": (house.today - timedelta(days=1)).isoformat(),
            "prescriptions": [
                {
                    "exercise_id": "sit_to_stand",
                    "sets": 1,
                    "repetitions": 5,
                    "days_per_week": 7,
                    "notes": f"{word} notes",
                }
            ],
        },
    )
    prescription_id = program["prescriptions"][0]["id"]
    filmed = {"program_id": program["id"], "prescription_id": prescription_id, "evidence": "video"}
    session = await made(therapist, "/v1/exercise-sessions", filmed)
    await therapist.patch(
        f"/v1/exercise-sessions/{session['id']}", json={"notes": f"{word} felt"}, headers={"If-Match": "*"}
    )
    job_id, upload_id = await _filmed(house, therapist, word, session["id"])
    evaluated = await therapist.post(f"{of_patient}/compliance/evaluation", json={})
    assert evaluated.json()["nudge"] == "queued", evaluated.text
    phone = await house.client()
    await house.sign_patient_in(phone, therapist, patient["id"])
    device = {"platform": "web", "name": f"{word} phone", "target": f"https://push.example/{word}"}
    colleague, _ = await house.hire(("therapist",), location_id)
    chart = Chart(
        word=word,
        patient_id=patient["id"],
        location_id=location_id,
        episode_id=episode["id"],
        program_id=program["id"],
        prescription_id=prescription_id,
        session_id=session["id"],
        upload_id=upload_id,
        job_id=job_id,
        device_id=(await made(phone, "/v1/devices", device))["id"],
        passkey_id=await give_passkey(house.access, patient["id"], word),
        staff_id=colleague,
    )
    return chart, phone


async def begin_upload(client: httpx.AsyncClient, session_id: str, word: str) -> str:
    """The id of an upload that has only been announced."""
    answer = await client.post(
        "/v1/uploads",
        headers={
            **TUS,
            "Upload-Length": str(len(CLIP)),
            "Upload-Metadata": upload_metadata(session_id, word),
        },
    )
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"].rpartition("/")[2]


def upload_metadata(session_id: str, word: str) -> str:
    return format_metadata({"exercise_session_id": session_id, "filename": word})


async def give_passkey(system: Access, subject_id: str, name: str) -> str:
    """Add a passkey to somebody's account; returns its id."""
    passkey = Passkey(
        id=new_passkey_id(), public_key="AA", sign_count=0, name=f"{name} key", created_at=utc_now()
    )

    async def write(tx: Transaction) -> None:
        account = await accounts.find_one(tx, {"subject_id": subject_id})
        assert account is not None
        await accounts.update(tx, account.id, {"passkeys": [passkey]})

    await system.transact(write)
    return passkey.id


async def take_passkeys(system: Access, subject_id: str) -> None:
    async def write(tx: Transaction) -> None:
        account = await accounts.find_one(tx, {"subject_id": subject_id})
        assert account is not None
        await accounts.update(tx, account.id, {"passkeys": []})

    await system.transact(write)


def new_passkey_id() -> str:
    return base64.urlsafe_b64encode(new_id("key").encode()).decode().rstrip("=")


async def made(client: httpx.AsyncClient, address: str, body: Json) -> Json:
    answer = await client.post(address, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def _filmed(house: House, therapist: httpx.AsyncClient, word: str, session_id: str) -> tuple[str, str]:
    """Upload and "analyse" a recording, begin another; returns the job of the one, the id of the other."""
    finished = await begin_upload(therapist, session_id, word)
    sent = await therapist.patch(
        f"/v1/uploads/{finished}", headers={**TUS, **TUS_BYTES, "Upload-Offset": "0"}, content=CLIP
    )
    assert sent.status_code == 204, sent.text
    job_id = sent.headers["Homestretch-Job"]

    async def write(tx: Transaction) -> None:
        session = await exercise_sessions.get(tx, session_id)
        analysis = MovementAnalysis(
            id=movement_analyses.new_id(),
            organization_id=tx.organization_id,
            patient_id=session.patient_id,
            location_id=session.location_id,
            exercise_session_id=session_id,
            upload_id=finished,
            video_object_id=session.videos[0].object_id,
            algorithm="pose/1.0.0",
            reason_code="too_dark",
            reason=f"{word} in the dark",
        )
        await movement_analyses.insert(tx, analysis)
        outcome = AnalyzedVideo(
            upload_id=finished,
            analysis_id=analysis.id,
            reason_code=analysis.reason_code,
            reason=analysis.reason,
        )
        await record_analysis(tx, session_id, outcome)

    await house.access.transact(write)
    await cancel_job(house.access, job_id)
    return job_id, await begin_upload(therapist, session_id, word)


def _bear(client: httpx.AsyncClient, answer: httpx.Response) -> None:
    assert answer.status_code == 200, answer.text
    client.headers["Authorization"] = f"Bearer {answer.json()['tokens']['access_token']}"


# --- what is stored, as bytes -------------------------------------------------------------------------------

Contents = dict[tuple[str, str], bytes]


async def contents_of_organization(raw: RawDatabase, organization_id: str) -> Contents:
    """Every stored document of an organization, its audit log included, byte for byte."""
    query = {"$or": [{"organization_id": organization_id}, {"_id": organization_id}]}
    return await _contents(raw, query, leaving_out=("audit_heads",))


async def contents_of_patient(raw: RawDatabase, patient_id: str) -> Contents:
    """Every stored document about a patient, byte for byte. Reading it is logged, rightly: not the log."""
    whose = ("patient_id", "subject_id", "owner_id", "_id")
    return await _contents(raw, {"$or": [{name: patient_id} for name in whose]}, leaving_out=_LOG)


async def _contents(raw: RawDatabase, query: RawDocument, *, leaving_out: tuple[str, ...]) -> Contents:
    found: Contents = {}
    for name in sorted(await raw.list_collection_names()):
        if name.startswith("system.") or name in leaving_out:
            continue
        async for document in raw[name].find(query):
            found[name, str(document["_id"])] = bson.encode(document)
    return found


def words_in(contents: Contents, word: str) -> frozenset[str]:
    """What gives away that somebody saw these documents: their ids, and the word, plain or in Base64."""
    ids = {document_id for _, document_id in contents if re.search(r"\w{15}", document_id)}
    encoded = base64.b64encode(word.encode()).decode()
    return frozenset({word, encoded, *ids})


async def settled(raw: RawDatabase, organization_id: str) -> Contents:
    """The organization's documents once nothing moves any more."""
    before = await contents_of_organization(raw, organization_id)
    while True:
        await asyncio.sleep(0.05)
        after = await contents_of_organization(raw, organization_id)
        if after == before:
            return after
        before = after
