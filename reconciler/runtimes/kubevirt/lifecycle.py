"""Making, changing, starting, stopping and removing machines. Each is one change of one object; KubeVirt does the
rest, and is waited for."""

from __future__ import annotations

import json
from collections.abc import Mapping

from reconciler.core import answers
from reconciler.errors import CommandFailed
from reconciler.guard import guard
from reconciler.model.cluster_machine import ClusterMachine
from reconciler.model.command import CONFLICT, ApiCall, Fence, Program, Seconds, Verb
from reconciler.model.labels import LABEL_RUN, LABEL_SPEC, LABEL_WORKLOAD, STRATEGY
from reconciler.model.plan import Phase
from reconciler.model.resources import VM
from reconciler.model.spec import Workload
from reconciler.runtimes.kubevirt import applied, looking
from reconciler.runtimes.kubevirt.looking import Guest, Whereabouts
from reconciler.runtimes.kubevirt.objects import Reading

LIVE = (guard.NONE, Phase.RUNNING, Phase.CONFIRMED)
"""Phases of a workload's marker in which it may be started here; `none`: it has no marker."""
SETTLED = (*LIVE, Phase.RETIRED, Phase.FENCED)
"""Phases in which no hand-over needs what is here."""
ALWAYS = "Always"
BEFORE = "io.reconciler.before"
"""What it was made from before it was changed."""
LOOKS = 240
BETWEEN: Seconds = 0.5
"""How often, and after what pause each, KubeVirt is asked whether it is done: for two minutes."""


def create(workload: Workload, fence: Fence, *, oci_runtime: str, secrets: Mapping[str, bytes]) -> Program[str]:
    name = workload.metadata.name
    here = yield from looking.whereabouts()
    found = yield from looking.find(name, here)
    if found is not None:
        if found.labels.get(LABEL_WORKLOAD, name) != name:
            other = found.labels[LABEL_WORKLOAD]
            raise CommandFailed(f"{found.namespace}/{found.name} is workload {other}'s", code="C393")
        if LABEL_SPEC in found.annotations:
            return found.uid
    uid = yield from _apply(workload, fence, here, _strategy(found) if found else applied.HALTED)
    yield from guard.mark(fence, Phase.RUNNING, "owner")
    return uid


def _apply(workload: Workload, fence: Fence, here: Whereabouts, strategy: str) -> Program[str]:
    wanted = applied.machine_of(workload)
    namespace = wanted.namespace or here.namespace
    body = applied.body(workload, namespace, strategy)
    phases = tuple(map(str, SETTLED))
    call = ApiCall(Verb.APPLY, VM, wanted.name, namespace, body, fence=fence, phases=phases)
    try:
        made = yield call
    except CommandFailed as error:
        if error.status != CONFLICT:
            raise
        raise CommandFailed(
            f"others own fields of {namespace}/{wanted.name} that its manifest wants otherwise",
            code="C394",
            where=error.where,
            why=error.why,
            fix="take these fields out of the manifest, or have the other manager give them up",
            exit_code=error.status,
        ) from error
    return Reading.of(made, "a virtual machine").uid


def update(workload: Workload, fence: Fence, run: str) -> Program[None]:
    """By server-side apply, at once and whole. What it was made from is noted first, for the way back."""
    name = workload.metadata.name
    here = yield from looking.whereabouts()
    found = yield from looking.there(name, here)
    made_from = found.vm.annotations.get(LABEL_SPEC, "")
    if found.vm.annotations.get(LABEL_RUN) != run:
        note = {"metadata": {"annotations": {BEFORE: made_from or None, LABEL_RUN: run}}}
        yield from _patch(found.vm, fence, note)
    yield from _apply(workload, fence, here, _strategy(found.vm))


def update_back(workload: str, fence: Fence, run: str) -> Program[None]:
    """To what it was made from before, where this run has changed it. One that was not made by us before keeps
    what it has: what others had in those fields is not known."""
    here = yield from looking.whereabouts()
    vm = yield from looking.find(workload, here)
    if vm is None or vm.annotations.get(LABEL_RUN) != run or not (before := vm.annotations.get(BEFORE)):
        return
    section = ClusterMachine.model_validate(answers.parsed(before, "what it was made from"))
    body = applied.body_of(section, workload, vm.namespace, _strategy(vm))
    phases = tuple(map(str, SETTLED))
    yield ApiCall(Verb.APPLY, VM, vm.name, vm.namespace, body, force=True, fence=fence, phases=phases)


def start(workload: Workload, fence: Fence) -> Program[None]:
    name = workload.metadata.name
    here = yield from looking.whereabouts()
    found = yield from looking.there(name, here)
    if not found.node:
        wanted = found.vm.annotations.get(STRATEGY) or ALWAYS
        if _strategy(found.vm) == applied.HALTED:
            yield from _run(found.vm, fence, wanted, LIVE)
        found = yield from _until(name, here, runs=True)
    if not found.node:
        launched = yield from looking.pods(found)
        unplaced = next((pod.unplaced for pod in launched if pod.unplaced), "")
        status = found.vm.text("status", "printableStatus")
        why = unplaced or (f"KubeVirt says: {status}" if status else "KubeVirt does not say why")
        raise CommandFailed(f"{name} does not run after {LOOKS * BETWEEN:g} s", code="C395", why=why)


def stop(workload: str, fence: Fence) -> Program[None]:
    here = yield from looking.whereabouts()
    found = yield from looking.machine(workload, here)
    if found is None:
        return
    strategy = _strategy(found.vm)
    if strategy != applied.HALTED:
        yield from _run(found.vm, fence, applied.HALTED, SETTLED, kept=strategy)
    if found.instance is not None:
        found = yield from _until(workload, here, runs=False)
        if found.instance is not None:
            why = "its guest does not shut down; KubeVirt ends it after terminationGracePeriodSeconds"
            raise CommandFailed(f"{workload} still runs after {LOOKS * BETWEEN:g} s", code="C395", why=why)


def remove(workload: str, fence: Fence) -> Program[None]:
    """Only what was made from a manifest of ours."""
    here = yield from looking.whereabouts()
    found = yield from looking.find(workload, here)
    if found is None or LABEL_SPEC not in found.annotations:
        return
    phases = tuple(map(str, SETTLED))
    yield ApiCall(Verb.DELETE, VM, found.name, found.namespace, ok=(404,), fence=fence, phases=phases)


def _until(workload: str, here: Whereabouts, *, runs: bool) -> Program[Guest]:
    """As it is when it runs, or is gone; or when that has been waited for long enough."""
    found = yield from looking.there(workload, here)
    for _ in range(LOOKS):
        if (runs and found.node) or (not runs and found.instance is None):
            break
        yield ApiCall(Verb.PAUSE, VM, timeout=BETWEEN)
        found = yield from looking.there(workload, here)
    return found


def _run(
    vm: Reading, fence: Fence, strategy: str, phases: tuple[Phase | str, ...], kept: str | None = None
) -> Program[None]:
    patch = {
        "metadata": {"annotations": {STRATEGY: kept}},
        "spec": {"runStrategy": strategy, "running": None},
    }
    yield from _patch(vm, fence, patch, phases)


def _patch(
    vm: Reading, fence: Fence, patch: Mapping[str, object], phases: tuple[Phase | str, ...] = SETTLED
) -> Program[None]:
    words = tuple(map(str, phases))
    yield ApiCall(Verb.PATCH, VM, vm.name, vm.namespace, json.dumps(patch), fence=fence, phases=words)


def _strategy(vm: Reading) -> str:
    """How KubeVirt keeps it running; older objects only say whether."""
    told = vm.word("spec", "runStrategy")
    return told or (ALWAYS if vm.flag("spec", "running") else applied.HALTED)
