"""What befalls a move while memory follows from the source (post-copy): early, in its middle and near its end."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.making import (
    BACK,
    DEAD,
    DONE,
    EITHER,
    FORWARD,
    INTERRUPTED,
    LOST,
    PUT_BACK,
    case,
)
from tests.faults.model import Case, Outcome, Point, Strike

SHARES = {"in the middle": "0.5", "early": "", "near its end": "0.15"}
"""How much of the memory is missing at most when it strikes, as a part; empty: as soon as it is drained."""
POLICY = {"strategy": "postcopy"}


def _case(allowed: frozenset[Outcome], when: str, strike: Strike, name: str, **more: object) -> Case:
    waits = Strike("until_left", "drain", Point.AFTER_INTENT, host="destination", argument=SHARES[when])
    strikes = (waits, strike) if SHARES[when] else (strike,)
    exits = more.pop("exits", ())
    return case(
        allowed, *strikes, name=f"draining, {when}: {name}", shape="postcopy", policy=POLICY, exits=exits, **more
    )  # type: ignore[arg-type]


def _strike(do: str, host: str = "", argument: str = "") -> Strike:
    return Strike(do, "drain", Point.AFTER_INTENT, host=host, argument=argument)


def serving() -> Iterator[Case]:
    """Each process that serves or carries memory is killed, or stands still: another one goes on."""
    for when in SHARES:
        for host, whom in (
            ("destination", "page-server"),
            ("destination", "keeper"),
            ("destination", "page-server and keeper"),
            ("destination", "relay"),
            ("source", "connection"),
            ("source", "feed"),
            ("source", "feed's script"),
        ):
            strike = _strike("kill_serving", host, whom)
            yield _case(FORWARD, when, strike, f"{whom} killed", exits=(DONE,))
        strike = _strike("stop_serving", "destination", "3")
        yield _case(FORWARD, when, strike, "page server stands still for 3 s", exits=(DONE,))


def links() -> Iterator[Case]:
    for when in SHARES:
        for seconds in ("1", "10", "60"):
            strike = _strike("cut", "source", seconds)
            yield _case(FORWARD, when, strike, f"cable of the source out for {seconds} s")
    for seconds in ("1", "10"):
        strike = _strike("cut", "destination", seconds)
        yield _case(FORWARD, "in the middle", strike, f"cable of the destination out for {seconds} s")
    for host in ("source", "destination"):
        yield _case(FORWARD, "in the middle", _strike("kill_sshd", host), f"sshd of the {host} killed")


def controllers() -> Iterator[Case]:
    for when in SHARES:
        for forget in (False, True):
            yield _case(FORWARD, when, _strike("kill"), "controller killed", exits=(DEAD,), forget=forget)
    for do, exits in (("interrupt", INTERRUPTED), ("hang_up", INTERRUPTED), ("close_output", DONE)):
        yield _case(FORWARD, "in the middle", _strike(do), do, exits=(exits,))
    yield _case(FORWARD, "early", _strike("stop"), "controller stands still", zombie=True)
    for journal, told in (("", "same journal"), ("other.db", "own journal")):
        strike = _strike("apply_too", argument=journal)
        yield _case(FORWARD, "early", strike, f"a second apply, {told}", exits=(DONE,))


def hosts() -> Iterator[Case]:
    for when in SHARES:
        strike = _strike("reboot", "destination")
        yield _case(BACK, when, strike, "destination rebooted", keeps=False)
    yield _case(BACK, "in the middle", _strike("power_off", "destination"), "destination off", keeps=False)
    for do in ("kill_criu", "kill_hook"):
        for when in ("early", "in the middle"):
            yield _case(FORWARD, when, _strike(do, "source"), f"{do} at the source")
    for when in ("early", "in the middle"):
        strike = _strike("fill_room", "destination")
        yield _case(BACK, when, strike, "no memory left for images", exits=(PUT_BACK,), keeps=False)
    # What only it had is lost; what runs at the destination stands still at it.
    for when in ("early", "in the middle"):
        yield _case(LOST, when, _strike("reboot", "source"), "source rebooted", keeps=False)


TYPED = {
    "stop": "podman stop --time 0 counter",
    "kill": "podman kill counter",
    "rm -f": "podman rm -f -t 0 counter",
    "restart": "podman restart --time 0 counter",
    "container checkpoint": "podman container checkpoint --keep --tcp-established counter",
    "container checkpoint -R": "podman container checkpoint --leave-running --tcp-established counter",
    "exec": "podman exec counter true",
}


def workloads() -> Iterator[Case]:
    """It ends, or somebody does something with it."""
    for when in SHARES:
        strike = _strike("kill_app", "destination")
        yield _case(BACK, when, strike, "application dies", exits=(PUT_BACK,), keeps=False)
    for verb, line in TYPED.items():
        strike = _strike("podman", "destination", line)
        yield _case(EITHER | LOST, "in the middle", strike, f"`podman {verb}` at the destination", keeps=False)
    strike = _strike("podman", "source", "podman start counter")
    yield _case(FORWARD, "in the middle", strike, "`podman start` at the source", exits=(DONE,))
    strike = _strike("podman", "source", "podman rm -f -t 0 counter")
    yield _case(FORWARD, "in the middle", strike, "`podman rm -f` at the source")


GROUPS = (hosts, workloads, links, controllers, serving)
