"""Which of the actions that may run are started now: limits per host, frozen workloads first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reconciler.core.saga import Action
from reconciler.model.plan import StepKind


@dataclass(frozen=True)
class Limits:
    """How much may go on at once. `frozen_per_host`: workloads in their frozen window on one host; more than
    one only shares the link, so that each is down for longer. `actions_per_host`: everything else."""

    frozen_per_host: int = 1
    actions_per_host: int = 6


def pick(
    ready: Sequence[Action],
    running: Iterable[Action],
    frozen: Mapping[str, tuple[str, ...]],
    limits: Limits,
) -> list[Action]:
    """The actions to start now. `frozen` maps the workloads that are in their frozen window to their two hosts;
    what they need, and every undo, is always started; but nothing is undone while a step of the same workload is
    still being done."""
    busy = list(running)
    forward = {a.step.workload for a in busy if not a.undo}
    under_way = {(a.step.id, a.undo) for a in busy}
    load = Counter(host for a in busy for host in _hosts(a))
    holding = Counter(host for hosts in frozen.values() for host in hosts)
    chosen: list[Action] = []
    for action in sorted(ready, key=lambda a: (not a.undo, a.step.workload not in frozen, a.step.id)):
        if (action.step.id, action.undo) in under_way or (action.undo and action.step.workload in forward):
            continue
        hosts = _hosts(action)
        urgent = action.undo or action.step.workload in frozen
        if not urgent and any(load[host] >= limits.actions_per_host for host in hosts):
            continue
        if action.step.kind is StepKind.HOLD and not urgent:
            if any(holding[host] >= limits.frozen_per_host for host in hosts):
                continue
            holding.update(hosts)
        load.update(hosts)
        chosen.append(action)
    return chosen


def _hosts(action: Action) -> tuple[str, ...]:
    step = action.step
    return (step.host, step.peer) if step.peer else (step.host,)
