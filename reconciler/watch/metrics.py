"""What a watch does, in numbers for Prometheus: the only prometheus_client import. No names of workloads are
labels, for there may be thousands; hosts are."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from reconciler import __version__
from reconciler.commands.app import Applied
from reconciler.core.points import Point
from reconciler.core.tending import Cause, Postponed
from reconciler.model.command import Seconds
from reconciler.model.event import Event, StepEnded
from reconciler.model.spec import Spec
from reconciler.watch.observers import Unmoved
from reconciler.watch.told import News, Told

TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
FROZEN: Final = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0)
STEPS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


class Metrics(Unmoved):
    """A registry of its own, so that several watches of one process do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._build = Gauge("reconciler_build_info", "The release", ["version"], registry=self.registry)
        self._build.labels(__version__).set(1)
        self._leads = self._gauge("reconciler_watch_leading", "1 while this watch leads")
        self._readable = self._gauge("reconciler_specs_readable", "1 when the specs could be read the last time")
        self._changed = self._gauge(
            "reconciler_specs_changed_timestamp_seconds", "When other specs were read last"
        )
        self._workloads = self._gauge("reconciler_workloads", "Workloads of the specs")
        self._drift = self._gauge("reconciler_workloads_drifted", "Workloads that are not as the specs want them")
        self._waits = Gauge(
            "reconciler_workloads_waiting", "Those that are left so for now", ["cause"], registry=self.registry
        )
        self._seen = Gauge("reconciler_host_seen", "1 when a look saw the host", ["host"], registry=self.registry)
        self._unseen = Counter("reconciler_host_failures", "Looks that failed", ["host"], registry=self.registry)
        self._last = self._gauge("reconciler_last_look_timestamp_seconds", "When hosts were looked at last")
        self._looks = Histogram("reconciler_look_seconds", "What a look took", registry=self.registry)
        self._ends = Counter("reconciler_changes", "Changes that ended, by how", ["state"], registry=self.registry)
        self._troubles = Counter("reconciler_troubles", "What went wrong", ["code"], registry=self.registry)
        self._frozen = Histogram(
            "reconciler_move_frozen_seconds",
            "How long moves kept workloads frozen",
            buckets=FROZEN,
            registry=self.registry,
        )
        self._steps = Histogram(
            "reconciler_step_seconds", "What steps took", ["kind"], buckets=STEPS, registry=self.registry
        )
        self._failed = Counter("reconciler_step_failures", "Steps that failed", ["kind"], registry=self.registry)
        self._saved = self._gauge("reconciler_workloads_saved", "Workloads whose specs name a CheckpointPolicy")
        self._late = self._gauge(
            "reconciler_workloads_late", "Those whose newest checkpoint is older than promised, or that have none"
        )
        self._oldest = self._gauge(
            "reconciler_oldest_checkpoint_seconds", "How old the oldest of their newest checkpoints is"
        )
        self._unproven = self._gauge(
            "reconciler_workloads_unrehearsed",
            "Those whose checkpoint did not come up when it was rehearsed, or was not rehearsed as promised",
        )
        self._rehearsed = self._gauge(
            "reconciler_oldest_rehearsal_seconds", "How long ago the least recent of their good rehearsals was"
        )
        for cause in Cause:
            self._waits.labels(cause.value).set(0)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, registry=self.registry)

    def text(self, leads: bool) -> bytes:
        """As Prometheus reads it. `leads`: whether the watch does now, however it came to that."""
        self._leads.set(leads)
        return generate_latest(self.registry)

    def told(self, told: Told) -> None:
        if told.news in (News.SPECS, News.UNREADABLE):
            self._readable.set(told.news is News.SPECS)
            if told.news is News.SPECS:
                self._changed.set(time.time())
        elif told.news is News.ENDED:
            self._ends.labels(told.state).inc()
        if told.news.bad:
            self._troubles.labels(told.code).inc()

    def stepped(self, event: Event) -> None:
        if isinstance(event, StepEnded):
            kind = f"undo {event.step.kind}" if event.undo else event.step.kind.value
            self._steps.labels(kind).observe(event.seconds)
            if event.error:
                self._failed.labels(kind).inc()

    def applied(self, applied: Applied) -> None:
        for seconds in (applied.outcome.frozen if applied.outcome else {}).values():
            if seconds is not None:
                self._frozen.observe(seconds)

    def looked(self, spec: Spec, waits: tuple[Postponed, ...], unknown: tuple[str, ...], seconds: Seconds) -> None:
        self._last.set(time.time())
        self._looks.observe(seconds)
        self._workloads.set(len(spec.workloads))
        for cause in Cause:
            self._waits.labels(cause.value).set(sum(one.cause is cause for one in waits))
        self._seen.clear()
        for host in spec.hosts:
            self._seen.labels(host).set(host not in unknown)
        for host in unknown:
            self._unseen.labels(host).inc()

    def drifted(self, number: int) -> None:
        self._drift.set(number)

    def points(self, points: Mapping[str, Point]) -> None:
        self._saved.set(len(points))
        self._late.set(sum(one.late for one in points.values()))
        self._oldest.set(max((one.age_s for one in points.values() if one.age_s is not None), default=0.0))
        tried = [one.rehearsal for one in points.values() if one.rehearsal]
        self._unproven.set(sum(one.wanting for one in tried))
        self._rehearsed.set(max((one.age_s for one in tried if one.age_s is not None), default=0.0))
