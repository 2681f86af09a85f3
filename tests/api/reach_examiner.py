"""Makes every request of `reach_probes` as every caller, and says where an answer is not what it must be."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.api.reach_callers import Caller, World
from tests.api.reach_probes import PROBES, Case, Probe
from tests.api.reach_world import Chart, Json

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")


@dataclass(frozen=True)
class Operation:
    """One operation as the API's description has it."""

    id: str
    method: str
    path: str
    statuses: frozenset[int]
    is_public: bool
    example: Json

    @property
    def success(self) -> int:
        (status,) = (each for each in self.statuses if each < 300)
        return status


@dataclass
class Examination:
    """What was asked, and what was wrong."""

    world: World
    nowhere: Chart = field(default_factory=Chart.of_nobody)
    requests: int = 0
    findings: list[str] = field(default_factory=list[str])


def operations_of(document: Json) -> list[Operation]:
    """Every operation of an OpenAPI document."""
    return [_operation(path, method, item[method]) for path, method, item in _items(document)]


def without_probe(operations: list[Operation]) -> list[str]:
    """Operations nobody says how to probe, and probes of operations that are not there."""
    return sorted({operation.id for operation in operations} ^ set(PROBES))


async def examine(world: World, operations: list[Operation], *roles: str) -> Examination:
    """Ask everything as everybody, or as those in `roles`."""
    examination = Examination(world)
    before = await world.untouchable()
    for caller in world.callers:
        if roles and caller.role not in roles:
            continue
        # So many requests from one address would exhaust what one address may try.
        await world.raw["rate_limits"].delete_many({})
        for operation in operations:
            for probe in PROBES[operation.id]:
                await _probe(examination, caller, operation, probe)
    after = await world.untouchable()
    examination.findings += [
        f"{collection} {document_id} was {_fate(before.get(key), after.get(key))}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
        for collection, document_id in (key,)
    ]
    return examination


async def _probe(examination: Examination, caller: Caller, operation: Operation, probe: Probe) -> None:
    answers: dict[str, httpx.Response] = {}
    for name, aim in _aims(caller, probe, examination.nowhere):
        is_mine = name == "mine" and (probe.scope != "job" or caller.asked_for_jobs)
        case = Case(
            examination.world,
            caller,
            aim,
            copy.deepcopy(operation.example),
            is_mine and caller.role in probe.who,
        )
        answer = await _ask(case, operation, probe)
        examination.requests += 1
        answers[name] = answer
        what = f"{caller.name}: {operation.id} {name}"
        examination.findings += [
            f"{what}: {fault}"
            for fault in _faults(
                caller, operation, probe, answer, _expected(caller, operation, probe, is_mine)
            )
        ]
        if probe.after is not None:
            await probe.after(case)
    if "nowhere" in answers and _told(answers["foreign"]) != _told(answers["nowhere"]):
        examination.findings.append(f"{caller.name}: {operation.id} tells what is foreign from what is not")


def _aims(caller: Caller, probe: Probe, nowhere: Chart) -> Iterator[tuple[str, Chart]]:
    yield "mine", caller.mine
    if probe.scope == "nothing" or caller.role == "nobody":
        return
    if caller.role not in probe.who:  # refused before anybody looks at ids
        yield "foreign", caller.foreign
        return
    if probe.scope != "organization":
        for other in caller.others:
            yield f"of {other.word}", other
    yield "foreign", caller.foreign
    yield "nowhere", nowhere


async def _ask(case: Case, operation: Operation, probe: Probe) -> httpx.Response:
    ask = await probe.ask(case)
    names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    path = operation.path.format(**{name: ask.path.get(name, getattr(case.aim, name)) for name in names})
    return await case.caller.client.request(
        operation.method,
        path,
        params=dict(ask.query),
        headers=dict(ask.headers),
        json=ask.json,
        content=ask.content,
    )


def _expected(caller: Caller, operation: Operation, probe: Probe, is_mine: bool) -> int:  # noqa: FBT001
    if caller.role not in probe.who:
        return 401 if caller.role == "nobody" else 403
    if not is_mine:
        return probe.beyond
    own = probe.own.get(caller.role) if not isinstance(probe.own, int | None) else probe.own
    return operation.success if own is None else own


def _faults(
    caller: Caller, operation: Operation, probe: Probe, answer: httpx.Response, expected: int
) -> Iterator[str]:
    if answer.status_code != expected:
        yield f"{answer.status_code} instead of {expected}"
    if answer.status_code not in operation.statuses:
        yield f"{answer.status_code} is not documented"
    if answer.status_code == 401 and not operation.is_public:
        sent_a_token = "Authorization" in caller.client.headers
        challenge = answer.headers.get("WWW-Authenticate", "")
        if not challenge.startswith("Bearer ") or ('error="invalid_token"' in challenge) != sent_a_token:
            yield f"it does not say how to sign in, but {challenge!r}"
    shown = answer.text + str(answer.headers.multi_items())
    for chart in [*caller.others, caller.foreign]:
        hidden = chart.private
        if probe.names_ids and chart is not caller.foreign and caller.role != "nobody":
            hidden = {word for word in hidden if chart.word in word}
        if seen := sorted(word for word in hidden if word in shown):
            yield f"it shows {', '.join(seen[:3])} of {chart.word}"


def _told(answer: httpx.Response) -> Any:  # noqa: ANN401 - any JSON
    """What an answer tells, beside its number."""
    if not answer.headers.get("Content-Type", "").endswith("json") or not answer.content:
        return answer.status_code, answer.content
    told = answer.json()
    told.pop("instance", None)
    return answer.status_code, told


def _fate(before: bytes | None, after: bytes | None) -> str:
    if before is None:
        return "made"
    return "destroyed" if after is None else "changed"


def _items(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield path, method, item


def _operation(path: str, method: str, described: Json) -> Operation:
    media = described.get("requestBody", {}).get("content", {}).get("application/json", {})
    return Operation(
        id=described["operationId"],
        method=method.upper(),
        path=path,
        statuses=frozenset(int(status) for status in described["responses"]),
        is_public=described["security"] == [],
        example=media.get("example", {}),
    )
