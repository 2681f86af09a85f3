"""What an installation can be told: from `HOMESTRETCH_*` variables, else from a TOML file, else the default.

A mistake stops the program at once with one line that names the variable. Secrets show neither in `repr`, nor
in logs, nor in those lines. `docs/settings.md` is generated from `Settings` and a test keeps it current.
"""

from __future__ import annotations

import difflib
import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from core.errors import HomestretchError

PREFIX = "HOMESTRETCH_"

_DOCUMENT_HEAD = """# Settings

An environment variable wins over the file, and the file over the default. The file is TOML: the one that
`HOMESTRETCH_CONFIG` names, else `homestretch.toml` in the data folder. What cannot be is refused at once, by
name. Access to S3 is configured as for every other program, by the variables that begin with `AWS_`.
"""
CONFIG_VARIABLE = "HOMESTRETCH_CONFIG"

ALIASES: Mapping[str, str] = {"HOMESTRETCH_ENV": "environment", "PORT": "port"}
"""Names that platforms and habits use for the same setting; the `HOMESTRETCH_*` name wins over them."""

ELSEWHERE = frozenset(
    {CONFIG_VARIABLE, "HOMESTRETCH_POSE_MODELS", "HOMESTRETCH_TEST_MONGODB_URI", "HOMESTRETCH_URL"}
)
"""Variables of ours that are no settings: read where no settings exist yet."""


class SettingsError(HomestretchError):
    """The installation was told something that cannot be; `detail` is one line that names the variable."""

    code = "settings"


class Secret:
    """Text that must not be shown. Only `reveal` gives it away."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret('…')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reveal() == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written down")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an installation can be told. Paths are absolute once loaded."""

    environment: Annotated[
        Literal["development", "production"],
        Meta(
            description="`production` refuses what is only safe for trying things out: a master key made "
            "on the spot and the embedded database."
        ),
    ] = "development"
    data: Annotated[
        Path,
        Meta(
            description="Folder for everything kept on this machine: embedded database, objects, master key."
        ),
    ] = Path(".data")
    mongodb_uri: Annotated[
        Secret | None,
        Meta(
            description="A MongoDB 7 or 8 replica set. Without it the embedded server is started, in the "
            "data folder."
        ),
    ] = None
    mongodb_database: Annotated[
        str, Meta(description="Name of the database.", min_length=1, max_length=38)
    ] = "homestretch"
    mongod_bin: Annotated[
        Path | None,
        Meta(
            description="The `mongod` to embed. Without it: `MONGOD_BIN`, `mongod` on the PATH, the wheel's."
        ),
    ] = None
    allow_embedded_in_production: Annotated[
        bool,
        Meta(
            description="Run the embedded database in production all the same; it gets no security updates "
            "(docs/decisions/0002)."
        ),
    ] = False
    host: Annotated[str, Meta(description="Address the API listens on.", min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(description="Port the API listens on.", ge=0, le=65535)] = 8000
    public_url: Annotated[
        str | None,
        Meta(description="How browsers and phones reach the API; used in invitation links and for passkeys."),
    ] = None
    master_key: Annotated[
        Secret | None,
        Meta(description="The master key itself: 32 bytes in base64. Comes before `master_key_file`."),
    ] = None
    master_key_file: Annotated[
        Path | None,
        Meta(
            description="File with the master key. Without it `master.key` in the data folder, made on the "
            "first start in development."
        ),
    ] = None
    storage_url: Annotated[
        str | None,
        Meta(
            description="Where objects are kept: `s3://bucket/prefix` or `file:///folder`. Without it "
            "`objects` in the data folder."
        ),
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="What is worth a line in the log.")
    ] = "info"
    log_format: Annotated[
        Literal["auto", "console", "json"],
        Meta(description="`auto` is `console` on a terminal and `json` elsewhere."),
    ] = "auto"
    otlp_endpoint: Annotated[
        str | None,
        Meta(description="OpenTelemetry collector (OTLP over HTTP). Without it nothing is traced or sent."),
    ] = None
    metrics_token: Annotated[
        Secret | None,
        Meta(description="Bearer token for `/metrics`. Without it only this machine is answered."),
    ] = None
    workers: Annotated[
        int, Meta(description="Worker processes that `homestretch run` starts.", ge=0, le=256)
    ] = 1
    video_max_bytes: Annotated[
        int, Meta(description="Largest recording that is accepted, in bytes.", ge=1 << 20)
    ] = 1 << 30
    video_max_duration_s: Annotated[
        float, Meta(description="Longest recording that is analysed, in seconds.", gt=0)
    ] = 600.0

    @property
    def production(self) -> bool:
        return self.environment == "production"

    @property
    def embedded(self) -> bool:
        """Whether the embedded database is used."""
        return self.mongodb_uri is None

    @property
    def master_key_path(self) -> Path:
        return self.master_key_file or self.data / "master.key"

    @property
    def storage_location(self) -> str:
        """URL of the object store."""
        return self.storage_url or (self.data / "objects").as_uri()

    @property
    def external_url(self) -> str:
        """How browsers and phones reach the API, without a slash at the end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process.

    The file is the one `HOMESTRETCH_CONFIG` names, else `homestretch.toml` in the data folder, if there is
    one.

    Raises:
        SettingsError: something cannot be; its detail is one line that names the variable and shows no
        secret.
    """
    environ = os.environ if environ is None else environ
    given = _from_environment(environ)
    path, required = _file(environ, given)
    from_file = _from_file(path, required=required)
    values = {**from_file, **given}
    fields = {name: _convert(name, text, source) for name, (source, text) in values.items()}
    settings = Settings(**fields)
    _check(settings, {name: source for name, (source, _) in values.items()})
    return msgspec.structs.replace(
        settings,
        data=_absolute(settings.data),
        master_key_file=settings.master_key_file and _absolute(settings.master_key_file),
        mongod_bin=settings.mongod_bin and _absolute(settings.mongod_bin),
    )


def variable_of(name: str) -> str:
    """The environment variable of the setting `name`."""
    return PREFIX + name.upper()


def settings_document() -> str:
    """What `docs/settings.md` holds: `python -m core.settings > docs/settings.md`."""
    lines = [_DOCUMENT_HEAD, "| variable | in the file | default | what it says |", "|---|---|---|---|"]
    hints = _hints()
    for field in msgspec.structs.fields(Settings):
        names = [variable_of(field.name), *(alias for alias, name in ALIASES.items() if name == field.name)]
        default = "" if field.default is None else f"`{_plain(field.default)}`"
        description = next(meta.description for meta in get_args(hints[field.name]) if isinstance(meta, Meta))
        variables = " or ".join(f"`{name}`" for name in names)
        lines.append(f"| {variables} | `{field.name}` | {default} | {description} |")
    return "\n".join(lines) + "\n"


_Values = dict[str, tuple[str, Any]]
"""For each setting: what to call its source in a message, and the value found there."""


def _from_environment(environ: Mapping[str, str]) -> _Values:
    values: _Values = {name: (alias, environ[alias]) for alias, name in ALIASES.items() if environ.get(alias)}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable in ELSEWHERE or variable in ALIASES:
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in Settings.__struct_fields__:
            raise SettingsError(f"{variable} is not a setting.{_suggestion(name, upper=True)}")
        if text:
            values[name] = (variable, text)
    return values


def _file(environ: Mapping[str, str], given: _Values) -> tuple[Path, bool]:
    if configured := environ.get(CONFIG_VARIABLE):
        return Path(configured), True
    folder = given["data"][1] if "data" in given else Settings().data
    return Path(folder) / "homestretch.toml", False


def _from_file(path: Path, *, required: bool) -> _Values:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if required:
            raise SettingsError(f"{CONFIG_VARIABLE}: there is no file {path}.") from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {type(error).__name__}.") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}.") from error
    for name in content:
        if name not in Settings.__struct_fields__:
            raise SettingsError(f"{name} in {path} is not a setting.{_suggestion(name, upper=False)}")
    return {name: (f"{name} in {path}", value) for name, value in content.items()}


def _suggestion(name: str, *, upper: bool) -> str:
    close = difflib.get_close_matches(name, Settings.__struct_fields__, n=1)
    if not close:
        return ""
    return f" Did you mean {variable_of(close[0]) if upper else close[0]}?"


def _convert(name: str, value: object, source: str) -> Any:  # noqa: ANN401 - whatever the setting's type is
    hint = _hints()[name]
    try:
        return msgspec.convert(value, hint, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{source}: {_expected(hint, str(error))}") from None


def _decode(kind: type, value: object) -> object:
    if not isinstance(value, str):
        raise msgspec.ValidationError("Expected text")
    return Secret(value) if kind is Secret else Path(value).expanduser()


def _expected(hint: object, complaint: str) -> str:
    """What a setting may be, in words. msgspec's own complaint is kept where it says more than the type."""
    kinds = _flat(hint)
    for kind in kinds:
        if get_origin(kind) is Literal:
            return f"expected one of {', '.join(get_args(kind))}"
    if ">=" in complaint or "<=" in complaint or "length" in complaint:
        return complaint.replace("Expected `int`", "expected a whole number").replace(
            "Expected `", "expected `"
        )
    words: dict[object, str] = {bool: "true or false", int: "a whole number", float: "a number"}
    return f"expected {next((words[kind] for kind in kinds if kind in words), 'text')}"


def _flat(hint: object) -> list[object]:
    arguments = [argument for argument in get_args(hint) if not isinstance(argument, Meta)]
    if not arguments or get_origin(hint) is Literal:
        return [hint]
    return [kind for argument in arguments for kind in _flat(argument)]


def _hints() -> dict[str, Any]:
    return get_type_hints(Settings, include_extras=True)


def _check(settings: Settings, sources: Mapping[str, str]) -> None:
    def refuse(name: str, reason: str) -> SettingsError:
        return SettingsError(f"{sources.get(name, variable_of(name))}: {reason}")

    for name, schemes in (("public_url", ("http", "https")), ("otlp_endpoint", ("http", "https"))):
        url: str | None = getattr(settings, name)
        if url is not None and (urlsplit(url).scheme not in schemes or not urlsplit(url).netloc):
            raise refuse(name, "expected an address such as https://clinic.example")
    if settings.storage_url is not None and urlsplit(settings.storage_url).scheme not in {"file", "s3"}:
        raise refuse("storage_url", "expected s3://bucket/prefix or file:///folder")
    uri = settings.mongodb_uri
    if uri is not None and urlsplit(uri.reveal()).scheme not in {"mongodb", "mongodb+srv"}:
        raise refuse("mongodb_uri", "expected an address that begins with mongodb:// or mongodb+srv://")
    if settings.production and settings.embedded and not settings.allow_embedded_in_production:
        raise refuse(
            "mongodb_uri",
            "production needs a MongoDB of its own; the embedded one is for trying things out "
            "(HOMESTRETCH_ALLOW_EMBEDDED_IN_PRODUCTION=true accepts the risk)",
        )


def _absolute(path: Path) -> Path:
    return path.expanduser().resolve()


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    sys.stdout.write(settings_document())
