"""The description of the API, and the pages that come with it."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
import schemathesis
from litestar import Litestar

from api.app import create_app
from api.openapi import describe
from api.problems import PROBLEM_JSON
from core.settings import Settings
from tests.api.conftest import Api

METHODS = ("get", "put", "post", "delete", "options", "head", "patch")


@pytest.fixture(scope="module")
def app() -> Litestar:
    return create_app(Settings())


@pytest.fixture(scope="module")
def document(app: Litestar) -> dict[str, Any]:
    return describe(app)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def test_the_document_follows_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert schemathesis.openapi.from_dict(document).validate() is None


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = set(re.findall(r"'\$ref': '#/components/(\w+)/([\w.-]+)'", str(document)))
    assert references
    missing = [(kind, name) for kind, name in references if name not in document["components"][kind]]
    assert missing == []


def test_operations_have_names_and_summaries_that_people_can_read(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        assert re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", operation["operationId"]), name
        assert operation["summary"], name
        assert operation["tags"], name


def test_schemas_have_names_that_a_generated_client_can_use(document: dict[str, Any]) -> None:
    odd = [name for name in document["components"]["schemas"] if not re.fullmatch(r"[A-Z]\w*", name)]
    assert odd == []


def test_every_operation_says_who_may_use_it(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        assert operation["x-permission"], name
        signed_in = operation["security"] == [{"access_token": []}]
        assert signed_in == (operation["x-permission"] != "public"), name


def test_every_error_is_a_problem_detail_with_an_example(document: dict[str, Any]) -> None:
    responses = document["components"]["responses"]
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) < 400 or (name, status) == ("GET /health/ready", "503"):
                continue
            if "$ref" in response:
                response = responses[response["$ref"].rsplit("/", 1)[-1]]  # noqa: PLW2901 - what it stands for
                assert response["content"][PROBLEM_JSON]["example"]["status"] == int(status), name
            assert "content" not in response or list(response["content"]) == [PROBLEM_JSON], name


def test_every_post_takes_a_key_and_every_precondition_is_documented(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        parameters = operation.get("parameters", [])
        has_key = {"$ref": "#/components/parameters/IdempotencyKey"} in parameters
        assert has_key == name.startswith("POST "), name
        if any(parameter.get("name") == "If-Match" for parameter in parameters):
            assert {"412", "428"} <= set(operation["responses"]), name


def test_every_json_body_has_an_example_that_its_schema_accepts(document: dict[str, Any]) -> None:
    examples = 0
    for name, operation in operations(document):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for body in bodies:
            media = body.get("content", {}).get("application/json")
            if media is None:
                continue
            schema = {**media["schema"], "components": document["components"]}
            assert "example" in media, name
            jsonschema_rs.validate(schema, media["example"])
            examples += 1
    assert examples > 50


def test_the_description_needs_no_database(document: dict[str, Any], tmp_path: Path) -> None:
    environment = {"HOMESTRETCH_MONGODB_URI": "mongodb://nowhere.invalid/", "HOMESTRETCH_DATA": str(tmp_path)}
    printed = subprocess.run(
        [sys.executable, "-m", "api.cli", "openapi"],
        env={**os.environ, **environment},
        capture_output=True,
        check=True,
    )
    assert json.loads(printed.stdout) == json.loads(json.dumps(document))
    assert printed.stderr == b""
    assert list(tmp_path.iterdir()) == []


async def test_the_same_description_is_served(anonymous: httpx.AsyncClient, document: dict[str, Any]) -> None:
    answer = await anonymous.get("/openapi.json")
    assert answer.json() == json.loads(json.dumps(document))


async def test_the_reference_page_loads_nothing_from_elsewhere(anonymous: httpx.AsyncClient) -> None:
    page = await anonymous.get("/docs")
    assert page.status_code == 200
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert addresses
    for address in addresses:
        assert address.startswith(("/", "data:,")), address
        if address.startswith("/docs/"):
            assert (await anonymous.get(address)).status_code == 200


async def test_files_outside_the_page_cannot_be_had(anonymous: httpx.AsyncClient) -> None:
    for path in ("/docs/%2e%2e/package.json", "/docs/..%2fpackage.json", "/docs/missing.js"):
        assert (await anonymous.get(path)).status_code == 404


async def test_a_page_that_has_not_changed_is_not_sent_again(anonymous: httpx.AsyncClient) -> None:
    first = await anonymous.get("/docs/swagger-ui.css")
    again = await anonymous.get("/docs/swagger-ui.css", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.browser
async def test_a_browser_shows_the_reference(api: Api, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    assert browser is not None
    # No name resolves: whatever the page wanted from elsewhere would be missing.
    shown = await _run(
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path}",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--virtual-time-budget=20000",
        "--enable-logging=stderr",
        "--dump-dom",
        f"{api.url}/docs",
    )
    assert "Register a patient" in shown[0]
    assert "Content Security Policy" not in shown[1]


async def _run(*command: str) -> tuple[str, str]:
    child = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await child.communicate()
    return output.decode(), errors.decode()
