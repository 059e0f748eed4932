"""Names that specs give of others, which must be there, and times by cron that must come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from pydantic.alias_generators import to_camel

from reconciler.errors import Diagnostic
from reconciler.load.cron import Timed, never_closes, problem
from reconciler.load.messages import close
from reconciler.load.objects import Entry
from reconciler.model.spec import CheckpointPolicy, CheckpointStore, SyncPolicy, Workload

if TYPE_CHECKING:
    from reconciler.load.rules import SpecFleet

HOSTS_SHOWN: Final = 8
_NAMES_COMPARED: Final = 1000


def missing(
    entry: Entry, code: str, kind: str, name: str, fleet: SpecFleet, *loc: str | int
) -> Iterator[Diagnostic]:
    """What is named and no spec defines."""
    if not fleet.complete or name in fleet.names(kind):
        return
    known = sorted(fleet.names(kind))
    words = {"Host": "host", "CheckpointStore": "store"}.get(kind, "policy")
    hint = close(name, known[:_NAMES_COMPARED])
    if not hint and kind == "Host" and not known:
        hint = "no Host is defined; pass the inventory as another path"
    hint = hint or f"known: {', '.join(known[:HOSTS_SHOWN]) or 'none'}"
    yield entry.diagnostic(code, f"no spec defines the {words} `{name}`", *loc, hint=hint)


def check_sync(entry: Entry, policy: SyncPolicy, fleet: SpecFleet) -> Iterator[Diagnostic]:
    """Of a policy of watches."""
    for number, name in enumerate(policy.spec.hosts or ()):
        yield from missing(entry, "E146", "Host", name, fleet, "spec", "hosts", number)
    wrong = list(_times(entry, policy.spec.windows, "spec", "windows"))
    yield from wrong
    for number, window in enumerate(() if wrong else policy.spec.windows):
        if window.kind == "deny" and never_closes(window):
            message = f"this is denied at all times: it comes again before its {window.duration} are over"
            hint = "a shorter duration; to leave things alone for good: suspend"
            yield entry.diagnostic("W103", message, "spec", "windows", number, "duration", hint=hint)
    if (labels := policy.spec.labels) and fleet.complete and not _any_has(labels, fleet):
        yield entry.diagnostic("W104", "no workload has all of these labels", "spec", "labels")


def _any_has(labels: Mapping[str, str], fleet: SpecFleet) -> bool:
    models = (entry.model for entry in fleet.entries.values())
    return any(labels.items() <= model.metadata.labels.items() for model in models if isinstance(model, Workload))


def _times(entry: Entry, times: Iterable[Timed], *loc: str) -> Iterator[Diagnostic]:
    for number, time in enumerate(times):
        field, why, hint = problem(time)
        if why:
            yield entry.diagnostic("E160", why, *loc, number, to_camel(field), hint=hint)


def check_kept(entry: Entry, model: CheckpointPolicy | CheckpointStore, fleet: SpecFleet) -> Iterator[Diagnostic]:
    """Of what says how checkpoints are kept."""
    if isinstance(model, CheckpointStore):
        at = ("spec", "directory", "host") if model.spec.directory else ("spec", "restic", "on")
        yield from missing(entry, "E146", "Host", model.spec.host, fleet, *at)
        return
    if (store := model.spec.store) is not None:
        yield from missing(entry, "E169", "CheckpointStore", store, fleet, "spec", "store")
    yield from _times(entry, model.spec.at, "spec", "at")
    if (rehearse := model.spec.rehearse) is not None:
        yield from _times(entry, rehearse.at, "spec", "rehearse", "at")
        if rehearse.on is not None:
            yield from missing(entry, "E146", "Host", rehearse.on, fleet, "spec", "rehearse", "on")
