"""Traces of requests, where a collector is configured."""

from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from api import telemetry

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"}


async def greeting(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - an ASGI application
    del receive
    scope["path_template"] = "/v1/greetings/{name}"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello", "more_body": False})


async def answered(*, traced: bool, headers: dict[str, str]) -> httpx.Response:
    layer = telemetry.Telemetry(greeting, traced=traced)

    async def application(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - same
        scope["state"] = {}
        await layer(scope, receive, send)

    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://clinic.example") as client:
        return await client.get("/v1/greetings/zq-marker-zq", headers=headers)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What a collector would get."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry, "_tracer", provider.get_tracer("test"))
    return exporter


async def test_a_request_continues_its_callers_trace_under_the_name_of_its_route(
    spans: InMemorySpanExporter,
) -> None:
    await answered(traced=True, headers=CALLER)
    (span,) = spans.get_finished_spans()
    assert span.name == "GET /v1/greetings/{name}"
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == TRACE_ID
    assert dict(span.attributes or {})["http.response.status_code"] == 200
    assert "zq-marker-zq" not in span.to_json()


async def test_without_a_collector_nothing_is_traced(spans: InMemorySpanExporter) -> None:
    answer = await answered(traced=False, headers=CALLER)
    assert answer.text == "hello"
    assert spans.get_finished_spans() == ()
