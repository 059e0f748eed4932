"""How an unfinished hand-over stands, and the one command that ends it: from markers, what is left of the workload
on each host, and the journal. Status, resume, resolve and forget all ask here, so that they agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.core.diff import NOT_HERE, contradiction, old_copies
from reconciler.core.index import Index
from reconciler.model.command import Bytes
from reconciler.model.plan import Move, Phase, StepKind
from reconciler.model.world import Alive, Following, Marker, OnDisk

RESUME = "reconcile resume"
COMMITTED = (Phase.COMMITTED.value, Phase.CONFIRMED.value)


@dataclass(frozen=True)
class Matter:
    """All that is known of a workload whose hand-over may not have ended. `markers` and `left` by host, of hosts
    that answered; `unknown`: hosts of the hand-over that did not. `known`: whether a journal or a host remembers
    the hand-over's plan; then `back` says which way `resume` would go, and `todo` the kinds of steps it would do
    or undo. `unsettled`: hosts whose marker says that the hand-over has not ended."""

    workload: str
    markers: Mapping[str, Marker]
    left: Mapping[str, Alive]
    unknown: frozenset[str] = frozenset()
    move: Move | None = None
    known: bool = False
    back: bool = False
    todo: frozenset[StepKind] = frozenset()
    unsettled: frozenset[str] = frozenset()

    @property
    def running(self) -> list[str]:
        """Hosts that run it. One where it is ending, of two that do, is not its host any more."""
        found = [host for host, alive in self.left.items() if alive.running]
        lasting = [host for host in found if not self.left[host].ending]
        return lasting or found

    @property
    def holders(self) -> list[str]:
        """Hosts that can bring it back with its memory."""
        return [host for host, alive in self.left.items() if alive.restorable]

    @property
    def remains(self) -> list[str]:
        """Hosts with a container: its files at least."""
        return [host for host, alive in self.left.items() if alive.exists]

    @property
    def following(self) -> Following | None:
        """Of memory that follows a restore what is missing."""
        return next((one.following for one in self.left.values() if one.following), None)

    @property
    def on_disk(self) -> OnDisk | None:
        """What of it its source keeps on disk."""
        return next((one.on_disk for one in self.left.values() if one.on_disk), None)

    @property
    def lost(self) -> Bytes:
        """Of memory that is missing, what the source was seen not to have any more."""
        source = self.left.get(self.move.source) if self.move else None
        if source is None or self.following is None or source.running or source.frozen or source.restorable:
            return 0
        return source.on_disk.lost if source.on_disk else self.following.missing

    @property
    def ended(self) -> str:
        """The host that owned it last, where it has ended since: what others hold of it is older."""
        newest = max((marker.epoch for marker in self.markers.values()), default=0)
        for host, marker in self.markers.items():
            alive = self.left.get(host)
            if (marker.phase, marker.epoch) == (Phase.RUNNING, newest) and alive and alive.exists:
                return "" if alive.running or alive.restorable else host
        return ""

    def phase(self, host: str) -> str:
        marker = self.markers.get(host)
        return marker.phase if marker else ""

    def is_source(self, host: str) -> bool:
        """Which side a host is on; without a plan and a marker the side that a copy goes on from is a source."""
        if self.move:
            return host != self.move.destination
        marker = self.markers.get(host)
        return not (marker and marker.role == "destination")

    @property
    def destination(self) -> str:
        if self.move:
            return self.move.destination
        return next((h for h, m in self.markers.items() if m.role == "destination"), "")

    @property
    def committed(self) -> bool:
        """Whether any marker or the journal says that the destination owns it."""
        return any(marker.phase in COMMITTED for marker in self.markers.values())


@dataclass(frozen=True)
class Verdict:
    """`owner`: the host that has it, or empty when nobody may start it: then it is in doubt. `for_resume`: whether
    `resume` may do what it can; else it leaves the workload alone."""

    owner: str
    next: str
    for_resume: bool = False


def in_question(index: Index, unfinished: Iterable[str]) -> set[str]:
    """Workloads that are not simply well: unsettled or broken markers, an open run, or copies that contradict the
    markers."""
    found = set(unfinished) | {name for name in index.markers if index.unsettled(name)}
    found |= {name for name, markers in index.markers.items() if any(m.broken for _, m in markers)}
    return found | {name for name in index.copies if contradiction(name, index) or old_copies(name, index)}


def judge(matter: Matter) -> Verdict:
    """Who has it, and the next command."""
    name = matter.workload
    for host, marker in sorted(matter.markers.items()):
        if marker.newer:
            release = f"the release that wrote the marker on {host}, format {marker.newer}"
            return Verdict("", f"{RESUME}, with a Reconciler as new as {release}")
    if matter.unknown:
        return _with_unknown(matter)
    if not _resume_can(matter):
        chosen, how = best_owner(matter)
        owner = chosen if chosen in matter.running and len(matter.running) == 1 else ""
        return Verdict(owner, f"reconcile resolve {name} {how} --evidence TEXT")
    return Verdict(_owner(matter), RESUME, for_resume=True)


def best_owner(matter: Matter) -> tuple[str, str]:
    """The host that most speaks for, and how `resolve` is told."""
    if matter.running:
        chosen = max(matter.running, key=lambda host: _claim(matter, host))
    elif matter.ended:
        return matter.ended, f"--owner {matter.ended} --cold"
    elif matter.holders:
        chosen = max(matter.holders, key=lambda host: _claim(matter, host))
    elif matter.remains:
        # Files: those of the source, unless the destination has surely run.
        chosen = max(matter.remains, key=lambda host: _claim(matter, host))
        return chosen, f"--owner {chosen} --cold"
    else:
        return "", "--lost"
    return chosen, f"--owner {chosen}"


def _claim(matter: Matter, host: str) -> tuple[int, int, int, str]:
    """How much speaks for a host, of several that have the same: that it is an owner, or the source."""
    marker = matter.markers.get(host)
    owns = marker is not None and marker.phase == Phase.RUNNING
    void = marker is not None and marker.phase in NOT_HERE
    return (int(owns) - int(void), marker.epoch if owns and marker else 0, int(matter.is_source(host)), host)


def _owner(matter: Matter) -> str:
    if len(matter.running) == 1:
        return matter.running[0]
    if matter.committed and matter.destination:
        return matter.destination
    if matter.move:
        return matter.move.source or matter.move.destination
    return next((h for h, m in matter.markers.items() if m.role == "source"), "")


def _with_unknown(matter: Matter) -> Verdict:
    """A host of it does not answer. Whether its copy runs there is not known, unless it has left it for sure."""
    gone = sorted(matter.unknown)
    lost = ", ".join(gone)
    well = [h for h in matter.running if matter.phase(h) == Phase.RUNNING or matter.is_source(h)]
    owner = well[0] if len(well) == 1 and not (matter.committed and matter.is_source(well[0])) else ""
    if not owner and not matter.committed and matter.move and matter.move.source in matter.unknown:
        owner = matter.move.source
    if matter.move and matter.move.comeback and not matter.running:
        owner = matter.move.destination
    forget = f"reconcile forget {gone[0]} --evidence TEXT"
    return Verdict(owner, f"make {lost} reachable, then: {RESUME}; or, where it is gone for good: {forget}", True)


def _resume_can(matter: Matter) -> bool:
    """Whether `resume` ends it. What it does is known; so is what each host would refuse, or no longer has. Where
    something does not fit, a person decides: that always ends it."""
    if not matter.known or any(marker.broken for marker in matter.markers.values()) or len(matter.running) > 1:
        return False
    if matter.move and matter.move.by_runtime:
        return _runtime_can(matter)
    if matter.move and matter.move.comeback:
        return _comes_back(matter, matter.move)
    odd = any(a.frozen or (a.running and matter.phase(h) in NOT_HERE) for h, a in matter.left.items())
    if not matter.todo or matter.move is None:
        return not (matter.unsettled or odd or _has_old_copy(matter))
    if any(marker.epoch > matter.move.epoch + 1 for marker in matter.markers.values()):
        return matter.todo == {StepKind.RETIRE}
    return _can_go_back(matter, matter.move) if matter.back else _can_go_on(matter, matter.move)


def _has_old_copy(matter: Matter) -> bool:
    """Whether a host takes the workload for its own that a newer epoch gave to another: see `diff.old_copies`."""
    has = {host for host, alive in matter.left.items() if alive.exists and matter.phase(host) == Phase.RUNNING}
    return len({matter.markers[host].epoch for host in has}) > 1


def _runtime_can(matter: Matter) -> bool:
    """Whether a resume finds out where a runtime's own move has ended: something is left, and no host that was
    told that it is not its own runs it."""
    misplaced = any(alive.running and matter.phase(host) in NOT_HERE for host, alive in matter.left.items())
    return bool(matter.remains) and not misplaced


def _comes_back(matter: Matter, move: Move) -> bool:
    """Whether a resume ends a restore from a checkpoint: it can always be undone, for the checkpoint stays where
    it is. Not while a copy runs elsewhere, and not where a later hand-over has the workload."""
    elsewhere = [host for host in matter.running if host != move.destination]
    here = matter.markers.get(move.destination)
    misplaced = here is not None and here.phase in NOT_HERE and move.destination in matter.running
    return not (elsewhere or misplaced) and all(m.epoch <= move.epoch + 1 for m in matter.markers.values())


def _can_go_back(matter: Matter, move: Move) -> bool:
    """The source runs or can be brought back, and no host has decided otherwise."""
    source, destination = matter.markers.get(move.source), matter.markers.get(move.destination)
    undoes_commit = StepKind.COMMIT in matter.todo
    here, there = matter.left.get(move.source), matter.left.get(move.destination)
    if here is None or not (here.running or here.restorable):
        return False
    resumes = bool(matter.todo & {StepKind.HOLD, StepKind.STAGE})
    void = source is not None and source.phase in NOT_HERE
    if not resumes and (here.frozen or void or move.source in matter.unsettled):
        return False
    if not resumes and source and source.phase in NOT_HERE:
        return False  # nothing that is left to undo would give it the workload again
    if StepKind.STAGE not in matter.todo and move.destination in matter.unsettled:
        return False
    if source and source.phase in NOT_HERE and source.epoch > move.epoch:
        return False
    if not source and not here.running and not here.frozen:
        return False  # what its images are of cannot be told
    if source and source.phase == Phase.COMMITTED and not undoes_commit:
        return False
    if undoes_commit and source and source.epoch > move.epoch and source.phase not in (Phase.VERIFIED, Phase.HELD):
        return False
    if destination and destination.phase in (*COMMITTED, Phase.RUNNING):
        claimed = source is not None and source.phase == Phase.VERIFIED and source.epoch > move.epoch
        return undoes_commit and (claimed or (source is not None and source.phase == Phase.COMMITTED))
    return not (there and there.running) or undoes_commit


def _can_go_on(matter: Matter, move: Move) -> bool:
    """The destination has it, or can have it, and the source can be let go, or can take it back."""
    source, destination = matter.markers.get(move.source), matter.markers.get(move.destination)
    here, there = matter.left.get(move.source), matter.left.get(move.destination)
    if here and here.running:
        return False
    if there is None or not there.exists or destination is None:
        return False
    if StepKind.COMMIT in matter.todo:
        held = (Phase.HELD, Phase.VERIFIED, Phase.COMMITTED)
        fits = source is not None and source.epoch == destination.epoch == move.epoch and source.phase in held
        ready = destination.phase in (Phase.RESERVED, Phase.COMMITTED)
        ready &= destination.phase == Phase.RESERVED or source is None or source.phase == Phase.COMMITTED
        return fits and ready and bool(here and here.restorable)
    if source is not None and (source.phase, source.epoch) not in (
        (Phase.COMMITTED, move.epoch),
        (Phase.RETIRED, move.epoch),
    ):
        return False
    if matter.todo == {StepKind.RETIRE}:
        return destination.phase == Phase.RUNNING
    if (destination.phase, destination.epoch) not in ((Phase.COMMITTED, move.epoch), (Phase.RUNNING, move.epoch)):
        return False
    if destination.phase == Phase.RUNNING and not there.running:
        return False  # it was the owner and has ended: nothing is restored over that
    return there.running or there.restorable or bool(source and here and here.restorable)
