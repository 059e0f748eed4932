"""How the runs ended that a run leads to: a workload goes back to its checkpoint, or its old version comes up
beside the new one."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.core.saga import GroupState
from reconciler.errors import ReconcilerError
from reconciler.model.command import Seconds
from reconciler.model.plan import Step


@dataclass(frozen=True)
class Returned:
    """How a workload that was set aside went back to its checkpoint. `state`: how its whole change ended so;
    `ran_at`: when it ran again, in seconds since the epoch; None where it does not."""

    state: GroupState
    became: str
    errors: tuple[tuple[Step, bool, str], ...] = ()
    failures: tuple[ReconcilerError, ...] = ()
    ran_at: Seconds | None = None


@dataclass(frozen=True)
class KeptBeside:
    """The copy of an old version beside the new one. `until`: in seconds since the epoch; `failure`: why it is not
    there, which takes nothing of the update back; `unhealthy`: what its health check said."""

    name: str
    host: str
    checkpoint: str
    until: Seconds = 0.0
    unhealthy: str = ""
    failure: ReconcilerError | None = None
