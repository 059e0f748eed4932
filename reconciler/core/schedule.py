"""Which of the actions that may run are started now: limits per host, frozen workloads first."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.core.saga import Due, Saga


@dataclass(frozen=True)
class Slots:
    """How much may go on at once. `frozen_per_host`: workloads in their frozen window on one host; more than
    one only shares the link, so that each is down for longer. `actions_per_host`: everything else."""

    frozen_per_host: int = 1
    actions_per_host: int = 6


_Queue = tuple[tuple[str, ...], bool]
"""What waits for the same room: the same hosts, and whether it freezes."""


class Schedule:
    """What of a saga is under way, and what waits for room on its hosts.

    What frozen workloads need, and every undo, is always started; but nothing is undone while a step of the same
    workload is still being done. Only what has changed since the last pick is looked at: workloads that the saga
    has judged anew, and queues of hosts on which there is more room."""

    def __init__(self, saga: Saga, limits: Slots) -> None:
        self._saga = saga
        self._limits = limits
        self._under_way: dict[str, list[Due]] = {}
        self._load: Counter[str] = Counter()
        self._held: dict[str, tuple[str, ...]] = {}
        self._holding: Counter[str] = Counter()
        self._queues: dict[_Queue, list[tuple[str, str, Due]]] = {}
        self._by_host: dict[str, set[_Queue]] = {}
        self._waiting: dict[str, frozenset[str]] = {}
        self._roomier: set[str] = set()

    def ended(self, action: Due) -> None:
        """An action that was picked is not under way any more, whatever came of it."""
        workload = action.step.workload
        self._under_way[workload].remove(action)
        for host in _hosts(action):
            self._load[host] -= 1
            self._roomier.add(host)
        self._saga.changed.add(workload)

    def pick(self) -> list[Due]:
        """The actions to start now; they count as under way from here on."""
        urgent: list[Due] = []
        for workload in sorted(self._saga.changed):
            self._note_freeze(workload)
            urgent += self._sort(workload)
        self._saga.changed.clear()
        urgent.sort(key=lambda a: (not a.undo, a.step.id))
        for action in urgent:
            self._start(action)
        return urgent + self._from_queues()

    def _sort(self, workload: str) -> Iterable[Due]:
        """Put what may run of a workload into its queue; what must not wait is returned."""
        busy = self._under_way.get(workload, [])
        under_way = {(a.step.id, a.undo) for a in busy}
        forward = any(not a.undo for a in busy)
        waiting: set[str] = set()
        known = self._waiting.get(workload, frozenset())
        for action in self._saga.ready.get(workload, ()):
            step = action.step
            if (step.id, action.undo) in under_way or (action.undo and forward):
                continue
            if action.undo or workload in self._saga.frozen:
                yield action
                continue
            waiting.add(step.id)
            if step.id not in known:
                queue = (_hosts(action), step.kind.traits.freezes)
                heapq.heappush(self._queues.setdefault(queue, []), (step.id, workload, action))
                for host in queue[0]:
                    self._by_host.setdefault(host, set()).add(queue)
                self._roomier.add(step.host)
        self._waiting[workload] = frozenset(waiting)

    def _from_queues(self) -> list[Due]:
        """What there is room for, in the order of the steps' IDs, whichever queue they are in."""
        chosen: list[Due] = []
        queues = {queue for host in self._roomier for queue in self._by_host.get(host, ())}
        self._roomier.clear()
        heads = [(head, queue) for queue in queues if (head := self._head(queue)) is not None]
        heapq.heapify(heads)
        while heads:
            _, queue = heapq.heappop(heads)
            if not self._has_room(queue):
                continue
            _, workload, action = heapq.heappop(self._queues[queue])
            self._waiting[workload] -= {action.step.id}
            self._start(action)
            chosen.append(action)
            if (head := self._head(queue)) is not None:
                heapq.heappush(heads, (head, queue))
        return chosen

    def _head(self, queue: _Queue) -> str | None:
        """The first step in a queue that still waits; None when it is empty."""
        entries = self._queues[queue]
        while entries and entries[0][0] not in self._waiting[entries[0][1]]:
            heapq.heappop(entries)
        return entries[0][0] if entries else None

    def _has_room(self, queue: _Queue) -> bool:
        hosts, freezes = queue
        if any(self._load[host] >= self._limits.actions_per_host for host in hosts):
            return False
        return not (freezes and any(self._holding[host] >= self._limits.frozen_per_host for host in hosts))

    def _start(self, action: Due) -> None:
        workload, hosts = action.step.workload, _hosts(action)
        self._under_way.setdefault(workload, []).append(action)
        self._load.update(hosts)
        if action.step.kind.traits.freezes and not action.undo:
            self._hold(workload, hosts)

    def _note_freeze(self, workload: str) -> None:
        """A freeze counts from the moment its step is started, not only from its first record."""
        hosts = self._saga.frozen.get(workload, ())
        if hosts or not any(a.step.kind.traits.freezes and not a.undo for a in self._under_way.get(workload, ())):
            self._hold(workload, hosts)

    def _hold(self, workload: str, hosts: tuple[str, ...]) -> None:
        before = self._held.pop(workload, ())
        self._holding.subtract(before)
        self._roomier.update(before)
        if hosts:
            self._held[workload] = hosts
            self._holding.update(hosts)


def _hosts(action: Due) -> tuple[str, ...]:
    step = action.step
    return (step.host, step.peer) if step.peer else (step.host,)
