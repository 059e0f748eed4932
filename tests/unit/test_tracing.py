"""Spans of runs. Real: the OpenTelemetry SDK, with its exporter in memory or a silent collector. Fake: hosts."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from reconciler.cli import main
from reconciler.commands import tracing
from reconciler.model.event import StepEnded, StepStarted, ignore
from tests.cli.memory_fleet import two_hosts, want
from tests.core.test_accuracy import planned


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(tracing, "_provider", lambda: provider)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    yield kept
    provider.shutdown()


def test_a_span_for_each_step_of_a_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exporter: InMemorySpanExporter
) -> None:
    two_hosts(tmp_path, monkeypatch)
    want(tmp_path, web="h1")
    assert main.run(["apply", "--yes"]) == 0
    exporter.clear()
    want(tmp_path, web="h2")
    assert main.run(["apply", "--yes"]) == 0
    *steps, whole = exporter.get_finished_spans()
    assert whole.name == "run" and whole.parent is None and whole.attributes
    assert {"reserve", "stage", "hold", "transfer", "commit", "restore", "retire"} <= {one.name for one in steps}
    for one in steps:
        assert one.parent and one.parent.span_id == whole.context.span_id and one.attributes
        assert one.attributes["reconciler.run"] == whole.attributes["reconciler.run"]
        assert one.attributes["reconciler.workload"] == "web" and one.attributes["host.name"] in ("h1", "h2")
        assert one.status.status_code is StatusCode.UNSET and one.start_time <= one.end_time


def test_one_that_fails_is_undone_or_left(exporter: InMemorySpanExporter) -> None:
    steps = planned().steps
    with tracing.spans("r1", ignore) as told:
        told(StepStarted(steps[0]))
        told(StepEnded(steps[0], False, 1.0, "no room\nsecond line"))
        told(StepStarted(steps[0], undo=True))
        told(StepEnded(steps[0], True, 1.0))
        told(StepStarted(steps[1]))
        told(StepEnded(steps[2], False, 1.0))
    failed, undone, left, whole = exporter.get_finished_spans()
    assert (failed.status.status_code, failed.status.description) == (StatusCode.ERROR, "no room")
    assert undone.name == f"undo {steps[0].kind}" and left.name == steps[1].kind and whole.name == "run"


def test_nobody_is_told_where_nobody_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exporter: InMemorySpanExporter
) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT")
    two_hosts(tmp_path, monkeypatch)
    want(tmp_path, web="h1")
    assert main.run(["apply", "--yes"]) == 0
    assert exporter.get_finished_spans() == ()


@pytest.mark.parametrize("what", ["silent", "absent"])
def test_a_collector_that_does_not_answer_holds_nothing_up(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as collector:
        port = collector.getsockname()[1]
        if what == "absent":
            collector.close()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        tracing._provider.cache_clear()
        seen: list[Any] = []
        began = time.monotonic()
        with tracing.spans("r1", seen.append) as told:
            assert told is not seen.append
        assert time.monotonic() - began < 3 * tracing.AT_THE_END
        tracing._provider.cache_clear()
