"""Hosts that a watch fences by itself, where their specs allow it: after they have not answered for long, while
more than half of all are seen. From then on they count as declared failed, until they answer again: what they ran
comes back as far as their fencing confirms, at each look, that they are off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.commands.app import Seen
from reconciler.commands.fencing import fence
from reconciler.core.fencing import declared_failed, no_quorum, quorum
from reconciler.core.tending import Pauses
from reconciler.errors import ReconcilerError
from reconciler.model.base import parse_duration
from reconciler.model.command import Seconds
from reconciler.model.fencing import Fencing
from reconciler.model.notes import Notes
from reconciler.model.spec import Spec
from reconciler.watch.told import News
from reconciler.watch.windows import barred
from reconciler.watch.work import UnderWay

if TYPE_CHECKING:
    from reconciler.watch.work import Work

Change = Callable[[dict[str, float]], dict[str, float]]
FENCING = Pauses(first=10.0, longest=300.0, opens=1000)


@dataclass
class _Begun:
    """What ends it early: nothing. Power that is half cut is worse than either."""

    def cancel(self) -> None:
        return None


@dataclass
class Fencer:
    work: Work
    _since: dict[str, Seconds] = field(default_factory=dict)

    def told(self, spec: Spec) -> Spec:
        """The specs, with the hosts that were fenced declared failed."""
        fenced = self.work.watch.notes.read().fenced
        return declared_failed(spec, [name for name in fenced if _automatic(spec, name)])

    def begin(self, spec: Spec, seen: Seen) -> Seconds:
        """Fence what may be; returns when to look again at the latest. `spec`: as `told`."""
        now, unknown = asyncio.get_running_loop().time(), seen.world.unknown()
        watch = self.work.watch
        again = [float("inf")]
        for name in sorted(unknown):
            fencing = _automatic(spec, name)
            if not unknown[name].silent:
                self._since.pop(name, None)
                if fencing is not None:
                    told = f"{name} is not fenced, for it may be well: {unknown[name].reason}"
                    watch.say_once(f"fence {name}", News.TROUBLE, told, host=name)
                continue
            since = self._since.setdefault(name, now)
            if fencing is None or spec.hosts[name].spec.evidence or name in seen.proven or name in self.work.hosts:
                continue
            patience = 0.0 if spec.hosts[name].spec.failed else parse_duration(fencing.after)
            if since + patience > now:
                again.append(since + patience)
            elif found := barred("", (name,), spec, watch.notes.read(), watch.now()):
                watch.say_once(f"fence {name}", News.WAITS, f"{name} is not fenced: {found.why}", host=name)
            elif not quorum(spec, unknown):
                watch.say_once(f"fence {name}", News.TROUBLE, no_quorum(name, spec, unknown), host=name)
            elif tries := self.work.waits(_about(name)):
                again.append(tries.next_at)
            else:
                watch.unsay(f"fence {name}")
                text = f"to fence {name}, which does not answer: {unknown[name].reason}"
                watch.say(News.BEGINS, text, host=name)
                run = UnderWay(_Begun(), frozenset(), frozenset({name}), changes=False)
                self.work.add(run, self._course(name, fencing))
        return min(again)

    def forget(self, spec: Spec, seen: Seen) -> bool:
        """What answers again is no failed host any more; whether there was one. Then this look was made as if it
        were, and nothing may be begun by it."""
        unknown = seen.world.unknown()
        here = {name for name in seen.world.hosts if name not in unknown or not unknown[name].silent}
        self._since = {name: at for name, at in self._since.items() if name not in here}
        gone = {n for n in self.work.watch.notes.read().fenced if n in here or n not in spec.hosts}
        if gone:
            self._note(lambda fenced: {name: at for name, at in fenced.items() if name not in gone})
        return bool(gone)

    async def _course(self, name: str, fencing: Fencing) -> None:
        watch = self.work.watch
        try:
            done = await fence(name, fencing)
            self._note(lambda fenced: {**fenced, name: watch.now()})
            text = f"{name} is off, which {fencing.verify[0]} confirms{f': {done.said}' if done.said else ''}"
            watch.say(News.FENCED, text, host=name)
            self.work.recovered(_about(name))
        except ReconcilerError as error:
            self.work.troubled(_about(name), "", f"{name} could not be fenced", error, FENCING)

    def _note(self, how: Change) -> None:
        def changed(notes: Notes) -> Notes:
            return notes.model_copy(update={"fenced": how(notes.fenced)})

        self.work.watch.notes.change(changed)


def _about(name: str) -> str:
    return f"fencing {name}"


def _automatic(spec: Spec, name: str) -> Fencing | None:
    """How a watch may fence it, if it may."""
    host = spec.hosts.get(name)
    fencing = host.spec.fencing if host else None
    return fencing if fencing and fencing.automatic else None
