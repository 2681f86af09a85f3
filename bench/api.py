"""What a read costs through the API: processor time beside the same read written straight on PyMongo.

Run as `python bench/api.py`, on Linux. Three reads by a signed-in therapist: one program, a list of 100
exercise sessions, and a list of 100 patients with their encrypted identifiers. Two floors are measured in
the same run, in rounds that alternate (`bench/floors/plain_api.py` says what they do and leave out): one that
only reads, and one that also stores a plain row saying who read what. The second is the same handler: no
read of health data may be answered before it is on record. Both find the patients in plain text; a third has
their identifiers decrypted by the driver, as somebody would who keeps them encrypted. Counted is the
processor time of the server process alone, without the database's. Ends with 1 if a read costs more than the
budget times the last of its floors.
"""

import asyncio
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import msgspec
from joserfc import jwt
from joserfc.jwk import OctKey

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from api.rooms import DOCUMENTS, register_jobs  # noqa: E402 - the checkout must be importable first
from bench.floors.plain_api import DATABASE  # noqa: E402 - same
from care.documents import exercise_sessions, patients, programs  # noqa: E402 - same
from care.episodes import NewEpisode, open_episode  # noqa: E402 - same
from care.patients import NewPatient, PatientView, register_patient  # noqa: E402 - same
from care.prescriptions import PrescriptionDraft  # noqa: E402 - same
from care.programs import NewProgram, ProgramView, StoredProgram, prescribe  # noqa: E402 - same
from care.sessions import DoneSets, NewSession, SessionChanges, SessionView, change_session, start_session  # noqa: E402 - same
from core.access import Access, Actor, Transaction  # noqa: E402 - same
from core.embedded_mongo import running_mongod  # noqa: E402 - same
from core.mongo import raw_database_of  # noqa: E402 - same
from core.platform import Platform, open_platform  # noqa: E402 - same
from core.settings import Secret, Settings  # noqa: E402 - same
from identity.organizations import add_location, create_organization  # noqa: E402 - same
from identity.staff import add_staff, set_password  # noqa: E402 - same

BUDGET = 1.5
ROUNDS = 7
WARM_UP = 100
ROWS = 100
EXERCISES = ("sit_to_stand", "heel_raise", "bridge", "squat", "heel_slide", "seated_knee_extension")
EMAIL, PASSWORD = "tess@example.org", "walnut ferry cactus lamp"


@dataclass(frozen=True)
class Practice:
    """What is read, and by whom."""

    organization_id: str
    therapist_id: str
    patient_id: str
    program_id: str
    vault_key: str
    """What opens the keys of encrypted fields, in hexadecimal."""


@dataclass(frozen=True)
class Read:
    """One kind of read; `requests` are made in each round."""

    name: str
    path: str
    requests: int
    floors: tuple[str, ...] = ("/plain", "/audited")


class Server:
    """A server process, its connections, and the processor time it has used."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, prefix: str, token: str) -> None:
        self._process = process
        # The clock of another process's processor time: clock_getcpuclockid(3), which Python does not offer.
        self._clock = (~process.pid << 3) | 2
        self._port = port
        self._prefix = prefix
        self._token = token

    def under(self, prefix: str) -> "Server":
        """The same server, asked under another prefix."""
        return Server(self._process, self._port, prefix, self._token)

    def cpu_s(self) -> float:
        return time.clock_gettime(self._clock)

    async def answer(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """What the server answers, for comparison."""
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self._port}{self._prefix}") as client:
            answer = await client.get(path, headers={"Authorization": f"Bearer {self._token}"})
            return answer.raise_for_status().json()

    async def run(self, path: str, requests: int, at_once: int) -> float:
        """Microseconds of processor time that each of `requests` takes, `at_once` of them at a time."""
        request = (
            f"GET {self._prefix}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n"
            f"Authorization: Bearer {self._token}\r\n\r\n"
        ).encode()
        connections = [await asyncio.open_connection("127.0.0.1", self._port) for _ in range(at_once)]
        left = iter(range(requests))

        async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _ in left:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                if not head.startswith(b"HTTP/1.1 200 "):
                    raise RuntimeError(head.decode())
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length))

        before = self.cpu_s()
        await asyncio.gather(*(ask(*connection) for connection in connections))
        used = self.cpu_s() - before
        for _, writer in connections:
            writer.close()
            await writer.wait_closed()
        return used / requests * 1e6


async def set_up(platform: Platform) -> Practice:
    """A practice with 100 patients, one of whom has done 100 exercises."""
    system = await create_organization(
        platform.database, name="Bench Physical Therapy", time_zone="America/New_York"
    )
    location = await add_location(system, name="Main", time_zone="America/New_York")
    member = await add_staff(
        system, name="Tess Therapist", email=EMAIL, roles=["therapist"], location_ids=None
    )
    await set_password(system, member.id, PASSWORD)
    actor = Actor(system.organization_id, "staff", member.id, roles=frozenset({"therapist"}))
    therapist = platform.database.access(actor)

    async def write(tx: Transaction) -> ProgramView:
        people = [await register_patient(tx, made_up(number, location.id)) for number in range(ROWS)]
        return await treat(tx, people[0].id)

    program = await therapist.transact(write)
    vault_key = platform.database.keys.derive("field-key-vault", 96).hex()
    return Practice(system.organization_id, member.id, program.patient_id, program.id, vault_key)


def made_up(number: int, location_id: str) -> NewPatient:
    return NewPatient(
        location_id=location_id,
        given_name=f"Ana {number}",
        family_name=f"Muñoz {number}",
        birth_date=datetime(1950, 1, 1, tzinfo=UTC).date() + timedelta(days=97 * number),
        phone=f"+1202555{number:04d}",
        email=f"ana.{number}@example.org",
        address=f"{number} Main Street, Springfield",
        insurance_member_id=f"W{number:09d}",
    )


async def treat(tx: Transaction, patient_id: str) -> ProgramView:
    """A program of six exercises, done 100 times, with a note now and then."""
    now = tx.now()
    began = now.date() - timedelta(days=60)
    episode = await open_episode(
        tx, patient_id, NewEpisode(diagnosis="Knee osteoarthritis", started_on=began)
    )
    drafts = [
        PrescriptionDraft(exercise_id=exercise, sets=3, repetitions=10, days_per_week=7)
        for exercise in EXERCISES
    ]
    program = await prescribe(
        tx, episode.id, NewProgram(title="Stronger knees", starts_on=began, prescriptions=drafts)
    )
    for number in range(ROWS):
        new = NewSession(
            program_id=program.id,
            prescription_id=program.prescriptions[number % len(EXERCISES)].id,
            evidence="self_report",
            self_report=DoneSets(sets=3, repetitions=10),
            performed_at=now - timedelta(hours=number + 1),
            pain_before=3,
        )
        session = await start_session(tx, new)
        notes = f"The knee was a little stiff at first, {number}." if number % 4 == 0 else None
        changes = SessionChanges(pain_after=2, exertion_after=4, notes=notes)
        await change_session(tx, session.id, changes, expected_version=session.version)
    return program


async def copy_for_the_floor(platform: Platform, practice: Practice) -> None:
    """The same documents in plain text, in a database of the floor's own, with the indexes it needs."""
    access = Access(platform.database, Actor.system(practice.organization_id, "bench"))
    floor = raw_database_of(platform.database).client[DATABASE]
    for name, rows in (
        ("programs", await programs.find(access, {}, view=StoredProgram)),
        ("exercise_sessions", await exercise_sessions.find(access, {}, view=SessionView)),
        ("patients", await patients.find(access, {}, view=PatientView)),
    ):
        plain = [msgspec.to_builtins(row, builtin_types=(datetime,)) for row in rows]
        for row in plain:
            row |= {"_id": row.pop("id"), "organization_id": practice.organization_id}
        await floor[name].insert_many(plain)
        await floor[name].create_index([("organization_id", 1), ("patient_id", 1), ("performed_at", -1)])


@asynccontextmanager
async def started(*command: str, environment: Mapping[str, str]) -> AsyncGenerator[subprocess.Popen[bytes]]:
    """A child of ours, gone when the context ends. Its log goes to a file, as in earnest."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: ASYNC220, S603 - ourselves
            [sys.executable, *command], cwd=ROOT, env={**os.environ, **environment}, stdout=log, stderr=log
        )
        try:
            yield process
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode()[-4000:])
            raise
        finally:
            process.kill()
            process.wait()


async def signed_in(port: int) -> str:
    """The therapist's access token; waits for the server to be there."""
    form = {"email": EMAIL, "password": PASSWORD}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        for _ in range(600):
            try:
                answer = await client.post("/v1/auth/sign-in", json=form)
            except httpx.TransportError:
                await asyncio.sleep(0.1)
            else:
                return answer.raise_for_status().json()["tokens"]["access_token"]
    raise TimeoutError("the API did not start")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


async def measure(product: Server, floor: Server, reads: list[Read]) -> bool:
    """Print what each read costs; whether all are within the budget."""
    within = True
    print("microseconds of processor time for each request, medians of alternating rounds; x: API to floor")
    for read in reads:
        servers = [product, *(floor.under(prefix) for prefix in read.floors)]
        answers = [await server.answer(read.path) for server in servers]
        if any(answer != answers[0] for answer in answers):
            raise RuntimeError(f"{read.name}: a floor does not answer the same")
        for at_once in (1, 16):
            for server in servers:
                await server.run(read.path, WARM_UP, at_once)
            rounds = [
                [await server.run(read.path, read.requests, at_once) for server in servers]
                for _ in range(ROUNDS)
            ]
            api, *below = (median(column) for column in zip(*rounds, strict=True))
            within &= api <= BUDGET * below[-1]
            figures = "".join(
                f"   {prefix[1:]} {cost:.0f} (x {api / cost:.2f})"
                for prefix, cost in zip(read.floors, below, strict=True)
            )
            print(f"{read.name:<21} {at_once:>2} at once: API {api:.0f}{figures}", flush=True)
    return within


async def main() -> int:
    register_jobs()
    with tempfile.TemporaryDirectory(prefix="hs-") as folder:
        settings = Settings(data=Path(folder))
        async with running_mongod(settings) as uri:
            known = msgspec.structs.replace(settings, mongodb_uri=Secret(uri))
            async with open_platform(known, DOCUMENTS) as platform:
                practice = await set_up(platform)
                await copy_for_the_floor(platform, practice)
            return 0 if await compare(folder, uri, practice) else 1


async def compare(folder: str, uri: str, practice: Practice) -> bool:
    """Start both servers on the same database, and measure them."""
    key = secrets.token_bytes(32)
    claims = {
        "org": practice.organization_id,
        "sub": practice.therapist_id,
        "exp": int(time.time()) + 3600,
    }
    floor_token = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(key), algorithms=["HS256"])
    api_port, floor_port = free_port(), free_port()
    environment = {"HOMESTRETCH_DATA": folder, "HOMESTRETCH_MONGODB_URI": uri, "PORT": str(api_port)}
    script = str(ROOT / "bench/floors/plain_api.py")
    floor = (script, uri, key.hex(), str(floor_port), practice.vault_key)
    async with (
        started("-m", "api.cli", "run", "api", environment=environment) as api_process,
        started(*floor, environment={}) as floor_process,
    ):
        product = Server(api_process, api_port, "/v1", await signed_in(api_port))
        plain = Server(floor_process, floor_port, "", floor_token)
        sessions = f"/patients/{practice.patient_id}/exercise-sessions?limit={ROWS}"
        reads = [
            Read("one program", f"/programs/{practice.program_id}", 400),
            Read(f"list of {ROWS} sessions", sessions, 150),
            Read(f"list of {ROWS} patients", f"/patients?limit={ROWS}", 60, (*Read.floors, "/decrypting")),
        ]
        return await measure(product, plain, reads)


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
