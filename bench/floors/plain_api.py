"""The floor beneath the API: its three reads as somebody writes them who wants nothing but the answer.

Litestar, PyMongo and the Structs of the answers. Each request has its bearer token verified with joserfc and
is confined to the organization that the token names; an unknown patient is a 404, not an empty list; reads
are majority reads; the JSON is the product's. What there is not: roles, sign-out, locations, encrypted
fields, request ids, logs, figures, security headers, ETags, problem details. Under `/audited` a read also
stores one plain row that says who read what, as durably as the product stores its entry, before it answers.
Under `/decrypting` it also reads the patients as the product keeps them, and the driver decrypts them.

Started by `bench/api.py`, with the address of the database, the signing key, the port and the key of the
vault as arguments.
"""

import datetime as dt
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import uvicorn
from joserfc import jwt
from joserfc.jwk import OctKey
from litestar import Litestar, Request, get
from litestar.exceptions import NotAuthorizedException, NotFoundException
from litestar.params import FromPath, QueryParameter
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.encryption_options import AutoEncryptionOpts
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from care.patients import PatientView  # noqa: E402 - the checkout must be importable first
from care.programs import ProgramView, StoredProgram, program_view  # noqa: E402 - same
from care.sessions import SessionView  # noqa: E402 - same
from core.keys import VAULT  # noqa: E402 - same
from core.pages import Page  # noqa: E402 - same
from core.settings import Settings  # noqa: E402 - same

DATABASE = "floor"

View = TypeVar("View", bound=msgspec.Struct)
Row = dict[str, Any]
Limit = Annotated[int, QueryParameter(ge=1, le=200)]


class Reader:
    """One request's caller, and the database."""

    def __init__(self, request: Request[Any, Any, Any]) -> None:
        header = request.headers.get("authorization", "")
        token = header.removeprefix("Bearer ")
        claims = jwt.decode(token, request.app.state.key, algorithms=["HS256"]).claims
        if claims["exp"] <= dt.datetime.now(dt.UTC).timestamp():
            raise NotAuthorizedException
        self.organization_id: str = claims["org"]
        self.staff_id: str = claims["sub"]
        self.audited = not request.url.path.startswith("/plain")
        decrypting = request.url.path.startswith("/decrypting")
        self.database: AsyncDatabase[Row] = request.app.state.database
        self.source: AsyncDatabase[Row] = request.app.state.encrypted if decrypting else self.database

    async def one(self, collection: str, document_id: str, fields: Row) -> Row:
        query = {"_id": document_id, "organization_id": self.organization_id}
        row = await self.source[collection].find_one(query, fields)
        if row is None:
            raise NotFoundException
        return row

    async def many(self, collection: str, query: Row, sort: list[tuple[str, int]], fields: Row) -> list[Row]:
        query = {"organization_id": self.organization_id, **query}
        return await self.source[collection].find(query, fields).sort(sort).limit(101).to_list()

    async def record(self, collection: str, rows: list[Row], patient_id: str | None) -> None:
        if self.audited:
            entry = {
                "organization_id": self.organization_id,
                "at": dt.datetime.now(dt.UTC),
                "actor": {"kind": "staff", "id": self.staff_id},
                "action": "read",
                "collection": collection,
                "document_ids": [row["_id"] for row in rows],
                "patient_id": patient_id,
            }
            await self.database["audit"].insert_one(entry)


def fields_of(view: type[msgspec.Struct]) -> Row:
    return {"_id" if name == "id" else name: 1 for name in view.__struct_encode_fields__}


def shaped(row: Row, view: type[View]) -> View:
    row["id"] = row.pop("_id")
    return msgspec.convert(row, view, strict=False)


PROGRAM, SESSION, PATIENT = fields_of(StoredProgram), fields_of(SessionView), fields_of(PatientView)


@get(["/plain/programs/{program_id:str}", "/audited/programs/{program_id:str}"])
async def get_program(request: Request[Any, Any, Any], program_id: FromPath[str]) -> ProgramView:
    reader = Reader(request)
    row = await reader.one("programs", program_id, PROGRAM)
    await reader.record("programs", [row], row["patient_id"])
    return program_view(shaped(row, StoredProgram))


@get([f"/{kind}/patients/{{patient_id:str}}/exercise-sessions" for kind in ("plain", "audited")])
async def list_sessions(
    request: Request[Any, Any, Any], patient_id: FromPath[str], limit: Limit
) -> Page[SessionView]:
    reader = Reader(request)
    await reader.one("patients", patient_id, {"_id": 1})
    order = [("performed_at", -1), ("_id", -1)]
    rows = (await reader.many("exercise_sessions", {"patient_id": patient_id}, order, SESSION))[:limit]
    await reader.record("exercise_sessions", rows, patient_id)
    return Page(items=[shaped(row, SessionView) for row in rows])


@get(["/plain/patients", "/audited/patients", "/decrypting/patients"])
async def list_patients(request: Request[Any, Any, Any], limit: Limit) -> Page[PatientView]:
    reader = Reader(request)
    rows = (await reader.many("patients", {}, [("_id", 1)], PATIENT))[:limit]
    await reader.record("patients", rows, None)
    return Page(items=[shaped(row, PatientView) for row in rows])


def create_app(uri: str, key: str, vault_key: str) -> Litestar:
    options = AutoEncryptionOpts(
        {"local": {"key": bytes.fromhex(vault_key)}},
        f"{Settings().mongodb_database}.{VAULT}",
        bypass_auto_encryption=True,
    )

    @asynccontextmanager
    async def opened(app: Litestar) -> AsyncGenerator[None]:
        async with (
            AsyncMongoClient[Row](uri, tz_aware=True) as client,
            AsyncMongoClient[Row](uri, tz_aware=True, auto_encryption_opts=options) as decrypting,
        ):
            app.state.database = client.get_database(
                DATABASE, read_concern=ReadConcern("majority"), write_concern=WriteConcern("majority", j=True)
            )
            app.state.encrypted = decrypting.get_database(
                Settings().mongodb_database, read_concern=ReadConcern("majority")
            )
            yield

    handlers = [get_program, list_sessions, list_patients]
    app = Litestar(handlers, lifespan=[opened], openapi_config=None, logging_config=None)
    app.state.key = OctKey.import_key(bytes.fromhex(key))
    return app


if __name__ == "__main__":
    # The settings of `api.server`.
    config = uvicorn.Config(
        create_app(sys.argv[1], sys.argv[2], sys.argv[4]),
        port=int(sys.argv[3]),
        log_config=None,
        access_log=False,
        server_header=False,
    )
    uvicorn.Server(config).run()
