"""What befalls hosts: their servers, cables, disks, runtimes, and people at them."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.making import (
    AFTER,
    BACK,
    BEFORE,
    DEAD,
    DONE,
    EITHER,
    FORWARD,
    IN_DOUBT,
    INTERRUPTED,
    KINDS,
    LOST,
    PUT_BACK,
    case,
)
from tests.faults.model import Case, Outcome, Point, Strike


def servers() -> Iterator[Case]:
    """sshd and its sessions are killed; it stays dead until the run has ended."""
    for kind in KINDS:
        for host in ("source", "destination"):
            if kind == "reserve" and host == "source":
                continue
            strike = Strike("kill_sshd", kind, Point.AFTER_INTENT, host=host)
            allowed = BACK if kind in BEFORE else FORWARD if kind in AFTER else EITHER
            if (kind, host) == ("commit", "destination"):
                yield case(BACK, strike, exits=(PUT_BACK,))  # it is asked before the source decides
            else:
                yield case(allowed, strike)
    strike = Strike("kill_sshd", "transfer", Point.AFTER_OUTCOME, host="destination")
    yield case(BACK, strike, exits=(PUT_BACK,))
    # The source has decided, the destination has not heard of it.
    strike = Strike("kill_sshd", "commit", Point.COMMAND_BEFORE, host="destination")
    yield case(EITHER, strike, exits=(IN_DOUBT,))


def cables() -> Iterator[Case]:
    for kind in ("hold", "transfer", "commit", "restore"):
        for host in ("source", "destination"):
            strike = Strike("cut", kind, Point.AFTER_INTENT, host=host, argument="3")
            yield case(EITHER, strike, name=f"cable of the {host} out for 3 s in {kind}")
    for kind in ("transfer", "restore"):
        for host in ("source", "destination"):
            strike = Strike("cut", kind, Point.AFTER_INTENT, host=host)
            yield case(EITHER, strike, name=f"cable of the {host} out from {kind} on")


def disks() -> Iterator[Case]:
    yield case(BACK, Strike("fill_images", "hold", Point.AFTER_INTENT, host="source"), exits=(PUT_BACK,))
    yield case(BACK, Strike("fill_images", "transfer", Point.AFTER_INTENT, host="destination"), exits=(PUT_BACK,))
    for kind, host, allowed in (
        ("stage", "source", BACK),
        ("hold", "source", BACK),
        ("commit", "source", EITHER),
        ("retire", "source", FORWARD),
        ("stage", "destination", BACK),
        ("commit", "destination", EITHER),
        ("confirm", "destination", EITHER),
    ):
        small = (("small_disk", host, ""),)
        # A destination that ran is ended before the source resumes: its connections end with it.
        keeps = (kind, host) != ("confirm", "destination")
        yield case(allowed, Strike("fill_disk", kind, Point.AFTER_INTENT, host=host), before=small, keeps=keeps)
    for kind in KINDS:
        allowed = BACK if kind in BEFORE else EITHER if kind == "commit" else FORWARD
        code = IN_DOUBT if kind in ("commit", "restore") else PUT_BACK
        yield case(allowed, Strike("fill_journal", kind, Point.BEFORE_OUTCOME), exits=(code,), small_journal=True)
    yield case(BACK, Strike("fill_journal", "reserve", Point.BEFORE_INTENT), exits=(1,), small_journal=True)
    yield case(BACK, Strike("fill_journal", "commit", Point.BEFORE_INTENT), exits=(1,), small_journal=True)


def runtimes() -> Iterator[Case]:
    """CRIU fails, images are damaged on the way, the application dies."""
    broken = Strike("break_criu", "hold", Point.AFTER_INTENT, host="source")
    yield case(BACK, broken, name="CRIU fails to dump", exits=(PUT_BACK,))
    broken = Strike("break_criu", "restore", Point.AFTER_INTENT, host="destination")
    yield case(BACK, broken, name="CRIU fails to restore", exits=(PUT_BACK,))
    for strategy in ("cold", "lazy"):
        # Whether or not the destination is believed, one copy is left; it has answered clients.
        strike = Strike("fail_restored", "restore", Point.AFTER_INTENT, host="destination")
        name = f"{strategy}: podman fails, and the tasks that it restored run"
        yield case(EITHER, strike, name=name, policy={"strategy": strategy}, keeps=False, tells=True)
    # No image is complete yet: the tasks run on. A connection in a blocking read fails at that moment.
    early = Strike("kill_criu_early", "hold", Point.AFTER_INTENT, host="source")
    yield case(BACK, early, exits=(PUT_BACK,), keeps=False)
    hangs = Strike("kill_criu_early", "hold", Point.AFTER_INTENT, host="source", argument="STOP")
    limit = {"freezeLimit": "8s"}
    yield case(BACK, hangs, name="CRIU hangs in the middle of its dump", policy=limit, exits=(PUT_BACK,))
    stands = Strike("stop_pages", "restore", Point.AFTER_INTENT, host="destination", argument="2")
    yield case(EITHER, stands, name="page daemon stands still for 2 s of the restore", keeps=False)
    for wait in ("", "0.1", "0.3"):
        # What the destination has answered until then, its client has from a copy that is ended.
        strike = Strike("kill_pages", "restore", Point.AFTER_INTENT, host="destination", argument=wait)
        yield case(EITHER, strike, name=f"page daemon dies {wait or 0} s into the restore", keeps=False)
    for how in ("truncate", "change"):
        once = (("damage", "destination", f"{how} once"),)
        always = (("damage", "destination", f"{how} always"),)
        strike = Strike("nothing", "transfer", Point.AFTER_INTENT)
        yield case(FORWARD, strike, name=f"images: {how} once on the way", before=once, exits=(DONE,))
        yield case(BACK, strike, name=f"images: {how} always on the way", before=always, exits=(PUT_BACK,))


def keepers() -> Iterator[Case]:
    """Who keeps the source frozen is killed."""
    for do in ("kill_criu", "kill_hook"):
        for kind in ("hold", "transfer"):
            strike = Strike(
                do, kind, Point.AFTER_INTENT if kind == "transfer" else Point.BEFORE_OUTCOME, host="source"
            )
            # A frozen source stays frozen without CRIU, so the move goes on; without its hook it runs again.
            allowed, exits = (FORWARD, (DONE,)) if do == "kill_criu" else (BACK, (PUT_BACK,))
            yield case(allowed, strike, exits=exits)
        # After the commit the frozen copy must die with its keeper; the destination owns the workload.
        yield case(FORWARD, Strike(do, "restore", Point.AFTER_INTENT, host="source"), exits=(DONE,))
    # Going back without CRIU: from the images, which are complete; with the same connections.
    for do, kind in (("interrupt", "transfer"), ("break_criu", "restore"), ("kill_hook", "transfer")):
        first = Strike("kill_criu", "hold", Point.BEFORE_OUTCOME, host="source")
        host = {"interrupt": "", "break_criu": "destination", "kill_hook": "source"}[do]
        second = Strike(do, kind, Point.AFTER_INTENT, host=host)
        exits = (INTERRUPTED,) if do == "interrupt" else (PUT_BACK,)
        yield case(BACK, first, second, exits=exits)
    first = Strike("kill_criu", "transfer", Point.AFTER_INTENT, host="source")
    yield case(BACK, first, Strike("kill", "transfer", Point.AFTER_OUTCOME), exits=(DEAD,), forget=True)


def deaths() -> Iterator[Case]:
    """The application dies."""
    dies = Strike("kill_app", "restore", Point.BEFORE_OUTCOME, host="destination")
    yield case(BACK, dies, name="application dies right after restore", exits=(PUT_BACK,), keeps=False)
    dies = Strike("kill_app", "transfer", Point.AFTER_INTENT, host="source")
    ends = Strike("interrupt", "transfer", Point.AFTER_INTENT)
    name = "application dies while it is held, interrupted"
    yield case(frozenset({Outcome.ENDED}), dies, ends, name=name, exits=(INTERRUPTED,), keeps=False)
    dies = Strike("kill_app", "confirm", Point.AFTER_OUTCOME, host="destination")
    ended = frozenset({Outcome.ENDED})
    yield case(ended, dies, name="application dies after confirm", exits=(DONE,), keeps=False)


def hosts() -> Iterator[Case]:
    """PID 1 of a host is killed, or it is rebooted."""
    for kind in ("stage", "hold", "transfer"):
        for do in ("power_off", "reboot"):
            # A destination that comes back before it holds anything can be staged once more.
            allowed, exits = (EITHER, ()) if (kind, do) == ("stage", "reboot") else (BACK, (PUT_BACK,))
            yield case(allowed, Strike(do, kind, Point.AFTER_INTENT, host="destination"), exits=exits)
    yield case(BACK, Strike("reboot", "commit", Point.BEFORE_INTENT, host="destination"), exits=(PUT_BACK,))
    yield case(BACK, Strike("reboot", "commit", Point.BEFORE_OUTCOME, host="destination"))
    yield case(BACK, Strike("power_off", "restore", Point.AFTER_INTENT, host="destination"), exits=(IN_DOUBT,))
    spoke = Strike("power_cut", "restore", Point.AFTER_OUTCOME, host="destination")
    yield case(BACK, spoke, name="the destination has answered and loses power", keeps=False, tells=True)
    yield case(BACK, Strike("reboot", "restore", Point.BEFORE_OUTCOME, host="destination"), keeps=False)
    yield case(LOST, Strike("reboot", "stage", Point.AFTER_INTENT, host="source"), keeps=False)
    yield case(LOST, Strike("reboot", "hold", Point.AFTER_OUTCOME, host="source"), keeps=False)
    after = case(FORWARD | LOST, Strike("reboot", "transfer", Point.AFTER_OUTCOME, host="source"), keeps=False)
    yield after
    yield case(FORWARD, Strike("reboot", "commit", Point.AFTER_OUTCOME, host="source"))
    yield case(FORWARD, Strike("power_off", "restore", Point.AFTER_INTENT, host="source"))
    yield case(FORWARD, Strike("reboot", "retire", Point.AFTER_INTENT, host="source"))


STARTS = {
    "start": "podman start counter",
    "restart": "podman restart --time 0 counter",
    "container restore": "podman container restore --keep --tcp-established counter",
    "unpause": "podman unpause counter",
    "exec": "podman exec counter true",
    "update": "podman update --restart=always counter",
}
"""What a person may type that starts something, or lets something run. Not `container clone --run`: it makes
another container, without our annotation, as `podman run` does (docs/rules.md)."""


ENDS = {
    "stop": "podman stop --time 0 counter",
    "kill": "podman kill counter",
    "pause": "podman pause counter",
    "rename": "podman rename counter typed",
    "rm -f": "podman rm -f -t 0 counter",
}
"""... and that takes something away from a move, or from a workload that has just gone back."""


def typed() -> Iterator[Case]:
    """A person types Podman's own commands at both hosts in every phase: never two copies, and an end to it."""
    for kind, point in (
        ("stage", Point.AFTER_OUTCOME),
        ("hold", Point.AFTER_OUTCOME),
        ("commit", Point.AFTER_OUTCOME),
        ("restore", Point.AFTER_OUTCOME),
        ("retire", Point.BEFORE_OUTCOME),
    ):
        for host in ("source", "destination"):
            for verb, line in (STARTS | ENDS).items():
                strike = Strike("podman", kind, point, host=host, argument=line)
                name = f"{kind}: `podman {verb}` at the {host}"
                # Podman's own lock keeps it from a source that is held, and the guard from one that was let go.
                if host == "source" and kind in ("commit", "restore", "retire"):
                    yield case(FORWARD, strike, name=name, exits=(DONE,))
                else:
                    yield case(EITHER | LOST, strike, name=name, keeps=False)


def hung() -> Iterator[Case]:
    """Podman answers no more on one host. Frozen no longer than the policy's limit, then back."""
    policy = {"freezeLimit": "12s"}
    for kind, host in (("stage", "destination"), ("hold", "source"), ("restore", "destination")):
        strike = Strike("hang_podman", kind, Point.AFTER_INTENT, host=host)
        name = f"podman hangs at the {host} in {kind}"
        yield case(BACK, strike, name=name, policy=policy, keeps=kind != "hold")


def strangers() -> Iterator[Case]:
    """Somebody else's container has the name where the move goes to, before it is staged and after."""
    for point in (Point.AFTER_INTENT, Point.AFTER_OUTCOME):
        strike = Strike("strange_container", "stage", point, host="destination")
        name = f"a stranger's container at the destination, stage:{point}"
        yield case(BACK, strike, name=name, exits=(PUT_BACK,))
    strike = Strike("strange_volume", "stage", Point.AFTER_INTENT, host="destination", argument="counter-data")
    name = "a stranger's volume at the destination, stage:after-intent"
    yield case(BACK, strike, name=name, shape="move-volume", exits=(PUT_BACK,))
    strike = Strike("stuck_removing", "stage", Point.AFTER_OUTCOME, host="destination")
    yield case(EITHER, strike, name="the staged container is stuck in removing", keeps=False)
