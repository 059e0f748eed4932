"""What a new controller needs to finish or undo a hand-over, kept on both hosts beside the marker.

It holds the part of the plan that moves one workload, as JSON: specs, steps, epochs. No secrets: specs only refer
to them. Written before anything else of the hand-over, so that a lost journal loses nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from reconciler.core import answers
from reconciler.errors import HostError
from reconciler.guard import guard
from reconciler.guard.guard import workload_dir
from reconciler.model.command import Command, Fence, Program
from reconciler.model.plan import Phase, Plan

_WRITE = """umask 077
mkdir -p "$1" && cat >"$1/dossier.new" && sync "$1/dossier.new" && mv -f "$1/dossier.new" "$1/dossier" && sync "$1"
"""


def part_of(plan: Plan, workload: str) -> Plan:
    """The part of a plan that concerns one workload."""
    return plan.model_copy(
        update={
            "changes": tuple(c for c in plan.changes if c.workload == workload),
            "steps": tuple(s for s in plan.steps if s.workload == workload),
            "moves": {n: m for n, m in plan.moves.items() if n == workload},
            "captures": {n: c for n, c in plan.captures.items() if n == workload},
            "workloads": {n: w for n, w in plan.workloads.items() if n == workload},
            "policies": {n: p for n, p in plan.policies.items() if n == workload},
            "epochs": {n: e for n, e in plan.epochs.items() if n == workload},
            "findings": (),
            "hosts": {},
            "networks": {},
        }
    )


def without(plan: Plan, workloads: Collection[str]) -> Plan:
    """A plan less some workloads."""
    if not workloads:
        return plan
    return plan.model_copy(update={"steps": tuple(s for s in plan.steps if s.workload not in workloads)})


def joined(one: Plan, other: Plan) -> Plan:
    """Two parts of the same plan as one."""
    return one.model_copy(
        update={
            "changes": (*one.changes, *other.changes),
            "steps": (*one.steps, *(s for s in other.steps if s not in one.steps)),
            "moves": {**one.moves, **other.moves},
            "captures": {**one.captures, **other.captures},
            "workloads": {**one.workloads, **other.workloads},
            "policies": {**one.policies, **other.policies},
            "epochs": {**one.epochs, **other.epochs},
        }
    )


def write(plan: Plan, workload: str, run: str) -> Program[None]:
    """Keep the hand-over's dossier on this host, durably; never over that of one that is under way."""
    phases: list[Phase | str] = [guard.NONE, Phase.RUNNING, Phase.RETIRED, Phase.FENCED]
    shown = yield from guard.show(workload)
    if shown and shown[0].marker and shown[0].marker.epoch < plan.moves[workload].epoch:
        phases.append(shown[0].marker.phase)  # what an earlier one left here
    yield from _write(plan, workload, run, phases)


def keep(plan: Plan, workload: str, run: str) -> Program[None]:
    """Once the host is marked as this run's, nobody else may write there: what another controller, which planned
    under the same epoch, wrote before the mark is replaced."""
    kept = yield from read(workload)
    if kept is None or kept[0] != run:
        yield from _write(plan, workload, run, [Phase.RESERVED])


def _write(plan: Plan, workload: str, run: str, phases: Sequence[Phase | str]) -> Program[None]:
    text = json.dumps({"run": run, "plan": part_of(plan, workload).model_dump(mode="json", by_alias=True)})
    argv = ("/bin/sh", "-c", _WRITE, "sh", workload_dir(workload))
    fence = Fence(workload, plan.moves[workload].epoch)
    yield from guard.run(fence, phases, argv, stdin=text.encode(), words=("dossier",))


def read(workload: str) -> Program[tuple[str, Plan] | None]:
    """Run id and plan of the hand-over this host knows; None when there is none that can be read."""
    kept_at = f"{workload_dir(workload)}/dossier"
    result = yield Command(("cat", kept_at), ok=(0, 1), guard=("dossier", workload))
    try:
        kept = json.loads(result.stdout)
        return answers.word(kept["run"], "a dossier's run"), Plan.model_validate(kept["plan"])
    except (ValueError, KeyError, TypeError, RecursionError, HostError):
        return None
