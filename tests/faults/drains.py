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
PERSIST = POLICY | {"postcopy": {"persist": True}}


def _case(allowed: frozenset[Outcome], when: str, strike: Strike | Strikes, name: str, **more: object) -> Case:
    waits = Strike("until_left", "drain", Point.AFTER_INTENT, host="destination", argument=SHARES[when])
    strikes = strike if isinstance(strike, tuple) else (strike,)
    strikes = (waits, *strikes) if SHARES[when] else strikes
    settings = {"exits": (), "policy": POLICY} | more
    return case(allowed, *strikes, name=f"draining, {when}: {name}", shape="postcopy", **settings)  # type: ignore[arg-type]


Strikes = tuple[Strike, ...]


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


def persisted() -> Iterator[Case]:
    """What follows is written to the source's disk, which loses power: what was written goes on from there."""
    written, reboot = _strike("until_on_disk", "source"), _strike("reboot", "source")
    for when in SHARES:
        yield _persisted(FORWARD, when, (written, reboot), "source rebooted")
        yield _persisted(FORWARD | LOST, when, (reboot,), "source rebooted, be it written or not", keeps=False)
    for forget in (False, True):
        strikes = (written, reboot, _strike("kill"))
        yield _persisted(
            FORWARD, "in the middle", strikes, "source rebooted, controller killed", exits=(DEAD,), forget=forget
        )
    yield _persisted(FORWARD, "in the middle", (written, reboot, reboot), "source rebooted twice")
    cut = _strike("cut", "source", "3")
    yield _persisted(FORWARD, "in the middle", (written, cut, reboot), "source cut off and rebooted")
    yield _persisted(FORWARD, "in the middle", (written, _strike("power_off", "source")), "source off")
    killed = _strike("kill_serving", "destination", "page-server and keeper")
    yield _persisted(FORWARD, "in the middle", (written, reboot, killed), "source rebooted, page server killed")
    both = (written, reboot, _strike("reboot", "destination"))
    yield _persisted(BACK, "in the middle", both, "both rebooted", keeps=False)
    for when in ("early", "in the middle"):
        writer = _strike("kill_serving", "source", "who writes it to disk")
        yield _persisted(FORWARD, when, (writer,), "who writes it to disk killed", exits=(DONE,))
        yield _persisted(BACK, when, (_strike("reboot", "destination"),), "destination rebooted", keeps=False)


def _persisted(allowed: frozenset[Outcome], when: str, strikes: Strikes, name: str, **more: object) -> Case:
    return _case(allowed, when, strikes, f"persisted, {name}", policy=PERSIST, **more)


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


GROUPS = (hosts, persisted, workloads, links, controllers, serving)
