"""How migrations of a test end: which events come in which phase. What is not named is as in a good one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.kube.decide import Phase

Events = Mapping[Phase, tuple[str, ...]]

GOOD: Events = {
    Phase.SCHEDULING: ("pod ready",),
    Phase.PREPARING: ("target ready",),
    Phase.READY: ("started",),
    Phase.RUNNING: ("arrived", "completed"),
}


@dataclass(frozen=True)
class Script:
    """Events by phase, each once; an empty tuple: nothing ever comes, the migration stays in that phase."""

    events: Events = field(default_factory=dict)
    abort: str = "aborted"
    """What comes when it is deleted while it runs: "aborted" or "abort refused"."""
    after: tuple[str, ...] = ()
    """What comes once it is final."""
    lingers: bool = False
    """Pods that end are left to whoever watches: their kubelets do not remove them."""

    def of(self, phase: Phase) -> tuple[str, ...]:
        return self.events.get(phase, GOOD.get(phase, ()))


SCRIPTS: Mapping[str, Script] = {
    "succeed": Script(),
    "fail": Script({Phase.RUNNING: ("failed",)}),
    "fail at once": Script({Phase.READY: ("failed",)}),
    "post-copy": Script({Phase.RUNNING: ("post-copy", "arrived", "completed")}, abort="abort refused"),
    "paused": Script({Phase.RUNNING: ("paused", "arrived", "completed")}),
    "abort refused": Script(abort="abort refused"),
    "unschedulable": Script({Phase.SCHEDULING: ("unschedulable",)}),
    "never ready": Script({Phase.SCHEDULING: ()}),
    "on the source": Script({Phase.SCHEDULING: ("pod ready on the source",), Phase.PREPARING: ("pod down",)}),
    "source lives on": Script({Phase.RUNNING: ("arrived", "completed, source lives on")}),
    "memory change": Script({Phase.RUNNING: ("arrived", "memory change pending")}),
    "pod lingers": Script({Phase.RUNNING: ("failed",)}, lingers=True),
    "never observed": Script(after=("never observed",)),
    "vmi ends": Script({Phase.RUNNING: ("vmi ends",)}),
    "vmi gone": Script({Phase.RUNNING: ("vmi gone",)}),
    **{
        f"target pod down in {p}": Script({p: ("pod down",)})
        for p in (Phase.SCHEDULING, Phase.PREPARING, Phase.RUNNING)
    },
    **{
        f"target pod gone in {p}": Script({p: ("pod gone",)})
        for p in (Phase.SCHEDULING, Phase.PREPARING, Phase.RUNNING)
    },
    "state cleared": Script({Phase.RUNNING: ("state cleared",)}),
    "taken over": Script({Phase.RUNNING: ("taken over",)}),
    "quota": Script({Phase.PENDING: ("quota exceeded",)}),
    "backup": Script({Phase.PENDING: ("backup",)}),
}
