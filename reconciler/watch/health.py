"""Whether a watch is well (it looks at hosts as often as it should, or waits for its turn) and ready (it has
specs)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from reconciler.watch.http import Page, Reply, said
from reconciler.watch.metrics import TYPE, Metrics

if TYPE_CHECKING:
    from reconciler.watch.loop import Watch

LATE: Final = 300.0
"""Seconds beyond its period after which a look is missing: hosts that do not answer take their time."""


def pages(watch: Watch, metrics: Metrics) -> Mapping[str, Page]:
    """By path."""
    return {
        "/healthz": lambda: healthy(watch),
        "/readyz": lambda: ready(watch),
        "/metrics": lambda: Reply(HTTPStatus.OK, metrics.text(watch.leads), TYPE),
    }


def healthy(watch: Watch) -> Reply:
    """Well as long as it moves; specs or hosts that fail are no reason to start it again."""
    silent = watch.silent_for()
    if silent > watch.pace.drift * 1.1 + LATE:
        return said(HTTPStatus.SERVICE_UNAVAILABLE, f"nothing has moved for {silent:.0f} s")
    return said(HTTPStatus.OK, "ok")


def ready(watch: Watch) -> Reply:
    """Ready when it has specs, and leads and has looked, or follows another one."""
    if not watch.has_specs:
        return said(HTTPStatus.SERVICE_UNAVAILABLE, "no specs could be read yet")
    if watch.leads and watch.stand.spec is None:
        return said(HTTPStatus.SERVICE_UNAVAILABLE, "hosts have not been looked at yet")
    return said(HTTPStatus.OK, "leads" if watch.leads else "follows")
