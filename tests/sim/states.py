"""Every state of two hosts and a journal, as a product of values, and where the named commands lead from there.

A state is what a move of `web` from h1 to h2 may have left: a marker on each host, what is there of the container,
and how far the journal got. Left out is what production cannot reach, by the rules in `unreachable`.
"""

import itertools
import json
import re
from collections import Counter
from dataclasses import dataclass

from reconciler.cli.views.apply import render_resumed
from reconciler.cli.views.status import render_status
from reconciler.commands.compose import Outside
from reconciler.commands.recover import Resume, rows
from reconciler.commands.resolve import decide
from reconciler.core.planner import make_plan
from reconciler.core.saga import next_actions
from reconciler.engine.observe import observe
from reconciler.engine.survey import take_survey
from reconciler.errors import ReconcilerError
from reconciler.guard import dossier, guard
from reconciler.hosts.memory import MemoryContainer, MemoryFleet
from reconciler.hosts.memory.machine import Dump, ImageSet, MarkerRow, MemoryHook
from reconciler.hosts.wrap import RetryFleet
from reconciler.model.record import Mark, Record, Run
from reconciler.state.memory import MemoryStore
from tests.sim.driver import SimDriver
from tests.sim.shapes import scene

EPOCH = 6
"""The move's. What was before has less, going back one more."""
MOST_COMMANDS = 4
ROLES = {
    "running": ("owner",),
    "reserved": ("source", "destination"),
    "held": ("source",),
    "verified": ("source",),
    "committed": ("source", "destination"),
    "retired": ("source",),
    "fenced": ("source", "destination"),
}
"""Who writes each phase. `confirmed` is written by nobody."""


STOPPED = "stopped-elsewhere"
"""The rule that says how a stopped workload comes to where its spec wants it: by its spec."""


@dataclass(frozen=True)
class Marked:
    """A marker: none, torn, or one with phase, role and epoch."""

    phase: str = "none"
    role: str = "owner"
    epoch: int = 0

    def __str__(self) -> str:
        return self.phase if self.phase in ("none", "torn") else f"{self.phase}/{self.role}/{self.epoch}"


MARKS = (
    Marked(),
    Marked("torn"),
    *(Marked(p, r, e) for p, roles in ROLES.items() for r in roles for e in (EPOCH - 1, EPOCH, EPOCH + 1)),
)
CONTAINERS = ("absent", "created", "running", "held", "held-committed", "exited", "exited-images")
"""`held`: frozen by a hook that may still resume by itself; `exited-images`: it can be brought back."""


@dataclass(frozen=True)
class State:
    source: Marked
    destination: Marked
    here: str
    there: str
    journal: tuple[str, ...] | None
    """Marks of the move's steps, in order, empty where there is none. None: no journal, only the dossier."""

    def __str__(self) -> str:
        journal = "no journal" if self.journal is None else ",".join(m or "-" for m in self.journal)
        return f"h1 {self.source} {self.here}; h2 {self.destination} {self.there}; {journal}"


def unreachable(state):
    """Why production cannot be in this state; empty where it can."""
    source, destination, here, there = state.source, state.destination, state.here, state.there
    rules = {
        "the source of the move is not its destination": source.role == "destination"
        or destination.role == "source",
        "only a source is held": there.startswith("held"),
        "only a destination is staged": here == "created",
        "I1: two copies": here == there == "running",
        "a hook's commit comes after the marker of the hold": here == "held-committed"
        and source.phase in ("held", "running", "reserved")
        and source.epoch <= EPOCH,
        "these markers make the hook commit first, or are refused while it holds": here == "held"
        and source.phase in ("committed", "retired", "verified", "fenced", "running", "reserved"),
        "the hold writes its marker first": here.startswith("held") and source.epoch == EPOCH - 1,
        "a dump begins under the marker of the hold": here == "exited-images" and source.phase == "reserved",
        "a restore needs the committed marker, and fencing ends what runs": there == "running"
        and destination.phase in ("reserved", "fenced", "none")
        and destination.epoch >= EPOCH,
        "a source is retired when nothing is left": source.phase == "retired"
        and here in ("running", "held", "held-committed", "exited-images"),
        "the plan was made while the source ran": (source.epoch == EPOCH - 1 and source.phase != "running")
        or (
            destination.epoch == EPOCH - 1 and (destination.phase in ("running", "committed") or there != "absent")
        ),
        "the source's container goes last": here == "absent"
        and source.phase not in ("retired", "torn", "none", "fenced"),
        "a container is staged under a marker": destination.phase == "none" and there != "absent",
        "it is restored before it is the owner": destination.phase == "running" and there == "created",
        "a container is staged before it is committed": destination.phase in ("committed", "running")
        and there == "absent",
    }
    return next((why for why, holds in rules.items() if holds), "")


def journals(plan):
    """All that a journal can say of the move's steps, by walking the saga with every outcome."""
    names = [step.id for step in plan.groups["web"]]
    found: set[tuple[str, ...]] = set()
    todo: list[dict[str, Mark]] = [{}]
    while todo:
        marks = todo.pop()
        key = tuple(marks.get(name, "") for name in names)
        if key in found:
            continue
        found.add(key)
        records = [Record(seq=i, step=s, mark=m, at=0.0) for i, (s, m) in enumerate(marks.items())]
        for recovering in (frozenset(), frozenset({"web"})):
            for action in next_actions(plan, records, recovering=recovering).ready:
                now = marks.get(action.step.id)
                after: tuple[Mark, ...]
                if action.undo:
                    after = (Mark.UNDONE, Mark.UNDO_FAILED) if now is Mark.UNDO else (Mark.UNDO,)
                else:
                    after = (Mark.DONE, Mark.FAILED, Mark.LOST) if now is Mark.INTENT else (Mark.INTENT,)
                todo.extend(marks | {action.step.id: mark} for mark in after)
    return sorted(found)


def all_states(plan, with_journals):
    """All states production can be in, and how many others there are, by reason. `with_journals`: those a journal
    tells something about, else those without one."""
    pairs = []
    reasons: Counter[str] = Counter()
    for parts in itertools.product(MARKS, MARKS, CONTAINERS, CONTAINERS):
        if reason := unreachable(State(*parts, None)):
            reasons[reason] += 1
        else:
            pairs.append(parts)
    told = journals(plan) if with_journals else [None]
    return [State(*parts, journal) for parts in pairs for journal in told], reasons


def anonymous(command):
    """A command without the host it names."""
    return re.sub(r"--owner h\d", "--owner HOST", command)


class Course:
    """One state, made in memory, and the commands that are followed from it."""

    def __init__(self, state: State):
        self.state = state
        self.scene = scene("move-states")
        self.universe = self.scene.universe
        self.machines = self.universe.machines
        self.fleet = MemoryFleet(self.universe)
        self.outside = Outside(RetryFleet(self.fleet), drivers={"podman": SimDriver()}, secrets=lambda _: {})
        self.journal = MemoryStore()
        self.commands: list[str] = []
        self.problems: list[str] = []

    async def world(self):
        return await observe(self.fleet, self.outside.drivers, sorted(self.scene.spec.hosts))

    async def make(self):
        """Only the plan is made by the program; the rest is written down."""
        plan = make_plan(self.scene.spec, await self.world())
        for machine in self.machines.values():
            machine.installed.add(guard.guard_path())
            text = json.dumps(
                {"run": "run1", "plan": dossier.part_of(plan, "web").model_dump(mode="json", by_alias=True)}
            )
            machine.files[f"{guard.workload_dir('web')}/dossier"] = text
        s = self.state
        old = self.machines["h1"].containers.pop("web")
        self.lineage = old.lineage
        for machine, marked, what, peer in (
            (self.machines["h1"], s.source, s.here, "h2"),
            (self.machines["h2"], s.destination, s.there, "h1"),
        ):
            self._put(machine, marked, what, peer, old)
        if s.journal is not None:
            self.journal.begin(Run(id="run1", plan=plan, started_at=0.0, actor="sim"))
            for step, mark in zip(plan.groups["web"], s.journal, strict=True):
                if mark:
                    self.journal.append("run1", step.id, Mark(mark), 0.0)
        self.had = self._alive()
        self.files = {m.name for m, c in self.universe.copies("web")}
        self.universe.observers.append(self._watch)
        return plan

    def _put(self, machine, marked, what, peer, old):
        machine.markers.clear()
        if marked.phase == "torn":
            machine.markers["web"] = MarkerRow(broken="torn")
        elif marked.phase != "none":
            run = "-" if marked.epoch < EPOCH else "run1"
            machine.markers["web"] = MarkerRow(marked.epoch, marked.phase, marked.role, run, peer)
        if what == "absent":
            return
        state = {"held": "frozen", "held-committed": "frozen", "exited-images": "exited"}.get(what, what)
        made = MemoryContainer(self.universe.new_id(), "web", "web", old.spec, old.image, state)
        if machine.name == "h1":
            made.id = old.id
        made.lineage = self.lineage
        machine.containers["web"] = made
        if what in ("held", "held-committed", "exited-images"):
            machine.dumps["web"] = ImageSet(Dump("web", self.lineage, "h1"), complete=True, on_disk=False)
        if what.startswith("held"):
            hook = MemoryHook(EPOCH, 1e6, 1e6, "transactional", machine.boot, 0.0, held=0.0, beat=0.0)
            hook.verdict = "commit" if what == "held-committed" else ""
            hook.notify.set()
            machine.hooks["web"] = hook
            machine.spawn(self._frozen(machine, hook), "frozen")

    async def _frozen(self, machine, hook):
        from reconciler.hosts.memory.runtime import after_dump

        hook.status = await after_dump(machine, "web", hook, machine.dumps["web"])
        hook.ended.set()

    def _alive(self):
        """Whether its memory is anywhere."""
        gone_on = self.state.destination.phase == "running"
        there = any(
            c.state == "running" or (c.state == "frozen" and not gone_on) for _, c in self.universe.copies("web")
        )
        images = any(m.dumps.get("web") and not m.dumps["web"].dump.resumed for m in self.machines.values())
        return there or (images and "running" not in (self.state.source.phase, self.state.destination.phase))

    def _watch(self, what, disaster):
        running = [m.name for m, c in self.universe.copies("web") if c.state == "running"]
        if len(running) > 1:
            self.problems.append(f"runs on {' and '.join(running)} after {what}")

    async def follow(self):
        """Run what status names until nothing is left to be named; says what is wrong."""
        for _ in range(MOST_COMMANDS):
            survey = await take_survey(self.outside.fleet, self.outside.drivers, ["h1", "h2"], self.journal)
            found = survey.open.get("web")
            if found is None:
                return await self._settled(survey)
            command = found.verdict.next
            self.commands.append(command)
            self._agree(survey)
            try:
                await self._run(command)
            except ReconcilerError as error:
                self.problems.append(f"`{command}` failed: {error}")
                return self.problems
        self.problems.append(f"no end after {MOST_COMMANDS} commands")
        return self.problems

    def _agree(self, survey):
        """What is unfinished by status is so by plan, and nobody is named who is not there."""
        unfinished = {step.workload for run in self.journal.open_runs() for step in run.plan.steps}
        refused = [
            f for f in make_plan(self.scene.spec, survey.world, unfinished).findings if f.severity == "refuse"
        ]
        if not any("reconcile status" in finding.fix for finding in refused):
            self.problems.append(f"status says `{self.commands[-1]}`, the plan goes ahead: {refused}")
        text = render_status(survey.world, rows(survey), False)
        if "  reachable" in text or "None" in text:
            self.problems.append(f"status says: {text}")

    def _told(self, resumed):
        """Where resume says that it runs, it does; its exit code is what status says now."""
        text = render_resumed(resumed, resumed.ending(), False)
        running = {m.name for m, c in self.universe.copies("web") if c.state == "running"}
        for host in re.findall(r"put back; it runs on (\w+)", text):
            if host not in running:
                self.problems.append(f"resume says it runs on {host}, it runs on {running}")
        if (resumed.exit_code == 0) != (not resumed.left.open):
            self.problems.append(f"resume ends with {resumed.exit_code}, and left is {list(resumed.left.open)}")

    async def _run(self, command):
        words = command.split()
        if words[:2] == ["reconcile", "resume"]:
            before = len(self.problems)
            resumed = await Resume(self.scene.spec, None).on(self.outside, self.journal)
            self._told(resumed)
            if resumed.exit_code and len(self.problems) == before:
                now = resumed.left.open["web"].verdict.next
                texts = [t for r in resumed.runs if r.outcome for e in r.outcome.errors.values() for _, _, t in e]
                self.problems.append(f"resume did not end it ({resumed.exit_code}; next {now}; {texts[-2:]})")
            return
        assert words[:3] == ["reconcile", "resolve", "web"], command
        chosen = words[words.index("--owner") + 1] if "--owner" in words else None
        await decide(self.scene.spec, "web", chosen, "seen", self.outside, self.journal, cold="--cold" in words)

    async def _settled(self, survey):
        plan = make_plan(self.scene.spec, survey.world)
        if plan.errored:
            refused = [f.message for f in plan.findings if f.severity == "refuse" and f.rule != STOPPED]
            self.problems += [f"plan refuses: {text}" for text in refused]
        if self.journal.open_runs():
            self.problems.append("the journal has a run that has not ended")
        copies = self.universe.copies("web")
        running = [m.name for m, c in copies if c.state == "running"]
        if any(c.state == "frozen" for _, c in copies):
            self.problems.append("a copy is frozen in the end")
        if self.had and not self._alive():
            self.problems.append(f"its memory was there and is lost; it runs on {running or 'no host'}")
        if self.files and not copies:
            self.problems.append("its files were there and are lost")
        return self.problems


async def follow(state: State):
    course = Course(state)
    await course.make()
    return await course.follow(), course
