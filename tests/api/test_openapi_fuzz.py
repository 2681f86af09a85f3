"""Requests made up from the API's own description, right ones and wrong ones, on a real socket.

Whatever is sent, the API does not break, and answers as it says it would: with a documented status, in the
documented media type, with a body and headers of the documented shape.
"""

import asyncio
import contextlib
import copy
import json
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import strategies
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import from_schema
from schemathesis.engine.events import EngineEvent, FatalError, NonFatalError, ScenarioFinished

from api.openapi import describe
from api.tus import CONTENT_TYPE
from core.errors import Conflict
from core.jobs import cancel_job
from core.mongo import RawDatabase
from identity.policy import ROLE_PERMISSIONS, Permission, Role
from tests.api.conftest import Api
from tests.api.reach_world import Chart, House, Json, keep_chart
from tests.identity.conftest import light_hashes

__all__ = ["light_hashes"]

SEED = 20260302
MADE_UP = 12
"""How many requests are made up for an operation by chance, for each caller."""

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)

ENDS_THE_SIGN_IN = {"signOut", "signOutEverywhere"}
"""Asked last: whatever came after them would only be told to sign in. Nothing is left out altogether."""

EVENT_STREAM = "followJob"
"""The only one whose body is not compared with its schema: that describes the stream as a whole, as text, and
would be held against each event. `tests/core/jobs/test_watching.py` and the phone page rest on the events.
"""

# An administrator who picks ids of colleagues from answers lets themselves go after a while, and is not let
# in any more. The ids of `with_real_ids` do instead.
_NO_IDS_FROM_ANSWERS = {"extra-data-sources": {"responses": False}}

EXPLORERS: Mapping[str, Collection[Permission]] = {
    "therapist": ROLE_PERMISSIONS[Role.THERAPIST],
    "administrator": ROLE_PERMISSIONS[Role.ADMINISTRATOR],
    "patient": ROLE_PERMISSIONS[Role.PATIENT],
    "anonymous": {Permission.PUBLIC},
}

schemathesis.openapi.media_type(CONTENT_TYPE, strategies.binary(max_size=2000))


@dataclass
class Fuzzed:
    """What runs of made-up requests came to."""

    statuses: dict[str, set[int]] = field(default_factory=dict[str, set[int]])
    """What each operation answered."""
    faults: list[str] = field(default_factory=list[str])
    requests: int = 0


@pytest.fixture
async def chart(api: Api) -> AsyncGenerator[tuple[House, Chart, httpx.AsyncClient]]:
    async with AsyncExitStack() as stack:
        house = await House.open(api, "Larkspur", stack)
        location_id = await house.location("North")
        therapist = await house.staff("therapist")
        yield house, *await keep_chart(house, therapist, "Quillfeather", location_id)


@pytest.mark.parametrize("role", [*EXPLORERS])
async def test_made_up_requests_are_answered_as_documented(
    role: str, chart: tuple[House, Chart, httpx.AsyncClient], raw: RawDatabase
) -> None:
    house, known, phone = chart
    document = with_real_ids(describe(house.api.app), known)
    match role:
        case "anonymous":
            client = await house.client()
        case "patient":
            client = phone
        case _:
            client = await house.staff(role)
    mine = explored_by(role, document)
    allowed = allowed_to(role, document)
    found = Fuzzed()
    for names, made_up, thorough in (
        (mine - ENDS_THE_SIGN_IN, MADE_UP, True),
        (allowed - mine - ENDS_THE_SIGN_IN, MADE_UP, False),
        (names_of(document) - allowed - ENDS_THE_SIGN_IN, 2, False),
        (ENDS_THE_SIGN_IN, 2, False),
    ):
        await raw["rate_limits"].delete_many({})
        with contextlib.suppress(Conflict):  # it was retried: following it would take as long as it takes
            await cancel_job(house.access, known.job_id)
        part = part_of(document, names)
        token = client.headers.get("Authorization")
        await asyncio.to_thread(fuzz, part, house.api.url, token, found, made_up=made_up, thorough=thorough)
    assert not found.faults, "\n\n".join(found.faults)
    assert found.statuses.keys() == names_of(document)
    served = {name for name, statuses in found.statuses.items() if min(statuses) < 300}
    assert served <= allowed | allowed_to("anonymous", document)
    assert len(served) > len(allowed) / 2


async def test_an_answer_that_is_not_documented_is_found(api: Api) -> None:
    """Without this, a run that checks nothing would look like one that finds nothing."""
    document = part_of(describe(api.app), {"checkLive", "discoverUploads"})
    live = document["paths"]["/health/live"]["get"]["responses"]
    live["200"]["content"]["application/json"]["schema"] = {"type": "array"}
    del document["paths"]["/v1/uploads"]["options"]["responses"]["204"]
    found = Fuzzed()
    await asyncio.to_thread(fuzz, document, api.url, None, found, made_up=2, thorough=False)
    told = "\n".join(found.faults)
    assert "GET /health/live: Response violates schema" in told
    assert "OPTIONS /v1/uploads: Undocumented status code" in told


def allowed_to(role: str, document: Json) -> set[str]:
    """The operations that this role may use."""
    return {
        operation["operationId"]
        for operation in operations_of(document)
        if operation["x-permission"] in EXPLORERS[role]
    }


def explored_by(role: str, document: Json) -> set[str]:
    """The operations that are tried thoroughly as this role: those that nobody before it in line may use."""
    in_line = list(EXPLORERS)
    before = (allowed_to(each, document) for each in in_line[: in_line.index(role)])
    return allowed_to(role, document).difference(*before)


def fuzz(document: Json, url: str, token: str | None, found: Fuzzed, *, made_up: int, thorough: bool) -> None:
    """Send made-up requests for every operation of the document.

    Some by chance; thoroughly, also all that its examples and the limits in its schemas suggest.
    """
    config = SchemathesisConfig.from_dict(  # pyright: ignore[reportUnknownMemberType] - takes a bare `dict`
        {
            "seed": SEED,
            "cache": {"enabled": False},
            "headers": {} if token is None else {"Authorization": token},
            "base-url": url,
            "request-timeout": 60,
            "warnings": False,
            "generation": {
                "max-examples": made_up,
                "deterministic": True,
                "no-shrink": True,
                "database": "none",
                "with-security-parameters": False,
            },
            "checks": {"enabled": False, **{name: {"enabled": True} for name in CHECKS}},
            "phases": {
                "examples": {"enabled": thorough},
                "coverage": {"enabled": thorough, **_NO_IDS_FROM_ANSWERS},
                "fuzzing": _NO_IDS_FROM_ANSWERS,
                "stateful": {"enabled": False},
            },
            "operations": [
                {
                    "include-operation-id": EVENT_STREAM,
                    "checks": {"response_schema_conformance": {"enabled": False}},
                }
            ],
        }
    )
    schema = schemathesis.openapi.from_dict(document, config=config)
    for event in from_schema(schema).execute():
        _note(event, found)


def _note(event: EngineEvent, found: Fuzzed) -> None:
    if isinstance(event, FatalError):
        raise event.exception
    if isinstance(event, NonFatalError):
        found.faults.append(f"{event.label}: {event.info.format()}")
    if not isinstance(event, ScenarioFinished):
        return
    recorder: Any = event.recorder  # its cases are generic over what nobody names
    for case_id, interaction in recorder.interactions.items():
        found.requests += 1
        operation = str(recorder.cases[case_id].value.operation.definition.raw["operationId"])
        if interaction.response is not None:
            found.statuses.setdefault(operation, set()).add(interaction.response.status_code)
        for check in recorder.checks.get(case_id, []):
            if check.failure_info is not None:
                failure = check.failure_info.failure
                found.faults.append(
                    f"{recorder.label}: {failure.title}: {failure.message}\n{check.failure_info.code_sample}"
                )


def with_real_ids(document: Json, chart: Chart) -> Json:
    """The document, with ids that lead somewhere among those that a request may name."""
    document = json.loads(json.dumps(document))
    known = {name: value for name, value in vars(chart).items() if name.endswith("_id")}
    for operation in operations_of(document):
        for parameter in operation.get("parameters", ()):
            if parameter.get("in") == "path":
                parameter["schema"] = {"type": "string", "enum": [known[parameter["name"]]]}
            elif parameter.get("name") == "If-Match":
                parameter["schema"] = _or(parameter["schema"], "*")
    for schema in document["components"]["schemas"].values():
        for name, property_ in schema.get("properties", {}).items():
            if name in known and property_.get("type") == "string":
                schema["properties"][name] = _or(property_, known[name])
    return document


def part_of(document: Json, names: Collection[str]) -> Json:
    """The document with only the operations named."""
    part = copy.copy(document)
    part["paths"] = {
        path: {method: operation for method, operation in item.items() if operation["operationId"] in names}
        for path, item in document["paths"].items()
    }
    return part


def operations_of(document: Json) -> Iterator[Json]:
    for item in document["paths"].values():
        yield from item.values()


def names_of(document: Json) -> set[str]:
    return {operation["operationId"] for operation in operations_of(document)}


def _or(schema: Json, value: str) -> Json:
    return {"anyOf": [{"const": value}, schema]}
