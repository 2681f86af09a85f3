"""Who a patient is stands nowhere in plain text: not in the database's files, the objects, the logs.

The database compresses nothing here, so that a text in its files can be found; a text that is planted there
must be found, else the search proves nothing.
"""

from __future__ import annotations

import asyncio
import stat
import tempfile
from collections.abc import AsyncGenerator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.embedded_mongo import mongod_binary, running_mongod
from core.mongo import raw_collection
from core.platform import Platform
from core.settings import Settings
from core.storage.metadata import format_metadata
from core.storage.uploads import uploads
from identity.authority import Authority
from tests.faults.footage import make_clip
from tests.faults.installation import Installation, installed
from tests.identity.practice import PASSWORD, Practice
from tests.privacy.traces import traces_in

pytestmark = pytest.mark.video

THERAPIST = "tamsin.wrenfield@larkspur.example"
STRANGER = "desk@larkspur.example"
GIVEN, FAMILY = "Zéphyrine", "Quillfeather-Oduya"
PHONE = "+12025550187"
EMAIL = "zephyrine.q@quillfeather.example"
OTHER_EMAIL = "zq.home@wrenthistle.example"
ADDRESS = "47 Wrenthistle Crescent, Ballymoss"
MEMBER_ID = "ZQX-88213409-7"
BIRTH_DATE = "1957-11-23"
DIAGNOSIS = "Bursitis since the fall at Oxenholme"
NOTE = "My sister Philomena-Jane helped me"
DEVICE = "Zéphyrine's telephone"
PUSH_TARGET = "push-target-of-zephyrine"
REASON = "Philomena-Jane says she collapsed"
MARKER = "FRAME-OF-QUILLFEATHER-0123456789"
IDENTIFIERS = [
    *(THERAPIST, "Tess Trainor", PASSWORD),
    *(GIVEN, FAMILY, "Quillfeather", PHONE, PHONE[1:], PHONE[2:], EMAIL, OTHER_EMAIL),
    *(ADDRESS, "Wrenthistle", MEMBER_ID, BIRTH_DATE, BIRTH_DATE.replace("-", ""), DIAGNOSIS),
    *(NOTE, "Philomena", DEVICE, PUSH_TARGET, REASON, MARKER),
]
CONTROL = "Planted-Control-Éclair-5521"
Json = dict[str, Any]
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}


@pytest.fixture
async def folder() -> AsyncGenerator[Path]:
    with tempfile.TemporaryDirectory(prefix="hs-") as name:  # short enough for a socket
        yield Path(name)


@asynccontextmanager
async def uncompressed_database(folder: Path) -> AsyncGenerator[str]:
    """The embedded database, told to write what it is given as it is."""
    options = (
        "--wiredTigerCollectionBlockCompressor none --wiredTigerJournalCompressor none "
        "--wiredTigerIndexPrefixCompression false"
    )
    program = folder / "mongod-uncompressed"
    program.write_text(f'#!/bin/sh\nexec "{mongod_binary(Settings())}" "$@" {options}\n')
    program.chmod(stat.S_IRWXU)
    async with running_mongod(Settings(data=folder, mongod_bin=program), own=True) as uri:
        yield uri


async def test_nobody_who_reads_the_disk_learns_who_a_patient_is(folder: Path, tmp_path: Path) -> None:
    (folder / "tmp").mkdir()
    clip = marked(make_clip(tmp_path / "clip.mp4"))
    async with uncompressed_database(folder) as uri:
        with installed(folder, uri, "homestretch") as installation:
            installation.environment = {"TMPDIR": str(folder / "tmp"), "HOMESTRETCH_LOG_LEVEL": "debug"}
            async with installation.opened() as platform:
                await live_through(installation, platform, clip)
                await plant(platform)
        assert_nothing_told(folder)
    # Stopped, the database has written everything to its place.
    assert_nothing_told(folder)
    assert "/v1/patients" in (folder / "api.log").read_text()
    assert "pose.analyze" in (folder / "worker.log").read_text()
    assert sum(file.stat().st_size for file in (folder / "objects").rglob("*.*")) > len(clip)


def assert_nothing_told(folder: Path) -> None:
    """No identifier stands in any file, and the planted text is found in the data and in the journal."""
    traces = traces_in(folder, [*IDENTIFIERS, CONTROL])
    assert [trace for trace in traces if trace.text != CONTROL] == []
    found = {Path(trace.file).parts[1][:10] for trace in traces}
    assert found == {"collection", "journal"}


async def plant(platform: Platform) -> None:
    """Store a text that is no identifier, and have everything written down."""
    planted = raw_collection(platform.database, "planted")
    await planted.insert_one({"text": CONTROL})
    await planted.database.client.admin.command("fsync")


async def live_through(installation: Installation, platform: Platform, clip: bytes) -> None:
    """Everything that a practice does with a patient's data, well and badly."""
    practice = await Practice.open(Authority.of(platform))
    await practice.hire(THERAPIST)
    await practice.hire(STRANGER, location_ids=[practice.south.id])
    installation.start("api")
    await installation.ready()
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(httpx.AsyncClient(base_url=installation.url, timeout=60))
            for _ in range(3)
        ]
        therapist, stranger, phone = clients
        await sign_in(therapist, THERAPIST)
        await sign_in(stranger, STRANGER)
        patient = await register(therapist, practice.north.id)
        session = await treat(therapist, phone, patient)
        await ask_for_help(stranger, patient)
        await blunder(therapist, phone, session)
        filmed = await upload(phone, session, clip)
        torn = await upload(phone, session, clip)
        await tear(installation, practice, torn)
        installation.start("worker")
        await followed(phone, filmed)
        await failed(phone, torn)
        await nudged(therapist, patient)


async def sign_in(client: httpx.AsyncClient, email: str) -> None:
    tokens = (await done(client.post("/v1/auth/sign-in", json={"email": email, "password": PASSWORD})))[
        "tokens"
    ]
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"


async def register(therapist: httpx.AsyncClient, location_id: str) -> Json:
    """A patient, found by everything that a patient is found by, and corrected."""
    person = {
        "location_id": location_id,
        "given_name": GIVEN,
        "family_name": FAMILY,
        "birth_date": BIRTH_DATE,
        "phone": PHONE,
        "email": EMAIL,
        "address": ADDRESS,
        "insurance_member_id": MEMBER_ID,
    }
    key = {"Idempotency-Key": f"{FAMILY}{PHONE}"}
    patient = await done(therapist.post("/v1/patients", json=person, headers=key))
    for search in (FAMILY, BIRTH_DATE, PHONE, EMAIL):
        found = await done(therapist.get("/v1/patients", params={"q": search}))
        assert [each["id"] for each in found["items"]] == [patient["id"]], search
    address = f"/v1/patients/{patient['id']}"
    return await done(therapist.patch(address, json={"email": OTHER_EMAIL}, headers={"If-Match": "*"}))


async def treat(therapist: httpx.AsyncClient, phone: httpx.AsyncClient, patient: Json) -> Json:
    """A program since a few days ago, the patient signed in, and a session to be filmed."""
    since = (datetime.now(UTC) - timedelta(days=3)).date().isoformat()
    address = f"/v1/patients/{patient['id']}"
    episode = await done(
        therapist.post(f"{address}/episodes", json={"diagnosis": DIAGNOSIS, "started_on": since})
    )
    dose = {
        "exercise_id": "sit_to_stand",
        "sets": 3,
        "repetitions": 10,
        "days_per_week": 7,
        "notes": f"As {GIVEN} likes",
    }
    program = await done(
        therapist.post(
            f"/v1/episodes/{episode['id']}/programs",
            json={"title": f"Getting {FAMILY} up with ease", "starts_on": since, "prescriptions": [dose]},
        )
    )
    invitation = await done(therapist.post(f"{address}/invitation"))
    token = invitation["link"].rsplit("/", 1)[1]
    form = {"token": token, "code": invitation["code"], "device_name": DEVICE}
    tokens = (await done(phone.post("/v1/auth/invitations", json=form)))["tokens"]
    phone.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    await done(phone.post("/v1/devices", json={"platform": "web", "name": DEVICE, "target": PUSH_TARGET}))
    session = await done(
        phone.post(
            "/v1/exercise-sessions",
            json={
                "program_id": program["id"],
                "prescription_id": program["prescriptions"][0]["id"],
                "evidence": "video",
            },
        )
    )
    said = {"notes": NOTE, "pain_after": 4}
    return await done(
        phone.patch(f"/v1/exercise-sessions/{session['id']}", json=said, headers={"If-Match": "*"})
    )


async def ask_for_help(stranger: httpx.AsyncClient, patient: Json) -> None:
    """Somebody of another location opens the record in an emergency."""
    form = {"patient_id": patient["id"], "reason": REASON}
    opened = await done(stranger.post("/v1/emergency-access", json=form))
    emergency = {"Authorization": f"Bearer {opened['access_token']}"}
    await done(stranger.get(f"/v1/patients/{patient['id']}", headers=emergency))


async def blunder(therapist: httpx.AsyncClient, phone: httpx.AsyncClient, session: Json) -> None:
    """Send identifiers to every place where they do not belong."""
    wrong: list[Awaitable[httpx.Response]] = [
        therapist.get("/v1/nowhere", params={"email": EMAIL}),
        therapist.get(f"/v1/patients/{FAMILY}"),
        therapist.get(f"/{FAMILY}/{PHONE}"),
        therapist.get("/v1/patients", params={"limit": FAMILY, "cursor": EMAIL}),
        therapist.post("/v1/patients", json={"given_name": GIVEN, FAMILY: PHONE, "birth_date": DIAGNOSIS}),
        therapist.post("/v1/patients", content=f'{{"given_name": "{GIVEN} {FAMILY}", {EMAIL}'.encode()),
        therapist.request(FAMILY.upper(), "/v1/patients"),
        therapist.get("/v1/me", headers={"Authorization": f"Bearer {FAMILY}.{MEMBER_ID}"}),
        therapist.get("/v1/me", headers={"Authorization": f"{FAMILY} {MEMBER_ID}"}),
        phone.post("/v1/auth/sign-in", json={"email": EMAIL, "password": f"{GIVEN} {BIRTH_DATE}"}),
        phone.post("/v1/auth/invitations", json={"token": FAMILY, "code": PHONE, "device_name": DEVICE}),
        phone.post("/v1/uploads", headers={**TUS, "Upload-Length": FAMILY, "Upload-Metadata": EMAIL}),
    ]
    for answer in await asyncio.gather(*wrong):
        assert 400 <= answer.status_code < 500, (answer.request.url, answer.status_code)
    reader, writer = await asyncio.open_connection(phone.base_url.host, phone.base_url.port)
    writer.write(f"GET /{MEMBER_ID} {FAMILY}\r\n{EMAIL}\r\n\r\n".encode())
    await reader.read()
    writer.close()
    no_video = await announced(phone, session, 5000)
    refused = await phone.patch(
        no_video, headers={**BYTES, "Upload-Offset": "0"}, content=f"{GIVEN} {FAMILY} {MARKER}".encode() * 50
    )
    assert refused.status_code == 415, refused.text


async def announced(phone: httpx.AsyncClient, session: Json, length: int) -> str:
    metadata = format_metadata({"exercise_session_id": session["id"], "filename": f"{FAMILY} {PHONE}.mp4"})
    headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": metadata}
    answer = await phone.post("/v1/uploads", headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


async def upload(phone: httpx.AsyncClient, session: Json, clip: bytes) -> Json:
    """Hand a recording over in two parts. Returns its upload and the job that works on it."""
    location = await announced(phone, session, len(clip))
    half = len(clip) // 2
    for offset, part in ((0, clip[:half]), (half, clip[half:])):
        answer = await phone.patch(location, headers={**BYTES, "Upload-Offset": str(offset)}, content=part)
        assert answer.status_code == 204, answer.text
    return {"id": location.rpartition("/")[2], "job_id": answer.headers["Homestretch-Job"]}


async def tear(installation: Installation, practice: Practice, torn: Json) -> None:
    """Damage a stored recording, so that the work on it fails."""
    found = await uploads.get(practice.access, torn["id"])
    for chunk in (
        installation.folder / "objects" / practice.access.organization_id / found.object_id
    ).iterdir():
        chunk.write_bytes(chunk.read_bytes()[:-1])


async def followed(phone: httpx.AsyncClient, filmed: Json) -> None:
    """Watch the job to its end."""
    async with phone.stream("GET", f"/v1/jobs/{filmed['job_id']}/events") as events:
        async for _ in events.aiter_lines():
            pass
    assert (await done(phone.get(f"/v1/jobs/{filmed['job_id']}")))["state"] == "done"


async def failed(phone: httpx.AsyncClient, torn: Json) -> None:
    while not (await done(phone.get(f"/v1/jobs/{torn['job_id']}")))["error"]:  # noqa: ASYNC110 - another process works
        await asyncio.sleep(0.2)


async def nudged(therapist: httpx.AsyncClient, patient: Json) -> None:
    """Yesterday was missed: wait for the nudge to be written."""
    address = f"/v1/patients/{patient['id']}"
    outcome = await done(therapist.post(f"{address}/compliance/evaluation", json={}))
    assert outcome["nudge"] in {"queued", "queued_before"}  # the schedule of the morning may have been first
    assert (await done(therapist.get(f"{address}/notifications")))["items"]


async def done(asked: Awaitable[httpx.Response]) -> Any:  # noqa: ANN401 - JSON
    answer = await asked
    assert answer.is_success, f"{answer.request.url}: {answer.status_code} {answer.text}"
    return answer.json()


def marked(clip: bytes) -> bytes:
    """The clip with a text in a box that players skip."""
    content = MARKER.encode() * 200
    return clip + (len(content) + 8).to_bytes(4, "big") + b"free" + content
