"""For every operation of the API: who may use it, and a request that is valid in the right hands.

Who may is stated here once more, by hand, and not read from the policy: a route that declares the wrong
permission shows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from tests.api.reach_callers import Caller, World
from tests.api.reach_world import (
    CLIP,
    TUS,
    TUS_BYTES,
    Chart,
    Json,
    begin_upload,
    give_passkey,
    take_passkeys,
    upload_metadata,
)

_TREATING = frozenset({"therapist", "assistant"})
_MANAGING = frozenset({"manager", "administrator"})
_STAFF = _TREATING | _MANAGING | {"front_desk", "biller"}
_SIGNED_IN = _STAFF | {"patient"}
_COURSE_OF_CARE = _TREATING | {"patient"}
_EMERGENCY = frozenset({"emergency"})
_EVERYBODY = _SIGNED_IN | _EMERGENCY | {"nobody"}

Scope = Literal["nothing", "organization", "patient", "own", "job"]
"""How far the ids in a request reach: they name nothing; something that the whole organization may use;
something about a patient; something that is one person's; a job.
"""


@dataclass
class Case:
    """One request to be made: by whom, and whose ids it names."""

    world: World
    caller: Caller
    aim: Chart
    """What the request is after."""
    example: Json
    """The body that the API's description shows."""
    may_pass: bool
    """The caller's role allows it, and `aim` is theirs."""

    @property
    def mine(self) -> Chart:
        return self.caller.mine

    @property
    def number(self) -> int:
        return next(self.world.numbers)


@dataclass
class Ask:
    """What is special about one request."""

    path: Mapping[str, str] = field(default_factory=dict[str, str])
    """Path parameters that are not those of the chart aimed at."""
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    json: Json | None = None
    content: bytes | None = None


Asking = Callable[[Case], Awaitable[Ask]]


@dataclass
class Probe:
    """One way to use an operation."""

    who: frozenset[str]
    scope: Scope
    ask: Asking
    own: int | Mapping[str, int] | None
    """The answer to whoever may, by role where it differs; None for the operation's one success."""
    beyond: int
    """The answer when the ids are somebody else's."""
    names_ids: bool
    """The answer names documents of the own organization by id, whosever they are: the audit log."""
    after: Callable[[Case], Awaitable[None]] | None


_PLAIN = Ask()

PROBES: dict[str, list[Probe]] = {}


def probe(
    operation: str,
    who: frozenset[str],
    scope: Scope = "nothing",
    ask: Ask | Callable[[Case], Ask | Awaitable[Ask]] = _PLAIN,
    *,
    own: int | Mapping[str, int] | None = None,
    beyond: int = 404,
    names_ids: bool = False,
    after: Callable[[Case], Awaitable[None]] | None = None,
) -> None:
    """Say how an operation is probed; one with several ways to name something is probed several times."""

    async def asking(case: Case) -> Ask:
        asked = ask if isinstance(ask, Ask) else ask(case)
        return asked if isinstance(asked, Ask) else await asked

    found = Probe(who, scope, asking, own, beyond, names_ids, after)
    PROBES.setdefault(operation, []).append(found)


def _the_example(case: Case) -> Ask:
    return Ask(json=case.example)


async def _sign_in_again(case: Case) -> None:
    if case.caller.sign_in is not None:
        await case.caller.sign_in()


_ANY_VERSION = {"If-Match": "*"}

# --- signing in ---------------------------------------------------------------------------------------------

probe("signIn", _EVERYBODY, ask=_the_example, own=401)
probe("answerChallenge", _EVERYBODY, ask=_the_example, own=422)
probe("acceptInvitation", _EVERYBODY, ask=_the_example, own=401)
probe("acceptStaffInvitation", _EVERYBODY, ask=_the_example, own=401)
probe("refreshTokens", _EVERYBODY, ask=_the_example, own=401)
probe("beginPasskeySignIn", _EVERYBODY)
probe("signOut", _SIGNED_IN, after=_sign_in_again)
probe("signOutEverywhere", _SIGNED_IN, after=_sign_in_again)
probe("getMe", _SIGNED_IN | _EMERGENCY)

# --- one's own credentials ----------------------------------------------------------------------------------


async def _own_passkey(case: Case) -> Ask:
    if not case.may_pass:
        return Ask()
    return Ask(path={"passkey_id": await give_passkey(case.world.ours.access, case.caller.subject_id, "Own")})


async def _no_passkeys(case: Case) -> None:
    if case.may_pass:
        await take_passkeys(case.world.ours.access, case.caller.subject_id)


probe("changePassword", _SIGNED_IN, ask=_the_example, own={"patient": 404})
probe("beginTotpEnrolment", _SIGNED_IN)
probe("confirmTotpEnrolment", _SIGNED_IN, ask=_the_example, own=422)
probe("removeTotp", _SIGNED_IN)
probe("beginPasskeyRegistration", _SIGNED_IN)
probe("registerPasskey", _SIGNED_IN, ask=_the_example, own=401)
probe("listPasskeys", _SIGNED_IN)
probe("removePasskey", _SIGNED_IN, "own", _own_passkey, after=_no_passkeys)

# --- the organization and its people ------------------------------------------------------------------------


def _new_colleague(case: Case) -> Ask:
    email = f"new-{case.number}@clinic.example"
    return Ask(json={**case.example, "email": email, "location_ids": [case.aim.location_id]})


def _renamed(case: Case) -> Ask:
    return Ask(json={"name": f"{case.world.ours.word} renamed"}, headers=_ANY_VERSION)


def _colleague_moved(case: Case) -> Ask:
    return Ask(
        path={"staff_id": case.mine.staff_id},
        json={"location_ids": [case.aim.location_id]},
        headers=_ANY_VERSION,
    )


_ADMINISTRATOR = frozenset({"administrator"})

probe("getOrganization", _STAFF)
probe("changeOrganization", _ADMINISTRATOR, ask=_renamed)
probe("listLocations", _STAFF)
probe("addLocation", _ADMINISTRATOR, ask=_the_example)
probe("changeLocation", _ADMINISTRATOR, "organization", _renamed)
probe("listStaff", _STAFF)
probe("addStaff", _ADMINISTRATOR, "organization", _new_colleague, beyond=422)
probe("getStaff", _STAFF, "organization")
probe("changeStaff", _ADMINISTRATOR, "organization", _renamed)
probe("changeStaff", _ADMINISTRATOR, "organization", _colleague_moved, beyond=422)
probe("inviteStaff", _ADMINISTRATOR, "organization")
probe("resetSecondFactor", _ADMINISTRATOR, "organization")
probe(
    "openEmergencyAccess",
    _TREATING,
    "organization",
    lambda case: Ask(json={**case.example, "patient_id": case.aim.patient_id}),
)
probe("listEmergencyAccess", _MANAGING)

# --- patients -----------------------------------------------------------------------------------------------

_LISTING = _STAFF - {"administrator"}
_REGISTERING = frozenset({"therapist", "front_desk", "manager"})
_FOLLOWING = _STAFF - {"administrator", "front_desk"}
_THERAPIST = frozenset({"therapist"})


def _new_patient(case: Case) -> Ask:
    return Ask(json={**case.example, "location_id": case.aim.location_id})


def _patient_moved(case: Case) -> Ask:
    return Ask(
        path={"patient_id": case.mine.patient_id},
        json={"location_id": case.aim.location_id},
        headers=_ANY_VERSION,
    )


probe("listPatients", _LISTING)
probe(
    "listPatients",
    _LISTING,
    "patient",
    lambda case: Ask(query={"q": case.aim.word}),
    beyond=200,
)
probe("registerPatient", _REGISTERING, "patient", _new_patient, beyond=422)
probe("getPatient", _LISTING | _EMERGENCY | {"patient"}, "patient")
probe(
    "changePatient",
    _REGISTERING,
    "patient",
    Ask(json={"units": "metric"}, headers=_ANY_VERSION),
)
# Whoever treats a patient may hand them over to any location of the organization.
probe("changePatient", _REGISTERING, "organization", _patient_moved, beyond=422)
probe("invitePatient", _REGISTERING, "patient", after=_sign_in_again)

# --- episodes and programs ----------------------------------------------------------------------------------


def _new_episode(case: Case) -> Ask:
    return Ask(json={"diagnosis": "Sore knee", "started_on": case.world.ours.today.isoformat()})


def _new_episode_of_colleague(case: Case) -> Ask:
    body = {**(_new_episode(case).json or {}), "therapist_id": case.aim.staff_id}
    return Ask(path={"patient_id": case.mine.patient_id}, json=body)


def _episode_handed_over(case: Case) -> Ask:
    return Ask(
        path={"episode_id": case.mine.episode_id},
        json={"therapist_id": case.aim.staff_id},
        headers=_ANY_VERSION,
    )


def _new_program(case: Case) -> Ask:
    today = case.world.ours.today
    dates = {"starts_on": today.isoformat(), "ends_on": (today + timedelta(days=28)).isoformat()}
    return Ask(json={**case.example, **dates})


def _revised_program(case: Case) -> Ask:
    prescription = {**case.example["prescriptions"][0], "id": case.aim.prescription_id}
    return Ask(json={"title": "Revised", "prescriptions": [prescription]}, headers=_ANY_VERSION)


def _another_patients_prescription(case: Case) -> Ask:
    return Ask(
        path={"program_id": case.mine.program_id},
        json={
            "title": "Mixed up",
            "prescriptions": [{**case.example["prescriptions"][0], "id": case.aim.prescription_id}],
        },
        headers=_ANY_VERSION,
    )


_EPISODES = _COURSE_OF_CARE | _EMERGENCY | {"biller"}
_CARE = _COURSE_OF_CARE | _EMERGENCY

probe("listEpisodes", _EPISODES, "patient")
probe("openEpisode", _THERAPIST, "patient", _new_episode)
probe("openEpisode", _THERAPIST, "organization", _new_episode_of_colleague, beyond=422)
probe("getEpisode", _EPISODES, "patient")
probe(
    "changeEpisode",
    _THERAPIST,
    "patient",
    Ask(json={"diagnosis": "Sorer knee"}, headers=_ANY_VERSION),
)
probe("changeEpisode", _THERAPIST, "organization", _episode_handed_over, beyond=422)
probe("listPrograms", _CARE, "patient")
probe("prescribeProgram", _THERAPIST, "patient", _new_program)
probe("getProgram", _CARE, "patient")
probe("reviseProgram", _THERAPIST, "patient", _another_patients_prescription, beyond=422)
probe("reviseProgram", _THERAPIST, "patient", _revised_program)
probe("listProgramVersions", _CARE, "patient")
probe("getToday", _CARE, "patient")
probe("listExercises", (_STAFF - {"front_desk", "biller"}) | _EMERGENCY | {"patient"})
probe("getExercise", (_STAFF - {"front_desk", "biller"}) | _EMERGENCY | {"patient"})

# --- sessions, recordings and their analysis ----------------------------------------------------------------


def _new_session(case: Case) -> Ask:
    return Ask(json=_reported(case.aim.program_id, case.aim.prescription_id))


def _session_of_another_program(case: Case) -> Ask:
    return Ask(json=_reported(case.mine.program_id, case.aim.prescription_id))


def _reported(program_id: str, prescription_id: str) -> Json:
    return {
        "program_id": program_id,
        "prescription_id": prescription_id,
        "evidence": "self_report",
        "self_report": {"sets": 1, "repetitions": 5},
    }


def _new_upload(case: Case) -> Ask:
    metadata = upload_metadata(case.aim.session_id, "knee.mp4")
    return Ask(headers={**TUS, "Upload-Length": str(len(CLIP)), "Upload-Metadata": metadata})


async def _upload(case: Case, headers: Mapping[str, str], content: bytes | None = None) -> Ask:
    path: dict[str, str] = {}
    if case.may_pass:
        path["upload_id"] = await begin_upload(case.caller.client, case.mine.session_id, case.mine.word)
    return Ask(path=path, headers={**TUS, **headers}, content=content)


async def _sent(case: Case) -> Ask:
    return await _upload(case, {**TUS_BYTES, "Upload-Offset": "0"}, CLIP[:40])


async def _sent_past_a_proxy(case: Case) -> Ask:
    headers = {**TUS_BYTES, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    return await _upload(case, headers, CLIP[:40])


async def _given_up_past_a_proxy(case: Case) -> Ask:
    return await _upload(case, {"X-HTTP-Method-Override": "DELETE"})


async def _given_up(case: Case) -> Ask:
    return await _upload(case, {})


probe("listSessions", _CARE, "patient")
probe("startSession", _COURSE_OF_CARE, "patient", _session_of_another_program, beyond=422)
probe("startSession", _COURSE_OF_CARE, "patient", _new_session)
probe("getSession", _CARE, "patient")
probe(
    "changeSession",
    _COURSE_OF_CARE,
    "patient",
    Ask(json={"pain_after": 3}, headers=_ANY_VERSION),
)
probe("getSessionAnalysis", _CARE, "patient")
probe("discoverUploads", _EVERYBODY)
probe("discoverUploadsWithUploadId", _EVERYBODY)
probe("createUpload", _COURSE_OF_CARE, "patient", _new_upload)
probe("findUploadOffset", _COURSE_OF_CARE, "patient", Ask(headers=TUS))
probe("sendUploadBytes", _COURSE_OF_CARE, "patient", _sent)
probe("overrideUploadMethod", _COURSE_OF_CARE, "patient", _sent_past_a_proxy)
probe("overrideUploadMethod", _COURSE_OF_CARE, "patient", _given_up_past_a_proxy)
probe("terminateUpload", _COURSE_OF_CARE, "patient", _given_up)

# --- compliance, messages and devices -----------------------------------------------------------------------


async def _own_device(case: Case) -> Ask:
    if not case.may_pass:
        return Ask()
    form = {"platform": "web", "name": "Own", "target": f"https://push.example/{case.number}"}
    answer = await case.caller.client.post("/v1/devices", json=form)
    return Ask(path={"device_id": answer.json()["id"]})


probe("getCompliance", _FOLLOWING | _EMERGENCY | {"patient"}, "patient")
probe("getProgramCompliance", _FOLLOWING | _EMERGENCY | {"patient"}, "patient")
probe("evaluateCompliance", _THERAPIST, "patient", Ask(json={}))
probe("listPatientNotifications", _TREATING | {"manager", "patient"}, "patient")
probe("listNotifications", _TREATING | {"manager"})
probe("listDevices", _SIGNED_IN)
probe("registerDevice", _SIGNED_IN, ask=_the_example)
probe("removeDevice", _SIGNED_IN, "own", _own_device)

# --- jobs, the audit log, health ----------------------------------------------------------------------------


async def _stop_again(case: Case) -> None:
    """A job that was queued again would be followed without end."""
    if case.may_pass:
        await case.world.stop_job(case.aim.job_id)


_JOBS = _COURSE_OF_CARE | {"administrator"}

probe("listJobs", _ADMINISTRATOR)
probe("getJob", _JOBS, "job")
probe("followJob", _JOBS, "job")
probe("retryJob", _ADMINISTRATOR, "job", after=_stop_again)
probe("listAuditEntries", _MANAGING, names_ids=True)
probe(
    "listAuditEntries",
    _MANAGING,
    "patient",
    lambda case: Ask(query={"patient_id": case.aim.patient_id, "limit": "200"}),
    beyond=200,
    names_ids=True,
)
probe("verifyAuditLog", _MANAGING)
probe("checkLive", _EVERYBODY)
probe("checkReady", _EVERYBODY)
