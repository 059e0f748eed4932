"""The matrix: boundary x fault, with the outcomes HAZARDS.md section 1 allows. Data, built by small helpers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle

from tests.faults import decided, drains
from tests.faults.host_cases import (
    cables,
    deaths,
    disks,
    hosts,
    hung,
    keepers,
    runtimes,
    servers,
    strangers,
    typed,
)
from tests.faults.making import (
    BACK,
    BEFORE,
    DEAD,
    DONE,
    EITHER,
    FORWARD,
    IN_DOUBT,
    INTERRUPTED,
    KINDS,
    PUT_BACK,
    RECORDS,
    case,
    side,
)
from tests.faults.model import Case, Point, Strike


def killed() -> Iterator[Case]:
    """SIGKILL at each record of each step; every second time, and in the cut-over, who resumes has no journal."""
    lost = cycle((False, True))
    for kind in KINDS:
        for point in RECORDS:
            both = kind in ("hold", "commit", "restore") and point in (Point.AFTER_INTENT, Point.BEFORE_OUTCOME)
            for forget in (False, True) if both else (next(lost),):
                strike = Strike("kill", kind, point)
                yield case(side(kind, point, forget=forget), strike, exits=(DEAD,), forget=forget)


def killed_in_effects() -> Iterator[Case]:
    """SIGKILL right before and after commands, between the effects of one step."""
    for kind, host in (
        ("stage", "source"),
        ("stage", "destination"),
        ("hold", "source"),
        ("transfer", "source"),
        ("restore", "destination"),
        ("confirm", "destination"),
        ("retire", "source"),
        ("retire", "destination"),
    ):
        allowed = BACK if kind in BEFORE else FORWARD
        yield case(allowed, Strike("kill", kind, Point.COMMAND_AFTER, host=host), exits=(DEAD,), forget=True)
    # The verdict is on the source, the destination's marker is not written: forward, for the source is committed.
    strike = Strike("kill", "commit", Point.COMMAND_AFTER, host="source")
    yield case(FORWARD, strike, exits=(DEAD,))
    yield case(FORWARD, strike, exits=(DEAD,), forget=True)
    strike = Strike("kill", "commit", Point.COMMAND_BEFORE, host="destination")
    yield case(FORWARD, strike, exits=(DEAD,), forget=True)


def interrupted() -> Iterator[Case]:
    for kind in KINDS:
        allowed = BACK if kind in BEFORE else FORWARD
        yield case(allowed, Strike("interrupt", kind, Point.AFTER_INTENT), exits=(INTERRUPTED,))
    for kind in ("stage", "hold", "transfer", "restore"):
        # The transfer has ended: the commit may be begun before the signal is seen.
        allowed = EITHER if kind == "transfer" else BACK if kind in BEFORE else FORWARD
        yield case(allowed, Strike("terminate", kind, Point.BEFORE_OUTCOME), exits=(INTERRUPTED,))


def outputs() -> Iterator[Case]:
    """Nobody reads what is printed, or the terminal is closed: what happens to the workload is the same."""
    for kind in KINDS:
        yield case(FORWARD, Strike("close_output", kind, Point.AFTER_INTENT), exits=(DONE,))
        allowed = BACK if kind in BEFORE else FORWARD
        yield case(allowed, Strike("hang_up", kind, Point.AFTER_INTENT), exits=(INTERRUPTED,))
    for kind in ("hold", "restore"):
        yield case(FORWARD, Strike("full_output", kind, Point.AFTER_INTENT), exits=(DONE,))
    # Longer than a silent controller's source stays frozen.
    yield case(FORWARD, Strike("block_output", "hold", Point.BEFORE_OUTCOME, argument="20"), exits=(DONE,))
    broken = Strike("break_criu", "restore", Point.AFTER_INTENT, host="destination")
    for kind in ("commit", "hold"):
        strike = Strike("close_output", kind, Point.AFTER_INTENT, undo=True)
        yield case(BACK, broken, strike, name=f"restore fails, {strike}", exits=(PUT_BACK,))
    # The last word to the journal: the move is done, whether or not that can be noted.
    yield case(FORWARD, Strike("fill_journal", "retire", Point.AFTER_OUTCOME), exits=(DONE,), small_journal=True)


def replies() -> Iterator[Case]:
    """One reply lost, or one connection refused: the step is done again, and nobody notices."""
    for kind in KINDS:
        yield case(FORWARD, Strike("lose", kind, Point.COMMAND_AFTER), exits=(DONE,))
    for kind in ("stage", "hold", "transfer", "commit", "restore", "retire"):
        yield case(FORWARD, Strike("refuse", kind, Point.COMMAND_BEFORE), exits=(DONE,))
    for kind in ("hold", "transfer", "restore"):
        strike = Strike("hang", kind, Point.COMMAND_AFTER, argument="3")
        yield case(FORWARD, strike, name=f"{kind} hangs 3 s, then its reply is lost", exits=(DONE,))
    for kind in ("hold", "transfer"):
        strike = Strike("lose", kind, Point.COMMAND_AFTER, times=0)
        yield case(BACK, strike, name=f"{kind}: every reply is lost", exits=(PUT_BACK,))
    for kind in ("commit", "restore"):
        strike = Strike("lose", kind, Point.COMMAND_AFTER, times=0)
        # A restore that is asked for again says that it was done before.
        exits = (IN_DOUBT,) if kind == "commit" else (IN_DOUBT, DONE)
        yield case(EITHER, strike, name=f"{kind}: every reply is lost", exits=exits)


def controllers() -> Iterator[Case]:
    """Two of them; and one that stood still while another took over."""
    for journal, told in (("", "same journal"), ("other.db", "own journal")):
        strike = Strike("apply_too", "hold", Point.COMMAND_AFTER, argument=journal)
        yield case(FORWARD, strike, name=f"two applies at once, {told}", exits=(DONE,))
    for kind, point in (
        ("stage", Point.AFTER_INTENT),
        ("hold", Point.AFTER_INTENT),
        ("hold", Point.BEFORE_OUTCOME),
        ("transfer", Point.BEFORE_OUTCOME),
        ("commit", Point.AFTER_INTENT),
        ("commit", Point.BEFORE_OUTCOME),
        ("restore", Point.AFTER_INTENT),
        ("confirm", Point.BEFORE_OUTCOME),
    ):
        allowed = EITHER if kind in (*BEFORE, "commit") else FORWARD
        yield case(allowed, Strike("stop", kind, point), zombie=True)
    # Nobody comes: the hook resumes by itself.
    for kind in ("hold", "transfer"):
        strike = Strike("kill", kind, Point.BEFORE_OUTCOME)
        name = f"controller killed in {kind}, nobody comes"
        yield case(BACK, strike, name=name, exits=(DEAD,), wait_s=19.0)


def played() -> Iterator[Case]:
    """What was generated from the workload is played where it must not run."""
    generated = (("kube_generate", "source", ""),)
    for kind in ("hold", "commit", "restore"):
        line = "podman kube play /run/generated.yaml"
        strike = Strike("podman", kind, Point.AFTER_OUTCOME, host="source", argument=line)
        name = f"{kind}: `podman kube play` at the source"
        yield case(EITHER, strike, name=name, before=generated, keeps=False)


def undos() -> Iterator[Case]:
    """The way back is struck too: a destination that cannot restore, and a controller that dies undoing."""
    broken = Strike("break_criu", "restore", Point.AFTER_INTENT, host="destination")
    for kind in ("commit", "hold", "stage"):
        for point in RECORDS:
            if point is Point.AFTER_OUTCOME and kind != "stage":
                continue  # is the next one's before-intent
            strike = Strike("kill", kind, point, undo=True)
            forget = point in (Point.AFTER_INTENT, Point.AFTER_OUTCOME)
            # Who knows only that it was committed finds a destination that can restore by now.
            allowed = EITHER if (kind, point) == ("commit", Point.AFTER_INTENT) else BACK
            yield case(allowed, broken, strike, name=f"restore fails, {strike}", exits=(DEAD,), forget=forget)
        strike = Strike("lose", kind, Point.COMMAND_AFTER, undo=True)
        yield case(BACK, broken, strike, name=f"restore fails, {strike}", exits=(PUT_BACK,))
    for kind, host in (("commit", "destination"), ("hold", "source"), ("stage", "destination")):
        strike = Strike("kill_sshd", kind, Point.AFTER_INTENT, undo=True, host=host)
        yield case(BACK, broken, strike, name=f"restore fails, {strike}")


def liars() -> Iterator[Case]:
    """A source in somebody's hands lies: nothing of it reaches the destination or a terminal, and the workload
    stays where it is."""
    for about in ("address", "key", "terminal", "megabytes", "podman"):
        strike = Strike("lie", "stage", Point.BEFORE_INTENT, host="source", argument=about)
        yield case(BACK, strike, name=f"the source lies: {about}", exits=(PUT_BACK, IN_DOUBT))


def restore_back() -> Iterator[Case]:
    """The other cut-over: the source is stopped, its images are the way back."""
    policy = {"cutover": "restore-back"}
    for kind, point, allowed in (
        ("hold", Point.AFTER_INTENT, BACK),
        ("hold", Point.BEFORE_OUTCOME, BACK),
        ("transfer", Point.AFTER_INTENT, BACK),
        ("commit", Point.BEFORE_OUTCOME, FORWARD),
        ("restore", Point.BEFORE_OUTCOME, FORWARD),
        ("retire", Point.AFTER_INTENT, FORWARD),
    ):
        for forget in (False, True):
            strike = Strike("kill", kind, point)
            name = f"restore-back: {strike}"
            yield case(allowed, strike, name=name, exits=(DEAD,), forget=forget, policy=policy)
    broken = Strike("break_criu", "restore", Point.AFTER_INTENT, host="destination")
    yield case(BACK, broken, name="restore-back: CRIU fails to restore", exits=(PUT_BACK,), policy=policy)
    strike = Strike("kill_sshd", "transfer", Point.AFTER_INTENT, host="destination")
    yield case(BACK, strike, name=f"restore-back: {strike}", policy=policy)


def other_shapes() -> Iterator[Case]:
    """Plans that move nothing."""
    for shape, kinds in (
        ("create", ("create", "start", "confirm")),
        ("start", ("start",)),
        ("stop", ("stop",)),
        ("remove", ("stop", "remove")),
        ("recreate", ("set-aside", "create", "start", "remove")),
        ("recreate-elsewhere", ("create-volume", "set-aside", "copy-volume", "start", "remove", "remove-volume")),
    ):
        for kind in kinds:
            for point in (Point.AFTER_INTENT, Point.BEFORE_OUTCOME):
                strike = Strike("kill", kind, point)
                yield case(EITHER, strike, exits=(DEAD,), shape=shape, keeps=False)
            strike = Strike("lose", kind, Point.COMMAND_AFTER)
            if kind != "confirm":
                yield case(FORWARD, strike, exits=(DONE,), shape=shape, keeps=False)


EVERYWHERE = (
    killed,
    killed_in_effects,
    interrupted,
    outputs,
    replies,
    servers,
    cables,
    keepers,
    deaths,
    hosts,
    controllers,
    undos,
    *decided.GROUPS,
)
"""What befalls a move under any runtime with a cut-over. The others use Podman's own commands or files."""


def matrix() -> list[Case]:
    """All cases, each with its own name."""
    others = (disks, runtimes, typed, played, hung, strangers, liars, restore_back, other_shapes, *drains.GROUPS)
    return _named(*EVERYWHERE, *others)


def everywhere(*, pauses: bool = False) -> list[Case]:
    """The cases that need nothing of Podman's. `pauses`: the engine pauses what it dumps, and lets it run as soon
    as CRIU has gone, when connections are still CRIU's: before the commit it goes back then, and they may end."""
    known = _named(*EVERYWHERE)
    if not pauses:
        return known
    struck = [any(s.do == "kill_criu" and s.step != "restore" for s in case.strikes) for case in known]
    loose = [replace(case, allowed=case.allowed | BACK, exits=frozenset(), keeps=False) for case in known]
    return [other if hit else case for case, other, hit in zip(known, loose, struck, strict=True)]


def _named(*groups: Callable[[], Iterator[Case]]) -> list[Case]:
    cases = [case for group in groups for case in group()]
    names = [case.name for case in cases]
    assert len(names) == len(set(names)), [name for name in names if names.count(name) > 1]
    return cases
