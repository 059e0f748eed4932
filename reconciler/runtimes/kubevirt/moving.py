"""Moves that KubeVirt makes: one migration object, which says where to, whose it is and under which epoch, so that
a controller that knows nothing else goes on from the cluster's state alone.

`Succeeded` is not believed alone. Users have met machines whose source went on beside the destination; so a move
has ended when KubeVirt says so, names the wanted node, and exactly one pod runs the machine, there."""

from __future__ import annotations

import json

from reconciler.errors import CommandFailed
from reconciler.model.command import CONFLICT, ApiCall, Fence, Program, Seconds, Verb
from reconciler.model.labels import LABEL_EPOCH, LABEL_RUN, LABEL_WORKLOAD
from reconciler.model.place import node_of
from reconciler.model.plan import Phase
from reconciler.model.resources import MIGRATION, NODE
from reconciler.runtimes.base import Handover, Underway
from reconciler.runtimes.kubevirt import looking
from reconciler.runtimes.kubevirt.looking import Guest
from reconciler.runtimes.kubevirt.objects import FINAL, HOSTNAME, Pod, Reading, readings

UNPLACED: Seconds = 3.0
"""A pod that no node takes for longer than this will not be taken soon: it has only one node to go to."""
BETWEEN: Seconds = 0.5
"""Between two looks for a migration that has yet to become final."""
WAITS = "Pending, without a pod, as when KubeVirt has as many migrations under way as it allows"
"""KubeVirt itself says nothing of its limits."""
UNSCHEDULABLE = "kubevirt.io/migrationUnschedulablePodTimeoutSeconds"
GIVES_UP: Seconds = 60.0
"""After this KubeVirt itself gives up a pod that no node takes, should nobody be there any more to do so."""
BEFORE_PODS_MATTER = ("PreparingTarget", "TargetReady", "Running")


def name_of(handover: Handover) -> str:
    """The same for whoever carries out this move, and for no other move."""
    return f"reconciler-{handover.name}-{handover.move.epoch}"


def begin(handover: Handover) -> Program[None]:
    here = yield from looking.whereabouts()
    found = yield from looking.there(handover.name, here)
    node = node_of(handover.move.destination)
    told = yield ApiCall(Verb.GET, NODE, node)
    hostname = Reading.of(told, "a node").labels.get(HOSTNAME) or node
    body = {
        "apiVersion": MIGRATION.api_version,
        "kind": MIGRATION.kind,
        "metadata": {
            "name": name_of(handover),
            "namespace": found.namespace,
            "labels": {
                LABEL_WORKLOAD: handover.name,
                LABEL_EPOCH: str(handover.move.epoch),
                LABEL_RUN: handover.run,
            },
            "annotations": {UNSCHEDULABLE: f"{GIVES_UP:.0f}"},
        },
        "spec": {"vmiName": found.name, "addedNodeSelector": {HOSTNAME: hostname}},
    }
    call = ApiCall(
        Verb.CREATE,
        MIGRATION,
        name_of(handover),
        found.namespace,
        body=json.dumps(body),
        ok=(CONFLICT,),
        fence=handover.fence,
        phases=(Phase.RESERVED,),
    )
    try:
        yield call
    except CommandFailed as error:
        # Where the answer to the first try was lost, the one that KubeVirt says is under way is this one.
        ours = yield ApiCall(Verb.GET, MIGRATION, name_of(handover), found.namespace, ok=(404,))
        if ours.status >= 400:
            raise _not_begun(error, found) from error


def _not_begun(error: CommandFailed, found: Guest) -> CommandFailed:
    why, fix = error.why, "see why, then: reconcile apply"
    if "addedNodeSelector" in why and "unknown field" in why:
        fix = "upgrade KubeVirt to 1.5 or newer: an older one cannot be told which node"
    elif "in-flight migration" in why:
        fix = f"another migration of it is under way: kubectl get vmim -n {found.namespace}; it is left alone"
    what = f"KubeVirt takes no migration of {found.namespace}/{found.name}"
    return CommandFailed(what, code="C392", where=error.where, why=why, fix=fix, exit_code=error.status)


def progress(handover: Handover) -> Program[Underway]:
    here = yield from looking.whereabouts()
    found = yield from looking.machine(handover.name, here)
    if found is None:
        return Underway(False, why="its VirtualMachine is gone")
    told = yield ApiCall(Verb.GET, MIGRATION, name_of(handover), found.namespace, ok=(404,))
    migration = Reading.of(told, "a migration") if told.status < 400 else None
    phase = migration.phase if migration else ""
    launched = [] if phase in BEFORE_PODS_MATTER else (yield from looking.pods(found))
    return standing(
        migration, found, launched, node_of(handover.move.source), node_of(handover.move.destination), here.now
    )


def standing(
    migration: Reading | None, found: Guest, launched: list[Pod], source: str, target: str, now: Seconds
) -> Underway:
    """How a move stands, by the cluster's state alone. `why`: of one that has failed, or goes nowhere."""
    state = found.instance.part("status", "migrationState") if found.instance else {}
    if migration is None:
        ours = Reading(state)
        if found.node == target:
            return _arrived(found, launched, target, ours.time("endTimestamp"), now)
        why = ours.text("failureReason") if ours.flag("failed") else ""
        return Underway(False, why=why or "there is no migration of it any more")
    phase = migration.phase
    told = Reading(state if state.get("migrationUid") == migration.uid else {})
    if phase not in FINAL:
        if found.instance is None:
            return Underway(
                False, why="it does not run any more, and KubeVirt ends no migration of it", phase=phase
            )
        astray = _going_nowhere(migration, told, launched, source, target, now)
        if not migration.deleting and (why := astray):
            return Underway(False, why=why, phase=phase)
        waits = phase in ("", "Pending") and not any(pod.job == migration.uid for pod in launched)
        return Underway(True, phase=WAITS if waits else phase or "Pending")
    ended = _ended(migration, now)
    if phase == "Succeeded":
        return _arrived(found, launched, target, ended, now)
    left = [pod for pod in launched if pod.job == migration.uid]
    if left and now - ended < looking.SETTLES:
        return Underway(True, phase="Failed, its pod is ending")
    return Underway(False, why=_failure(migration, told), phase=phase)


def _going_nowhere(
    migration: Reading, told: Reading, launched: list[Pod], source: str, target: str, now: Seconds
) -> str:
    """Why it will not end well, known long before KubeVirt gives it up. `told`: what its instance says of it."""
    chosen = told.text("targetNode")
    if chosen and chosen != target:
        return _astray(chosen, source, target)
    for pod in launched:
        if pod.job != migration.uid:
            continue
        if pod.unplaced and not pod.node and now - pod.since > UNPLACED:
            return f"no pod of it can be placed on {target}: {pod.unplaced}"
        if pod.node and pod.node != target:
            return _astray(pod.node, source, target)
    return ""


def _astray(chosen: str, source: str, target: str) -> str:
    same = " where it runs already" if chosen == source else ""
    return f"its new pod was placed on {chosen}{same}, not on {target}"


def _arrived(found: Guest, launched: list[Pod], target: str, ended: Seconds, now: Seconds) -> Underway:
    """KubeVirt says that it is over: whether that is so."""
    places = sorted(pod.node for pod in launched if pod.runs)
    if found.node == target and places == [target]:
        return Underway(False, phase="Succeeded")
    others = [pod for pod in launched if pod.runs and pod.node != target]
    if now < max((looking.time_to_end(pod, ended) for pod in others), default=ended + looking.SETTLES):
        return Underway(True, phase="Succeeded, the other pod is ending")
    named = ", ".join(f"{pod.name} on {pod.node}" for pod in launched if pod.runs) or "none"
    why = f"KubeVirt says Succeeded; it names {found.node or 'no node'}, and these pods run: {named}"
    return Underway(False, why=why, phase="Succeeded")


def _ended(migration: Reading, now: Seconds) -> Seconds:
    for one in migration.part("status").get("phaseTransitionTimestamps") or ():
        found = Reading(one) if isinstance(one, dict) else Reading({})
        if found.raw.get("phase") == migration.phase:
            return found.time("phaseTransitionTimestamp") or now
    return migration.time("status", "migrationState", "endTimestamp") or 0.0


def _failure(migration: Reading, told: Reading) -> str:
    """The migration's own copy of the reason comes after its phase."""
    why = migration.text("status", "migrationState", "failureReason") or told.text("failureReason")
    rejected = migration.condition("migrationRejectedByResourceQuota")
    if rejected.raw.get("status") == "True":
        why = rejected.text("message") or "a resource quota does not allow its pod"
    return why or "KubeVirt did not say why; see: kubectl describe vmim"


def cancel(handover: Handover) -> Program[None]:
    """Deleting it is how KubeVirt is told: before the hand-over it stays, in the last moments it may go on."""
    here = yield from looking.whereabouts()
    found = yield from looking.find(handover.name, here)
    if found is not None:
        yield ApiCall(
            Verb.DELETE,
            MIGRATION,
            name_of(handover),
            found.namespace,
            ok=(404,),
            fence=handover.after,
            phases=(Phase.RESERVED,),
        )


def keep(handover: Handover, fence: Fence) -> Program[None]:
    """Our finished migrations of it go; those of others are theirs."""
    here = yield from looking.whereabouts()
    found = yield from looking.find(handover.name, here)
    if found is None:
        return
    selector = f"{LABEL_WORKLOAD}={handover.name}"
    ours: list[Reading] = []
    # Its machine may be known to have arrived before it is final itself.
    for _ in range(int(looking.SETTLES / BETWEEN)):
        told = yield ApiCall(Verb.LIST, MIGRATION, namespace=found.namespace, selector=selector)
        ours = [one for one in readings(told, "migrations") if one.name.startswith("reconciler-")]
        if all(one.phase in FINAL for one in ours):
            break
        yield ApiCall(Verb.PAUSE, MIGRATION, timeout=BETWEEN)
    for one in ours:
        if one.phase in FINAL:
            yield ApiCall(Verb.DELETE, MIGRATION, one.name, found.namespace, ok=(404,))


def drop(handover: Handover, fence: Fence) -> Program[None]:
    """KubeVirt itself leaves nothing; what runs is never ended here."""
    left = yield from looking.alive(handover.name)
    if left.running:
        raise CommandFailed(
            f"{handover.name} runs", code="C346", why=f"{left.detail}; it was to be gone from here"
        )
