"""The API description (OpenAPI 3.1): what Litestar derives from the handlers, and what holds everywhere.

Added here, so that no handler repeats it: the bearer scheme and the permission each route needs, problem
details for every status a route can answer, the idempotency header, and examples for every body.
"""

import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, cast

from litestar import Litestar, Router
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, License, SecurityScheme
from litestar.routes import HTTPRoute
from litestar.types import Method
from litestar.types.internal_types import PathParameterDefinition

from api.authorization import PUBLIC, permission_of
from api.examples import example_of
from api.problems import KINDS, PROBLEM_JSON, Kind
from identity.policy import Permission

Document = dict[str, Any]

IDEMPOTENCY_HEADER = "Idempotency-Key"

_DESCRIPTION = """\
The open backend that looks after physical-therapy patients between visits.

- **Errors** are problem details (RFC 9457); `errors[]` names fields by JSON pointer.
- **Lists** come in pages: `?limit&cursor` in, `items` and `next_cursor` out.
- **Updates** send the `ETag` they are based on in `If-Match`.
- **Every POST** takes an `Idempotency-Key`: sent again within 24 hours, it is answered again, not done again.
- **Instants** are RFC 3339 in UTC; plain dates are dates at the patient's location.
- **Uploads** follow the tus 1.0 protocol.
"""

_KIND_BY_STATUS = {kind.status: kind for kind in KINDS}


def openapi_config() -> OpenAPIConfig:
    """What Litestar starts from."""
    return OpenAPIConfig(
        title="Homestretch",
        version=version("homestretch"),
        description=_DESCRIPTION,
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        use_handler_docstrings=True,
        operation_id_creator=_operation_id,
        # Litestar wants a plugin; what is served is `describe`, by api.documentation.
        render_plugins=[JsonRenderPlugin(path="/litestar.json")],
        openapi_router=Router("/internal", route_handlers=[], include_in_schema=False, opt=PUBLIC),
        components=Components(
            security_schemes={
                "access_token": SecurityScheme(
                    type="http",
                    scheme="bearer",
                    bearer_format="JWT",
                    description="A short-lived access token, from `/v1/auth/sign-in` or `/v1/auth/refresh`.",
                )
            }
        ),
    )


def describe(app: Litestar) -> Document:
    """The whole document, ready to be encoded."""
    document: Document = app.openapi_schema.to_schema()
    _name_schemas(document)
    components = document["components"]
    _forget_ellipses(components["schemas"])
    components["schemas"].update(_PROBLEM_SCHEMAS)
    components["responses"] = {_response_name(kind): _problem_response(kind) for kind in KINDS}
    components["parameters"] = {"IdempotencyKey": _IDEMPOTENCY_KEY}
    for handler, method, operation in _operations(app, document):
        _complete(operation, handler, method)
    for operation_media in _json_media(document):
        if "schema" in operation_media and "examples" not in operation_media:
            operation_media["example"] = example_of(operation_media["schema"], components["schemas"])
    return document


def _forget_ellipses(schema: Document) -> None:
    """Litestar takes the ellipsis of `tuple[T, ...]` for a type of element, which would allow anything."""
    for part in schema.values():
        if isinstance(part, dict):
            inner = cast("Document", part)
            if {} in inner.get("items", {}).get("oneOf", ()):
                inner["items"] = next(kind for kind in inner["items"]["oneOf"] if kind)
            _forget_ellipses(inner)


_PROBLEM_SCHEMAS: dict[str, Document] = {
    "Problem": {
        "title": "Problem",
        "description": "What went wrong (RFC 9457). Never repeats what was sent.",
        "type": "object",
        "required": ["type", "title", "status", "detail", "instance"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference", "description": "The kind of problem."},
            "title": {"type": "string"},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string"},
            "instance": {"type": "string", "format": "uri", "description": "Quote it when asking for help."},
            "errors": {"type": "array", "items": {"$ref": "#/components/schemas/Fault"}},
        },
    },
    "Fault": {
        "title": "Fault",
        "type": "object",
        "required": ["pointer", "detail", "location"],
        "properties": {
            "pointer": {
                "type": "string",
                "description": "JSON pointer (RFC 6901), or `/name` of a parameter.",
            },
            "detail": {"type": "string"},
            "location": {"enum": ["body", "query", "path", "header", "cookie"]},
        },
    },
}

_IDEMPOTENCY_KEY: Document = {
    "name": IDEMPOTENCY_HEADER,
    "in": "header",
    "required": False,
    "description": "Makes it safe to send the request again: within 24 hours the first answer is repeated.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "example": "5f0c8a52-7d3e-4b0c-9a52-0f2f6e1d8c11",
}


_CHANGING = frozenset({"post", "put", "patch", "delete"})


def _complete(operation: Document, handler: HTTPRouteHandler, method: str) -> None:
    permission = permission_of(handler)
    operation["x-permission"] = str(permission)
    operation["security"] = [] if permission is Permission.PUBLIC else [{"access_token": []}]
    summary, _, rest = str(operation.get("description", "")).partition("\n")
    operation["summary"] = summary.rstrip(".")
    operation.pop("description", None)
    if rest.strip():
        operation["description"] = rest.strip()
    parameters = operation.setdefault("parameters", [])
    if method == "post":
        parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
    responses = operation["responses"]
    if responses.get("400", {}).get("content", {}).keys() == {"application/json"}:
        del responses["400"]  # Litestar's guess at how a validation error looks
    for status in _statuses(operation, permission, method):
        responses.setdefault(str(status), {"$ref": f"#/components/responses/{_response_name(_of(status))}"})
    for response in responses.values():
        for header in response.get("headers", {}).values():
            header.setdefault("schema", {"type": "string"})
    operation["responses"] = dict(sorted(responses.items()))


def _statuses(operation: Document, permission: Permission | None, method: str) -> Iterator[int]:
    """Every status that this kind of route can answer beside its success."""
    parameters = [parameter for parameter in operation["parameters"] if "name" in parameter]
    places = {parameter["in"] for parameter in parameters}
    yield from (400, 429, 500, 503)
    if permission is not Permission.PUBLIC:
        yield from (401, 403)
    if permission is not Permission.PUBLIC or "path" in places:
        yield 404
    if "requestBody" in operation:
        yield from (413, 415, 422)
    if parameters or method == "post":
        yield 422
    if method in _CHANGING:
        yield 409
    if any(parameter["name"] == "If-Match" for parameter in parameters):
        yield from (412, 428)


def _of(status: int) -> Kind:
    return _KIND_BY_STATUS[status]


def _problem_response(kind: Kind) -> Document:
    example: Document = {
        "type": f"/problems/{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": kind.remedy,
        "instance": "urn:homestretch:request:req_01kaz3v8c2d4e6f8g0h2j4k6m8",
    }
    if kind.code == "invalid":
        example["errors"] = [{"pointer": "/sets", "detail": "expected int >= 1", "location": "body"}]
    return {
        "description": f"{kind.title}. {kind.remedy}",
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}},
    }


def _response_name(kind: Kind) -> str:
    return "".join(word.capitalize() for word in kind.code.split("-"))


def _operations(app: Litestar, document: Document) -> Iterator[tuple[HTTPRouteHandler, str, Document]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute) and (path := document["paths"].get(route.path_format)):
            for method, (handler, _) in route.route_handler_map.items():
                if method.lower() in path:
                    yield handler, method.lower(), path[method.lower()]


def _json_media(document: Document) -> Iterator[Document]:
    for path in document["paths"].values():
        for operation in path.values():
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for body in bodies:
                if media := body.get("content", {}).get("application/json"):
                    yield media


def _name_schemas(document: Document) -> None:
    """Give schemas names that a generated client can use: `PageOfPatient`, not `Page_care.views.Patient_`."""
    schemas = cast("dict[str, Document]", document["components"].get("schemas", {}))
    wanted = {name: _readable(str(schema.get("title", name))) for name, schema in schemas.items()}
    counts = {title: list(wanted.values()).count(title) for title in wanted.values()}
    names = {name: title if counts[title] == 1 else name for name, title in wanted.items()}
    document["components"]["schemas"] = {names[name]: schema for name, schema in schemas.items()}
    _rename_references(document, {f"#/components/schemas/{old}": new for old, new in names.items()})


def _rename_references(node: object, names: dict[str, str]) -> None:
    if isinstance(node, dict):
        mapping = cast("Document", node)
        reference = mapping.get("$ref")
        if isinstance(reference, str) and reference in names:
            mapping["$ref"] = f"#/components/schemas/{names[reference]}"
        for value in mapping.values():
            _rename_references(value, names)
    elif isinstance(node, list):
        for item in cast("list[object]", node):
            _rename_references(item, names)


def _readable(title: str) -> str:
    generic = re.fullmatch(r"(\w+)\[(?:[\w.]*\.)?(\w+)\]", title)
    return f"{generic[1]}Of{generic[2]}" if generic else re.sub(r"\W", "", title)


def _operation_id(
    route_handler: HTTPRouteHandler, http_method: Method, path_components: list[str | PathParameterDefinition]
) -> str:
    """The handler's name in camel case: `registerPatient`. Names of handlers are part of the API."""
    parts = [route_handler.handler_name]
    if len(route_handler.http_methods) > 1:
        parts.append(http_method)
    if len(route_handler.paths) > 1:
        parts += [
            f"with_{part.name}" for part in path_components if isinstance(part, PathParameterDefinition)
        ]
    first, *others = "_".join(parts).lower().split("_")
    return first + "".join(word.capitalize() for word in others)
