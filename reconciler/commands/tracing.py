"""OpenTelemetry: a span for each run and each of its steps, where the extra `otel` is installed and the
environment says where spans go (OTEL_EXPORTER_OTLP_ENDPOINT, as other programs read it). The only import of it.

Spans decide nothing and hold nothing up: a thread of the SDK's sends them, and what could not be sent within a
moment after the end is lost. They say which workload, host and step, and why one failed; no secret is in those.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Final

from reconciler import __version__
from reconciler.model.command import Seconds
from reconciler.model.event import Event, Reporter, StepEnded, StepStarted

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

WHERE: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
AT_THE_END: Final[Seconds] = 3.0
"""How long the end of a run waits for its spans to be sent."""
log = logging.getLogger("reconciler.commands")


@contextmanager
def spans(run: str, report: Reporter) -> Iterator[Reporter]:
    """A reporter that makes spans too, for the time of a run; the same one where nobody wants spans."""
    provider = _provider() if any(map(os.environ.get, WHERE)) else None
    if provider is None:
        yield report
        return
    made = RunSpans(provider, run)

    def told(event: Event) -> None:
        made.told(event)
        report(event)

    try:
        yield told
    finally:
        made.end()
        sending = threading.Thread(target=_flush, args=(provider,), name="spans", daemon=True)
        sending.start()
        sending.join(AT_THE_END)


class RunSpans:
    """The spans of one run. Never fails: who looks on has no say."""

    def __init__(self, provider: TracerProvider, run: str) -> None:
        self._tracer: Tracer = provider.get_tracer("reconciler", __version__)
        self._run = run
        self._whole: Span = self._tracer.start_span("run", attributes={"reconciler.run": run})
        self._open: dict[tuple[str, bool], Span] = {}

    def told(self, event: Event) -> None:
        """A step began or ended."""
        from opentelemetry.trace import StatusCode, set_span_in_context

        if isinstance(event, StepStarted):
            step = event.step
            attributes = {
                "reconciler.run": self._run,
                "reconciler.workload": step.workload,
                "reconciler.step": step.id,
                "host.name": step.host,
            }
            self._open[step.id, event.undo] = self._tracer.start_span(
                f"undo {step.kind}" if event.undo else step.kind.value,
                set_span_in_context(self._whole),
                attributes=attributes | ({"reconciler.peer": step.peer} if step.peer else {}),
            )
        elif isinstance(event, StepEnded):
            span = self._open.pop((event.step.id, event.undo), None)
            if span is not None:
                if event.error:
                    span.set_status(StatusCode.ERROR, event.error.splitlines()[0])
                span.end()

    def end(self) -> None:
        """The run is over; a step that has not ended by then was left as it is."""
        for span in (*self._open.values(), self._whole):
            with suppress(Exception):
                span.end()


@cache
def _provider() -> TracerProvider | None:
    """None where the extra is not installed."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        log.warning("no spans are sent: %s; install the extra otel", error)
        return None
    named = {"service.name": os.environ.get("OTEL_SERVICE_NAME", "reconcile"), "service.version": __version__}
    provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _flush(provider: TracerProvider) -> None:
    with suppress(Exception):
        provider.force_flush(round(AT_THE_END * 1000))
