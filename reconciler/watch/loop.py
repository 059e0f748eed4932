"""The loop of `reconcile watch`. Level-triggered: each pass looks at all hosts and compares them with the specs as
they are now; what has happened since the last one only makes the next one come sooner.

Nothing is begun that a plan, `apply` or `resume` would not do: they do it. Specs that cannot be read, or are gone,
change nothing: the last ones that could be read hold. Only what fails is waited for; the rest goes on.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler.commands.app import Applied, Seen, look, unfinished
from reconciler.commands.compose import open_store
from reconciler.core.index import Index
from reconciler.core.sharing import shared
from reconciler.core.standing import in_question
from reconciler.core.tending import Cause, Chosen, Postponed
from reconciler.errors import InputError, Locked, ReconcilerError
from reconciler.hosts.base import Fleet
from reconciler.model.command import Seconds
from reconciler.model.event import Event, Reporter, Untidied, ignore
from reconciler.model.spec import Spec
from reconciler.state.identity import owner
from reconciler.state.notebook import Notebook
from reconciler.watch.fencing import Fencer
from reconciler.watch.leading import leading
from reconciler.watch.observers import Onlooker
from reconciler.watch.rehearsing import Rehearser
from reconciler.watch.saving import Saver
from reconciler.watch.source import SpecSource
from reconciler.watch.tidying import Tidier
from reconciler.watch.told import Listener, News, Told, note
from reconciler.watch.windows import strange
from reconciler.watch.work import LOOK, LOOKING, Work

NOTES_EVERY: Seconds = 2.0
"""How often the file of notes is looked at."""


@dataclass(frozen=True)
class Pace:
    """`drift`: how often hosts are looked at when nothing is known to have changed; `follow`: how often one that
    does not lead asks whether it may."""

    drift: Seconds = 60.0
    follow: Seconds = 15.0


@dataclass(frozen=True)
class Stand:
    """How things stood after a pass. `converged`: everything is as the specs want it."""

    spec: Spec | None = None
    converged: bool = False
    waits: tuple[Postponed, ...] = ()
    unknown: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Hosts that were not seen, with code and reason."""
    unseen: bool = False
    """None was."""
    trouble: ReconcilerError | None = None
    seen: Seen | None = None
    """The look itself."""
    at: float = 0.0
    """When it was, in seconds since the epoch."""


@dataclass
class Watch:
    """`now` is a clock on the wall; everything else goes by the event loop's, which never jumps."""

    source: SpecSource
    journal: Path | None
    notes: Notebook
    pace: Pace = field(default_factory=Pace)
    tell: Listener = lambda told: None
    report: Reporter = ignore
    me: str = field(default_factory=owner)
    now: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random
    stand: Stand = field(default_factory=Stand)
    leads: bool = False
    once: bool = False
    onlookers: list[Onlooker] = field(default_factory=list)
    _moved: Seconds | None = None
    _spec: Spec | None = None
    _unreadable: ReconcilerError | None = None
    _stir: asyncio.Event = field(default_factory=asyncio.Event)
    _stopping: bool = False
    broken: BaseException | None = None
    _lost: Locked | None = None
    _said: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.work = Work(self)
        self.saving = Saver(self.work)
        self.fencing = Fencer(self.work)
        self.rehearsing = Rehearser(self.work)
        self.tidying = Tidier(self.work)

    # --- from outside ---

    async def __call__(self) -> Stand:
        """Until told to stop; with `once`, until there is nothing more to begin."""
        courses = (self._passes(), self._reads(), self._notes_change())
        jobs = {asyncio.create_task(course) for course in courses}
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            for job in done:
                job.result()
            return self.stand
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            self.source.close()

    def stop(self) -> None:
        """Ctrl-C or SIGTERM: nothing more is begun; what is under way is put back or finished, as `apply` does."""
        if not self._stopping:
            self._stopping = True
            self.say(News.STOPS, "nothing more is begun; what is under way is put back, or finished")
            self.work.cancel()
            self.stir()

    def stir(self) -> None:
        """Look as soon as possible."""
        self._stir.set()

    async def reload(self) -> None:
        """SIGHUP: read the specs again now, whatever is known of them, and look; what failed is tried again."""
        self.work.forgive()
        self.source.forget()
        await self._read()
        self.stir()

    def say(self, news: News, text: str, **about: str) -> None:
        told = Told(news, text, **about)
        note(told)
        for listener in (self.tell, *(one.told for one in self.onlookers)):
            with suppress(Exception):  # who listens has no say in what happens
                listener(told)

    def stepped(self, event: Event) -> None:
        """A step of something under way."""
        for listener in (self.report, *(one.stepped for one in self.onlookers)):
            with suppress(Exception):
                listener(event)

    def applied(self, applied: Applied) -> None:
        for one in self.onlookers:
            with suppress(Exception):
                one.applied(applied)

    def silent_for(self) -> Seconds:
        """Since it looked at hosts last, or asked whether it may, or had something under way. Specs that cannot be
        read yet are waited for."""
        now = asyncio.get_running_loop().time()
        return 0.0 if self.work.busy or self._moved is None else now - self._moved

    @property
    def has_specs(self) -> bool:
        return self._spec is not None

    def say_once(self, about: str, news: News, text: str, **more: str) -> None:
        """Tell what holds for long only when it begins, or is another thing."""
        if self._said.get(about) != text:
            self._said[about] = text
            self.say(news, text, **more)

    def unsay(self, about: str) -> None:
        self._said.pop(about, None)

    # --- specs ---

    async def _reads(self) -> None:
        while True:
            await self._read()
            await self.source.changed()

    async def _read(self) -> None:
        try:
            spec = await self.source.read()
        except ReconcilerError as error:
            self._unreadable = error
            left = "the last ones that could be read hold" if self._spec else "nothing is done"
            found = error.diagnostics[0] if isinstance(error, InputError) and error.diagnostics else None
            first = f": {found.file}:{found.line} {found.message}" if found else ""
            self.say_once("specs", News.UNREADABLE, f"{error}{first}; {left}", code=error.code)
            self.stir()
            return
        was_unreadable, self._unreadable = self._unreadable is not None, None
        self.unsay("specs")
        if spec is not None or was_unreadable:
            self._spec = shared(self._spec, spec) if self._spec and spec else spec or self._spec
            if self._spec is not None:
                commit = self._spec.commit or ""
                at = f" at {commit[:7]}" if commit else ""
                at += " and uncommitted changes" if commit and self._spec.dirty else ""
                number = len(self._spec.workloads)
                self.say(News.SPECS, f"{number} workload{'s' * (number != 1)}{at}", commit=commit)
            self.stir()

    async def _notes_change(self) -> None:
        """Look as soon as somebody has told something to all watches."""
        seen = self.notes.stamp()
        while True:
            await asyncio.sleep(NOTES_EVERY)
            if (stamp := self.notes.stamp()) != seen:
                seen = stamp
                self.stir()

    # --- passes ---

    async def _passes(self) -> None:
        while not self._stopping:
            if self._spec is None:
                if self.once and self._unreadable is not None:
                    raise self._unreadable
                await self._rest(None)
                continue
            await self._leading(self._spec)
        await self.work.over()

    async def _leading(self, spec: Spec) -> None:
        """Lead on these hosts until there are others, or another watch leads."""
        self._lost, loop = None, asyncio.get_running_loop()
        self._moved = loop.time()
        try:
            async with leading(spec, self.journal, self.me, self._lose, self._warn) as fleet:
                self.leads = True
                self.say_once("leads", News.LEADS, f"this watch leads, on {len(spec.hosts)} hosts")
                await self._lead(fleet, spec)
        except Locked as error:
            if self.once:
                raise
            self.say_once("leads", News.FOLLOWS, f"another watch leads: {error}", code=error.code)
            await self._rest(loop.time() + self.pace.follow * (0.75 + self.chance() / 2))
        except ReconcilerError as error:
            if self.once:
                raise
            await self._rest(self._trouble(error))
        finally:
            self.leads = False

    def _lose(self, error: Locked) -> None:
        self._lost = error
        self.work.cancel()
        self.stir()

    def _warn(self, left: Untidied) -> None:
        self.say(News.TROUBLE, left.text, code=left.code, host=left.host)

    def _trouble(self, error: ReconcilerError) -> Seconds:
        """What kept a pass from being made; returns when the next one may be."""
        self.say_once("trouble", News.TROUBLE, str(error), code=error.code)
        self.stand = replace(self.stand, spec=self._spec, converged=False, trouble=error)
        return self.work.failed(LOOK, str(error), LOOKING).next_at

    async def _lead(self, fleet: Fleet, led: Spec) -> None:
        while not self._stopping and self._lost is None:
            spec = self._spec
            assert spec is not None
            if self.broken is not None:
                raise self.broken
            if spec.hosts != led.hosts:
                break
            self._stir.clear()
            loop = asyncio.get_running_loop()
            self._moved = loop.time()
            try:
                again = await self._pass(fleet, spec)
            except ReconcilerError as error:
                if self.once and not self.work.busy:
                    raise
                again = self._trouble(error)
            else:
                self.work.succeeded(LOOK)
                self.unsay("trouble")
            if self.once and not self.work.busy and not self._stir.is_set():
                self._stopping = True
                break
            drift = loop.time() + self.pace.drift * (0.9 + self.chance() / 5)
            await self._rest(min(again, drift))
        await self.work.over()
        if self._lost is not None:
            raise self._lost

    async def _pass(self, fleet: Fleet, spec: Spec) -> Seconds:
        """Look, and begin what may be begun; returns when to look again at the latest."""
        spec = self.fencing.told(spec)
        with open_store(self.journal, write=False) as journal:
            seen = await look(spec, fleet, journal, self.stand.seen.world if self.stand.seen else None)
            asked = in_question(Index.of(seen.world), unfinished(journal)) - self.work.workloads
        if self._stopping or self._lost is not None:
            return 0.0
        for name in seen.world.hosts:
            self._host(name, seen)
        self._strange(spec)
        if self.fencing.forget(spec, seen):
            self.stir()
            return 0.0
        fences = self.fencing.begin(spec, seen)
        if asked and not self.work.busy and await self.work.mend(spec, frozenset(asked)):
            self.stir()
            return 0.0
        choice = self.work.choose(spec, seen, frozenset(asked))
        self._stands(spec, seen, choice)
        if choice.begin:
            self.work.begin(spec, seen, choice.begin)
        saves = self.saving.begin(spec, seen, frozenset(asked))
        tries = self.rehearsing.begin(spec, seen, frozenset(asked))
        tidies = self.tidying.begin(spec, seen)
        begun = (fences, saves, tries, tidies)
        return min((*begun, *(one.until for one in choice.waits.values() if one.until is not None)))

    def _host(self, name: str, seen: Seen) -> None:
        if unknown := seen.world.unknown().get(name):
            text = f"{name} is unknown: {unknown.reason}; nothing is concluded from that"
            self.say_once(f"host {name}", News.TROUBLE, text, code=unknown.code, host=name)
        else:
            self.unsay(f"host {name}")

    def _strange(self, spec: Spec) -> None:
        """Somebody may think that it is left alone."""
        found = strange(spec, self.notes.read(), self.now())
        if found:
            self.say_once("strange", News.TROUBLE, f"the specs have no {', '.join(found)}, of which tend was told")
        else:
            self.unsay("strange")

    def _stands(self, spec: Spec, seen: Seen, choice: Chosen) -> None:
        waits = tuple(choice.waits[name] for name in sorted(choice.waits))
        late = any(one.wanting for one in seen.points.values())
        well = not (waits or choice.begin or self.work.changing or seen.plan.steps or seen.world.unknown() or late)
        unknown = {name: (host.code, host.reason) for name, host in seen.world.unknown().items()}
        blind = seen.world.blind
        self.stand = Stand(spec, well, waits, unknown, blind, self._unreadable, seen, self.now())
        seconds = asyncio.get_running_loop().time() - (self._moved or 0.0)
        for one in self.onlookers:
            with suppress(Exception):
                one.looked(spec, waits, tuple(unknown), seconds)
            with suppress(Exception):
                one.drifted(len(waits) + len(choice.begin))
            with suppress(Exception):
                one.points(seen.points)
        if well:
            number = len(spec.workloads)
            all_of_them = f"all {number} workloads are" if number != 1 else "the only workload is"
            self.say_once(
                "stand", News.CONVERGED, f"{all_of_them} as the specs want {'them' if number != 1 else 'it'}"
            )
        else:
            self.unsay("stand")
        for postponed in waits:
            if postponed.cause not in (Cause.UNDER_WAY, Cause.HOSTS):
                name = postponed.workload
                self.say_once(f"workload {name}", News.WAITS, postponed.why, workload=name)
        for about in [about for about in self._said if about.startswith("workload ")]:
            if about.removeprefix("workload ") not in choice.waits:
                self.unsay(about)

    async def _rest(self, until: Seconds | None) -> None:
        """Until something stirs, or it is time."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until if until != float("inf") else None):
                await self._stir.wait()
        self._stir.clear()
