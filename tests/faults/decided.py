"""Cases round the markers: an upgrade in the middle, markers that are torn or gone, and what a person decides."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.model import Case, Outcome, Point, Strike

BACK = frozenset({Outcome.BACK})
FORWARD = frozenset({Outcome.FORWARD})
LOST = frozenset({Outcome.LOST})
DONE, DEAD = 0, -9
BOTH = ("source", "destination")


def upgraded() -> Iterator[Case]:
    """From one moment on the hosts have another release's guard: the controller goes on, or a new one comes."""
    for kind in ("stage", "hold", "transfer", "commit", "restore", "confirm", "retire"):
        here = tuple(Strike("other_release", kind, Point.AFTER_INTENT, host=host) for host in BOTH)
        name = f"another release from {kind} on"
        yield Case(name, here, FORWARD, exits=frozenset({DONE}))
        back = kind in ("stage", "hold", "transfer", "commit")
        killed = Strike("kill", kind, Point.AFTER_INTENT)
        yield Case(
            f"{name}, which takes over",
            (*here, killed),
            BACK if back else FORWARD,
            exits=frozenset({DEAD}),
            forget=True,
        )


def markers() -> Iterator[Case]:
    """A marker is torn or removed, and the controller dies."""
    for kind, host, how, allowed in (
        ("hold", "source", "tear_marker", BACK),
        ("hold", "source", "remove_marker", BACK),
        ("hold", "destination", "tear_marker", BACK),
        ("commit", "source", "tear_marker", BACK | FORWARD),
        ("commit", "destination", "tear_marker", BACK | FORWARD),
        ("restore", "source", "remove_marker", FORWARD),
        ("restore", "destination", "tear_marker", FORWARD),
        ("confirm", "source", "tear_marker", FORWARD),
    ):
        strikes = (Strike(how, kind, Point.AFTER_OUTCOME, host=host), Strike("kill", kind, Point.AFTER_OUTCOME))
        yield Case(f"{how} at the {host} after {kind}", strikes, allowed, exits=frozenset({DEAD}), keeps=False)


def both_reboot() -> Iterator[Case]:
    """Nothing is left of its memory anywhere: it starts anew where its files are."""
    for kind in ("transfer", "commit"):
        strikes = tuple(Strike("reboot", kind, Point.AFTER_OUTCOME, host=host) for host in BOTH)
        yield Case(f"both hosts reboot after {kind}", strikes, LOST, keeps=False)


GROUPS = (upgraded, markers, both_reboot)
