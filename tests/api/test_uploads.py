"""The tus protocol over a real socket: cut connections, killed servers, and what clients do wrong."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import random
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from core.clock import utc_now
from core.database import Database
from core.jobs import DOCUMENTS as JOB_DOCUMENTS
from core.mongo import raw_collection
from core.platform import Platform, open_platform
from core.settings import Settings
from core.storage.documents import DOCUMENTS
from core.storage.metadata import format_metadata
from core.storage.sealing import CHUNK_BYTES
from core.storage.uploads import UNFINISHED_LIFETIME, uploads
from tests.api.clinic import open_visit
from tests.api.conftest import Api, Door
from tests.api.upload_server import PURPOSE, create_app, served, token

ROOT = Path(__file__).parents[2]
PART = 256 * 1024
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}


def clip(size: int, seed: int = 0) -> bytes:
    head = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\0\x08free"
    return head + random.Random(seed).randbytes(size - len(head))  # noqa: S311 - no secret


def checksum_of(content: bytes, algorithm: str = "sha1") -> dict[str, str]:
    digest = base64.b64encode(hashlib.new(algorithm, content).digest()).decode()
    return {"Upload-Checksum": f"{algorithm} {digest}"}


@pytest.fixture
async def address(platform: Platform) -> AsyncIterator[str]:
    async with served(create_app(platform)) as url:
        yield url


@pytest.fixture
async def patient(address: str, organization_id: str) -> AsyncIterator[httpx.AsyncClient]:
    """The patient's phone."""
    async with client(address, token(organization_id, "patient", "pat_anna")) as phone:
        yield phone


def client(address: str, bearer: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {bearer}", **TUS}
    return httpx.AsyncClient(base_url=address, headers=headers, timeout=30)


async def announce(phone: httpx.AsyncClient, length: int, **metadata: str) -> str:
    header = format_metadata({"purpose": PURPOSE, **metadata})
    answer = await phone.post(
        "/v1/uploads", headers={"Upload-Length": str(length), "Upload-Metadata": header}
    )
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


async def send(phone: httpx.AsyncClient, location: str, offset: int, content: bytes) -> httpx.Response:
    headers = {"Upload-Offset": str(offset), **BYTES}
    return await phone.patch(location, headers=headers, content=content)


async def content_of(platform: Platform, organization_id: str, location: str) -> bytes:
    system = platform.database.as_system(organization_id, "test")
    upload = await uploads.get(system, location.rpartition("/")[2])
    return await platform.storage.read(system, upload.object_id)


def refused(answer: httpx.Response, status: int, code: str) -> None:
    """The answer is a problem detail of that kind, and names the protocol's version."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    if answer.request.method != "HEAD":
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["type"] == f"/problems/{code}"
        assert answer.json()["status"] == status


async def test_anyone_may_ask_what_the_server_supports(address: str) -> None:
    async with httpx.AsyncClient(base_url=address) as anyone:
        for path in ("/v1/uploads", "/v1/uploads/upl_any"):
            answer = await anyone.options(path)
            assert answer.status_code == 204
            assert answer.headers["Tus-Version"] == "1.0.0"
            assert answer.headers["Tus-Max-Size"] == str(1 << 30)
            assert answer.headers["Tus-Checksum-Algorithm"] == "sha1,sha256"
            assert set(answer.headers["Tus-Extension"].split(",")) == {
                "creation",
                "creation-with-upload",
                "expiration",
                "checksum",
                "termination",
            }


async def test_an_announced_upload_tells_where_it_stands(patient: httpx.AsyncClient) -> None:
    metadata = format_metadata({"purpose": PURPOSE, "filename": "knee.mp4"})
    created = await patient.post(
        "/v1/uploads", headers={"Upload-Length": "1000", "Upload-Metadata": metadata}
    )
    assert created.status_code == 201
    assert created.headers["Tus-Resumable"] == "1.0.0"
    assert created.content == b""
    expires = parsedate_to_datetime(created.headers["Upload-Expires"])
    assert timedelta(0) < UNFINISHED_LIFETIME - (expires - utc_now()) < timedelta(minutes=5)
    standing = await patient.head(created.headers["Location"])
    assert standing.status_code == 200
    assert standing.headers["Upload-Offset"] == "0"
    assert standing.headers["Upload-Length"] == "1000"
    assert standing.headers["Upload-Metadata"] == metadata
    assert standing.headers["Upload-Expires"] == created.headers["Upload-Expires"]
    assert standing.headers["Cache-Control"] == "no-store"


async def test_a_clip_in_parts_with_a_connection_cut_half_way(
    patient: httpx.AsyncClient, platform: Platform, organization_id: str
) -> None:
    content = clip(2 * CHUNK_BYTES + 100_000)
    location = await announce(patient, len(content))
    offset = 0
    for number in range(4):
        offset = int(
            (await send(patient, location, offset, content[offset : offset + PART])).headers["Upload-Offset"]
        )
        assert offset == (number + 1) * PART
    await cut_half_way(patient, location, offset, content[offset : offset + PART])
    standing = await resumed(patient, location)
    assert offset <= standing <= offset + PART // 2
    offset = standing
    while len(content) - offset > PART:
        answer = await send(patient, location, offset, content[offset : offset + PART])
        assert answer.status_code == 204
        assert "Homestretch-Job" not in answer.headers
        offset = int(answer.headers["Upload-Offset"])
    last = await send(patient, location, offset, content[offset:])
    assert last.headers["Homestretch-Job"] == f"job_for_{location.rpartition('/')[2]}"
    assert "Upload-Expires" not in last.headers
    assert (await patient.head(location)).headers["Homestretch-Job"] == last.headers["Homestretch-Job"]
    assert await content_of(platform, organization_id, location) == content
    assert await raw_collection(platform.database, "takeovers").count_documents({}) == 1


async def cut_half_way(phone: httpx.AsyncClient, location: str, offset: int, part: bytes) -> None:
    """Send the head of a request and half of its body, then drop the connection."""
    url = urlsplit(str(phone.base_url))
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    headers = {
        "Host": url.netloc,
        "Authorization": phone.headers["Authorization"],
        "Upload-Offset": str(offset),
        "Content-Length": str(len(part)),
        **TUS,
        **BYTES,
    }
    lines = [f"PATCH {location} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    writer.write("\r\n".join(lines).encode() + part[: len(part) // 2])
    await writer.drain()
    await asyncio.sleep(0.2)  # time to arrive; what has not arrived is sent again
    writer.transport.abort()
    del reader


async def resumed(phone: httpx.AsyncClient, location: str) -> int:
    """The offset once the server has noticed that the connection is gone: the upload is free again."""
    while True:
        answer = await send(phone, location, 10**12, b"")
        if answer.status_code == 409:
            return int(answer.headers["Upload-Offset"])
        assert answer.status_code == 423
        await asyncio.sleep(0.05)


async def test_the_first_bytes_may_come_with_the_announcement(
    patient: httpx.AsyncClient, platform: Platform, organization_id: str
) -> None:
    content = clip(5000)
    headers = {"Upload-Length": "5000", "Upload-Metadata": format_metadata({"purpose": PURPOSE}), **BYTES}
    created = await patient.post("/v1/uploads", headers=headers, content=content[:3000])
    assert (created.status_code, created.headers["Upload-Offset"]) == (201, "3000")
    location = created.headers["Location"]
    assert (await send(patient, location, 3000, content[3000:])).status_code == 204
    whole = await patient.post("/v1/uploads", headers=headers, content=content)
    assert whole.headers["Homestretch-Job"].startswith("job_for_upl_")
    for each in (location, whole.headers["Location"]):
        assert await content_of(platform, organization_id, each) == content


async def test_without_the_version_nothing_is_done(patient: httpx.AsyncClient) -> None:
    location = await announce(patient, 1000)
    for version in ("", "0.2.2"):
        headers = {"Tus-Resumable": version, "Upload-Offset": "0", "Upload-Length": "1000", **BYTES}
        for answer in (
            await patient.post("/v1/uploads", headers=headers),
            await patient.patch(location, headers=headers, content=clip(1000)),
            await patient.head(location, headers=headers),
            await patient.delete(location, headers=headers),
        ):
            refused(answer, 412, "tus-version")
            assert answer.headers["Tus-Version"] == "1.0.0"
    assert (await patient.head(location)).headers["Upload-Offset"] == "0"


async def test_bytes_need_their_content_type_and_offset(patient: httpx.AsyncClient) -> None:
    location = await announce(patient, 1000)
    wrong = await patient.patch(
        location, headers={"Upload-Offset": "0", "Content-Type": "video/mp4"}, content=clip(1000)
    )
    refused(wrong, 415, "unsupported-media-type")
    refused(await patient.patch(location, headers=BYTES, content=clip(1000)), 422, "invalid")
    ahead = await send(patient, location, 5, clip(1000))
    refused(ahead, 409, "offset-mismatch")
    assert ahead.headers["Upload-Offset"] == "0"


async def test_a_damaged_part_is_answered_460(
    patient: httpx.AsyncClient, platform: Platform, organization_id: str
) -> None:
    content = clip(400_000)
    location = await announce(patient, len(content))
    headers = {"Upload-Offset": "0", **BYTES, **checksum_of(content)}
    damaged = content[:-1] + bytes([content[-1] ^ 1])
    refused(await patient.patch(location, headers=headers, content=damaged), 460, "checksum-mismatch")
    assert (await patient.head(location)).headers["Upload-Offset"] == "0"
    headers |= checksum_of(content, "sha256")
    assert (await patient.patch(location, headers=headers, content=content)).status_code == 204
    assert await content_of(platform, organization_id, location) == content


@pytest.mark.parametrize("value", ["md5 AAAA", "sha1", "sha1 !!!!", "sha1 AAAA", "sha256 " + "A" * 28])
async def test_an_unreadable_checksum_is_answered_400(patient: httpx.AsyncClient, value: str) -> None:
    location = await announce(patient, 1000)
    headers = {"Upload-Offset": "0", "Upload-Checksum": value, **BYTES}
    refused(await patient.patch(location, headers=headers, content=clip(1000)), 400, "malformed")


async def test_too_much_is_answered_413(patient: httpx.AsyncClient) -> None:
    huge = {"Upload-Length": str((1 << 30) + 1), "Upload-Metadata": format_metadata({"purpose": PURPOSE})}
    refused(await patient.post("/v1/uploads", headers=huge), 413, "too-large")
    location = await announce(patient, 1000)
    refused(await send(patient, location, 0, clip(1001)), 413, "too-large")


async def test_what_is_no_video_is_answered_415_whatever_it_is_called(patient: httpx.AsyncClient) -> None:
    location = await announce(patient, 5000, filename="squats.mp4", filetype="video/mp4")
    answer = await send(patient, location, 0, b"PK\x03\x04" + bytes(3000))
    refused(answer, 415, "unsupported-content")
    assert "archive" in answer.json()["detail"]
    refused(await patient.head(location), 410, "gone")


async def test_an_upload_given_up_is_gone(patient: httpx.AsyncClient) -> None:
    location = await announce(patient, 1000)
    await send(patient, location, 0, clip(1000)[:500])
    assert (await patient.delete(location)).status_code == 204
    refused(await patient.head(location), 410, "gone")
    refused(await send(patient, location, 500, b"x"), 410, "gone")
    refused(await patient.delete(location), 410, "gone")


async def test_a_complete_upload_is_kept(patient: httpx.AsyncClient) -> None:
    location = await announce(patient, 1000)
    await send(patient, location, 0, clip(1000))
    refused(await patient.delete(location), 409, "complete")


async def test_an_upload_not_finished_in_time_is_gone(patient: httpx.AsyncClient, database: Database) -> None:
    location = await announce(patient, 1000)
    database.clock = lambda: utc_now() + UNFINISHED_LIFETIME + timedelta(seconds=1)
    refused(await patient.head(location), 410, "gone")
    refused(await send(patient, location, 0, clip(1000)), 410, "gone")


async def test_two_phones_sending_at_once(
    patient: httpx.AsyncClient, platform: Platform, organization_id: str
) -> None:
    content = clip(600_000)
    location = await announce(patient, len(content))
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield content[:1000]
        begun.set()
        await go_on.wait()
        yield content[1000:]

    headers = {"Upload-Offset": "0", **BYTES}
    first = asyncio.create_task(patient.patch(location, headers=headers, content=slowly()))
    await begun.wait()
    answer = await send(patient, location, 0, clip(600_000, seed=1))
    if answer.status_code == 204:  # the second one may win; then the first one is refused
        go_on.set()
        assert (await first).status_code == 409
        content = clip(600_000, seed=1)
    else:
        refused(answer, 423, "locked")
        go_on.set()
        assert (await first).status_code == 204
    assert await content_of(platform, organization_id, location) == content


async def test_proxies_that_know_no_patch_and_delete(
    patient: httpx.AsyncClient, platform: Platform, organization_id: str
) -> None:
    content = clip(1000)
    location = await announce(patient, 1000)
    headers = {"X-HTTP-Method-Override": "PATCH", "Upload-Offset": "0", **BYTES}
    sent = await patient.post(location, headers=headers, content=content)
    assert (sent.status_code, sent.headers["Upload-Offset"]) == (204, "1000")
    assert await content_of(platform, organization_id, location) == content
    other = await announce(patient, 1000)
    given_up = await patient.post(other, headers={"X-HTTP-Method-Override": "DELETE"})
    assert given_up.status_code == 204
    refused(await patient.head(other), 410, "gone")


async def test_only_who_may_upload_for_the_patient_gets_in(
    address: str, patient: httpx.AsyncClient, organization_id: str
) -> None:
    location = await announce(patient, 1000)
    async with httpx.AsyncClient(base_url=address, headers=TUS) as stranger:
        unsigned = await stranger.head(location)
        refused(unsigned, 401, "unauthenticated")
        assert unsigned.headers["WWW-Authenticate"].startswith("Bearer")
    async with client(address, token(organization_id, "staff", "stf_1", "front_desk")) as front_desk:
        refused(await send(front_desk, location, 0, clip(1000)), 403, "forbidden")
    others = [
        token(organization_id, "patient", "pat_other"),
        token(organization_id, "staff", "stf_2", "therapist", "loc_south"),
        token("org_other", "staff", "stf_3", "therapist"),
    ]
    for bearer in others:
        async with client(address, bearer) as other:
            refused(await other.head(location), 404, "not-found")
            refused(await send(other, location, 0, clip(1000)), 404, "not-found")
            refused(await other.delete(location), 404, "not-found")
            headers = {
                "Upload-Length": "1000",
                "Upload-Metadata": format_metadata({"purpose": PURPOSE, "patient_id": "pat_anna"}),
            }
            if "org_other" not in bearer:
                refused(await other.post("/v1/uploads", headers=headers), 404, "not-found")


async def test_a_therapist_uploads_for_a_patient_of_theirs(
    address: str, platform: Platform, organization_id: str
) -> None:
    bearer = token(organization_id, "staff", "stf_1", "therapist", "loc_north")
    async with client(address, bearer) as tablet:
        location = await announce(tablet, 1000, patient_id="pat_anna")
        assert (await send(tablet, location, 0, clip(1000))).status_code == 204
    assert await content_of(platform, organization_id, location) == clip(1000)


async def test_what_clients_may_rely_on_is_documented(platform: Platform) -> None:
    paths: dict[str, Any] = create_app(platform).openapi_schema.to_schema()["paths"]
    sending = paths["/v1/uploads/{upload_id}"]["patch"]
    assert set(sending["responses"]) >= {
        "204",
        "400",
        "404",
        "408",
        "409",
        "410",
        "412",
        "413",
        "415",
        "423",
        "460",
    }
    assert set(sending["responses"]["204"]["headers"]) == {
        "Tus-Resumable",
        "Upload-Offset",
        "Upload-Expires",
        "Homestretch-Job",
    }
    asked = {parameter["name"]: parameter["required"] for parameter in sending["parameters"]}
    assert asked == {
        "upload_id": True,
        "Tus-Resumable": True,
        "Upload-Offset": True,
        "Upload-Checksum": False,
    }
    assert list(sending["requestBody"]["content"]) == ["application/offset+octet-stream"]
    assert "application/problem+json" in sending["responses"]["460"]["content"]
    created = paths["/v1/uploads"]["post"]["responses"]["201"]
    assert {"Location", "Upload-Expires"} <= set(created["headers"])
    assert "content" not in created


@pytest.fixture
def separate_server(settings: Settings, tmp_path: Path) -> Iterator[SeparateServer]:
    """A server in a process of its own, over the same database and its own folder for temporary files."""
    server = SeparateServer(settings, tmp_path)
    server.start()
    yield server
    server.kill()


class SeparateServer:
    def __init__(self, settings: Settings, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        assert settings.mongodb_uri is not None
        self.address = f"http://127.0.0.1:{port}"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self._environment = {
            **os.environ,
            "HOMESTRETCH_DATA": str(settings.data),
            "HOMESTRETCH_MONGODB_URI": settings.mongodb_uri.reveal(),
            "HOMESTRETCH_MONGODB_DATABASE": settings.mongodb_database,
            "HOMESTRETCH_PORT": str(port),
            "TMPDIR": str(self.temporary),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        script = Path(__file__).with_name("upload_server.py")
        self._process = subprocess.Popen([sys.executable, script], env=self._environment, cwd=ROOT)  # noqa: S603 - our own script

    def kill(self) -> None:
        """As the kernel does when memory runs out: no chance to say goodbye."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


async def persistently(phone: httpx.AsyncClient, content: bytes, answers: asyncio.Queue[int]) -> str:
    """Upload as a phone does: after any failure, ask for the offset and go on. Returns the location.

    What was acknowledged, which `answers` are told, must still be there, whatever happened since.
    """
    location = ""
    acknowledged = 0
    while not location:
        with contextlib.suppress(httpx.TransportError):
            location = await announce(phone, len(content))
    while True:
        try:
            standing = await phone.head(location)
            offset = int(standing.headers["Upload-Offset"])
            assert offset >= acknowledged, "acknowledged bytes are gone"
            while offset < len(content):
                answer = await send(phone, location, offset, content[offset : offset + PART])
                if answer.status_code != 204:
                    break
                offset = acknowledged = int(answer.headers["Upload-Offset"])
                answers.put_nowait(offset)
            if "Homestretch-Job" in (await phone.head(location)).headers:
                return location
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.05)


@pytest.mark.faults
async def test_a_server_killed_again_and_again_loses_nothing_it_acknowledged(
    separate_server: SeparateServer, settings: Settings, organization_id: str
) -> None:
    clips = [clip(2 * CHUNK_BYTES + 77_777 * number, seed=number) for number in range(6)]
    async with client(separate_server.address, token(organization_id, "patient", "pat_anna")) as phone:
        answers = asyncio.Queue[int]()
        chance = random.Random(7)  # noqa: S311 - no secret
        async with asyncio.TaskGroup() as group:
            sending = [group.create_task(persistently(phone, each, answers)) for each in clips]
            for _ in range(4):
                for _ in range(10):  # of some sixty in all
                    await answers.get()
                await asyncio.sleep(chance.uniform(0.0, 0.05))
                separate_server.kill()
                assert not all(each.done() for each in sending)
                separate_server.start()
        locations = [each.result() for each in sending]
    async with open_platform(settings, [*DOCUMENTS, *JOB_DOCUMENTS]) as platform:
        for location, content in zip(locations, clips, strict=True):
            assert await content_of(platform, organization_id, location) == content
        rows = await raw_collection(platform.database, "takeovers").find({}).to_list()
    assert sorted(row["upload_id"] for row in rows) == sorted(each.rpartition("/")[2] for each in locations)


async def first_answer(phone: httpx.AsyncClient) -> None:
    """Wait until the server answers."""
    while True:
        with contextlib.suppress(httpx.TransportError):
            await phone.options("/v1/uploads")
            return
        await asyncio.sleep(0.02)


async def test_no_plaintext_reaches_a_disk(
    separate_server: SeparateServer, settings: Settings, short_folder: Path, organization_id: str
) -> None:
    """Neither the object store, nor the database files, nor temporary files, nor their remains."""
    marker = b"<the patient as filmed>"
    content = clip(3000) + marker * 100_000
    async with client(separate_server.address, token(organization_id, "patient", "pat_anna")) as phone:
        await first_answer(phone)
        location = await announce(phone, len(content), filename="Anna Kowalska knee.mp4")
        half = len(content) // 2
        headers = {"Upload-Offset": "0", **BYTES, **checksum_of(content[:half])}
        assert (await phone.patch(location, headers=headers, content=content[:half])).status_code == 204
        assert (await send(phone, location, half, content[half:])).headers["Homestretch-Job"]
    searched = 0
    for folder in (settings.data, separate_server.temporary, short_folder):
        for path in folder.rglob("*"):
            if path.is_file():
                found = path.read_bytes()
                searched += len(found)
                assert marker not in found, path
                assert b"Kowalska" not in found, path
    assert searched > len(content)


async def test_the_whole_application_speaks_tus(door: Door, api: Api) -> None:
    """Announced twice with the same key it is one upload, and a bad token is answered in tus's words too."""
    visit = await open_visit(door)
    async with httpx.AsyncClient(base_url=api.url, headers={**visit.patient_headers, **TUS}) as phone:
        video = {
            "program_id": visit.program["id"],
            "prescription_id": visit.prescription["id"],
            "evidence": "video",
        }
        session = (await phone.post("/v1/exercise-sessions", json=video)).json()
        content = clip(CHUNK_BYTES + 5)
        headers = {
            "Upload-Length": str(len(content)),
            "Upload-Metadata": format_metadata({"exercise_session_id": session["id"], "filename": "a.mp4"}),
            "Idempotency-Key": "from-the-phone-1",
            **BYTES,
        }
        answers = [await phone.post("/v1/uploads", headers=headers, content=content) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201], answers[0].text
        assert answers[0].headers["Location"] == answers[1].headers["Location"]
        assert answers[0].headers["Upload-Offset"] == str(len(content))
        job = (await phone.get(f"/v1/jobs/{answers[0].headers['Homestretch-Job']}")).json()
        assert job["kind"] == "pose.analyze"
        phone.headers["Authorization"] = "Bearer made-up"
        refused(await phone.head(answers[0].headers["Location"]), 401, "invalid-token")
        refused(await phone.put("/v1/uploads"), 405, "method-not-allowed")
