"""Logs and traces, set up once for a process, that never carry identifiers, tokens or keys.

Redaction is the second line of defence: callers log ids and figures in the first place.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import traceback
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TextIO, cast

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from core.errors import HomestretchError
from core.settings import Settings

REDACTED = "[redacted]"

# Names of things that identify a person or open a door, wherever they occur in the name of a logged value.
_TELLING_NAME = re.compile(
    r"(?:^|_)(?:name|e?mail|phone|mobile|address|street|birth_?date|date_of_birth|dob|insurance|member_number|ssn"
    r"|password|passphrase|secret|token|authorization|cookie|code|otp|totp|api_?key|private_key|master_key)(?:$|_)",
    re.IGNORECASE,
)
# Names that contain one of those words and tell nothing.
_HARMLESS_NAMES = frozenset(
    {"status_code", "exit_code", "error_code", "code_version", "logger_name", "event_name", "method_name"}
)
_TELLING_VALUE = re.compile(
    r"""
      [\w.+-]+@[\w-]+(?:\.[\w-]+)+                    # an e-mail address
    | \+\d[\d\ ()-]{6,}\d                             # a phone number in the international format
    | \beyJ[\w-]+\.[\w-]+\.[\w-]*                     # a JSON web token
    | \bhs[a-z]?_[\w.-]{16,}                          # our own refresh and invitation tokens
    | (?<=://)[^\s/@]+:[^\s/@]+(?=@)                  # a user and password within an address
    | (?i:\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}        # an Authorization header
    """,
    re.VERBOSE,
)

_TELLING_NOBODY = (HomestretchError, AttributeError, ImportError, NameError)
_TRACEBACK = "Traceback (most recent call last):\n"
_CAUSED = "\n\nwhich led to\n\n"

# These say at DEBUG what they send and receive, or too much at INFO.
_QUIET_LIBRARIES = ("pymongo", "asyncio", "urllib3", "opentelemetry", "multipart", "PIL", "matplotlib")


def configure_logging(settings: Settings, *, stream: TextIO | None = None) -> None:
    """Send all logs of the process, those of libraries included, to `stream` (stderr) in one format."""
    output = stream or sys.stderr
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not output.isatty())
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.ExceptionRenderer(_without_texts),
        redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Processor = structlog.processors.JSONRenderer()
    if not as_json:
        renderer = structlog.dev.ConsoleRenderer(
            colors=output.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for library in _QUIET_LIBRARIES:
        logging.getLogger(library).setLevel(max(level, logging.WARNING))


def redact(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """A structlog processor: hides values that by name or look identify somebody or open a door."""
    del logger, method
    return {name: _redacted(name, value) for name, value in event.items()}


@contextmanager
def tracing(settings: Settings, service: str) -> Generator[bool]:
    """Send traces to the configured collector while the context lasts; whether there is one.

    Without an endpoint nothing is recorded and nothing is sent.
    """
    if settings.otlp_endpoint is None:
        yield False
        return
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    exporter = OTLPSpanExporter(endpoint=settings.otlp_endpoint.rstrip("/") + "/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    with contextlib.ExitStack() as stack:
        stack.callback(provider.shutdown)
        yield True


def _without_texts(exc_info: ExcInfo) -> str:
    """Where an exception and its causes were raised, without their texts.

    The text of an unexpected exception may quote what it choked on, a patient's name for instance. Only the
    texts of our own errors, and of mistakes in the code, are known not to.
    """
    parts: list[str] = []
    error: BaseException | None = exc_info[1]
    while error is not None:
        kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
        last = f"{kind}: {error}" if isinstance(error, _TELLING_NOBODY) else kind
        parts.append("".join([_TRACEBACK, *traceback.format_tb(error.__traceback__), last]))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return _CAUSED.join(reversed(parts))


def _redacted(name: str, value: object) -> object:
    # "_record" and "_from_structlog" are structlog's own.
    if name.startswith("_") or value is None or isinstance(value, bool | int | float):
        return value
    if name != "logger" and name not in _HARMLESS_NAMES and _TELLING_NAME.search(name):
        return REDACTED
    if isinstance(value, str):
        return _TELLING_VALUE.sub(REDACTED, value)
    if isinstance(value, Mapping):
        fields = cast("Mapping[object, object]", value)
        return {str(key): _redacted(str(key), item) for key, item in fields.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = cast("list[object]", value)
        return [_redacted("", item) for item in items]
    return _TELLING_VALUE.sub(REDACTED, str(value))
