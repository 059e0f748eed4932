"""Making, starting, stopping and removing pods.

CRI starts a container once: one that has ended stays ended, and has to be made again, as kubelets do. So a start
of what has ended makes the pod anew, from the spec.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core import unwell
from reconciler.core.made_from import changed_fields
from reconciler.criu import rooms
from reconciler.errors import CommandFailed
from reconciler.guard import guard
from reconciler.guard import notes as guard_notes
from reconciler.model.base import parse_duration
from reconciler.model.command import Command, Fence, Program, Seconds
from reconciler.model.container import Container
from reconciler.model.health import HealthCheck
from reconciler.model.plan import Phase
from reconciler.model.spec import Workload
from reconciler.model.world import InstanceState
from reconciler.runtimes.cri import calls, configs, copies, looking, making
from reconciler.runtimes.cri.calls import CriCall
from reconciler.runtimes.cri.looking import NOTE, RAN, OwnPod
from reconciler.runtimes.cri.making import Phases

GRACE: Seconds = 10.0
"""Between asking a program to end and ending it, unless its spec says."""
_AT_ONCE: Seconds = 0.5
_SLACK: Seconds = 20.0


def create(workload: Workload, fence: Fence, *, oci_runtime: str, secrets: Mapping[str, bytes]) -> Program[str]:
    name, wanted = workload.metadata.name, workload.container
    found = yield from looking.current(name)
    if found is not None and found.facts is not None:
        whole = found.container is not None and not changed_fields(wanted, found.spec)
        if found.runs or whole:
            return found.facts.id
    return (yield from _make(name, wanted, fence))


def _make(name: str, wanted: Container, fence: Fence) -> Program[str]:
    """A pod and its container, not started, in the place of all that is not set aside; returns the container's
    ID."""
    yield from guard.mark(fence, Phase.RUNNING, "owner")
    yield from _clear(name, fence)
    return (yield from making.to_start(name, wanted, fence, guard.LIVE))


def _clear(name: str, fence: Fence) -> Program[None]:
    found, aside = yield from looking.every(name)
    for pod in found:
        if pod.id != aside:
            yield from remove_pod(pod, fence)


def start(workload: Workload, fence: Fence) -> Program[None]:
    name = workload.metadata.name
    found = yield from looking.current(name)
    if found is None:
        raise CommandFailed(f"{name} cannot be started: its pod is not there")
    if not found.runs:
        yield from _start(name, workload.container, found, fence)
    if workload.spec.health is None:  # else the check finds out
        yield Command(("/bin/sh", "-c", f"sleep {_AT_ONCE}"))
        now = yield from looking.current(name)
        if now is not None and not now.runs and now.facts is not None and now.facts.exit_code:
            raise (yield from ended(now))


def _start(name: str, wanted: Container, found: OwnPod, fence: Fence) -> Program[None]:
    facts = found.facts if found.ready and found.container is not None else None
    if facts is not None and facts.state is InstanceState.CREATED:
        container = facts.id
        yield from guard.mark(fence, Phase.RUNNING, "owner")
    else:
        container = yield from _make(name, wanted, fence)
    yield from calls.change(fence, guard.LIVE, CriCall("StartContainer", "id", {"id": container}))


def stop(workload: str, fence: Fence) -> Program[None]:
    found = yield from looking.current(workload)
    if found is not None:
        yield from stop_pod(found, fence)


def stop_pod(
    pod: OwnPod, fence: Fence, phases: Phases = guard.SETTLED, grace: Seconds | None = None
) -> Program[None]:
    """The pod's addresses are free after it. `grace`: as its spec says unless told."""
    if pod.runs or pod.ready:
        within = _grace(pod) if grace is None else grace
        asked = [CriCall("StopPodSandbox", "id", {"id": pod.id})]
        if pod.runs and pod.facts is not None:
            asked.insert(0, CriCall("StopContainer", "stop", {"id": pod.facts.id, "timeout": round(within)}))
        yield from calls.change(fence, phases, *asked, limit=within + calls.LIMIT)


def _grace(pod: OwnPod) -> Seconds:
    wanted = looking.made_from(pod.spec)
    return parse_duration(wanted.stop_timeout) if wanted and wanted.stop_timeout else GRACE


def remove(workload: str, fence: Fence) -> Program[None]:
    yield from _clear(workload, fence)


def remove_pod(
    pod: OwnPod, fence: Fence, phases: Phases = guard.SETTLED, grace: Seconds | None = None
) -> Program[None]:
    """With what is in our folder of its container. `grace`: as its spec says unless told."""
    yield from stop_pod(pod, fence, phases, grace)
    home = pod.facts.userdata if pod.facts is not None else ""
    if pod.facts is not None and home:
        yield from rooms.free(copies.tasks(pod.facts), fence, phases)
    yield from calls.change(fence, phases, CriCall("RemovePodSandbox", "id", {"id": pod.id}))
    folders = [folder for folder in (configs.folder(pod.workload, pod.uid), home) if folder]
    yield from guard.run(fence, phases, ("rm", "-rf", "--", *folders))


def set_aside(workload: str, fence: Fence) -> Program[None]:
    """CRI cannot rename: which pod it is, and whether it ran, is noted before it is stopped."""
    aside, _ = yield from looking.noted(workload)
    found, _ = yield from looking.every(workload)
    pod = next((one for one in found if one.id == aside), None) or (yield from looking.current(workload))
    if pod is None:
        return
    if pod.id != aside:
        note = f"{pod.id} {RAN if pod.runs else 'not'}\n"
        yield from guard_notes.write(workload, NOTE, note.encode())
    yield from stop_pod(pod, fence)


def bring_back(workload: str, fence: Fence) -> Program[None]:
    """What ran runs again in a pod that is made anew from the old one's spec."""
    aside, ran = yield from looking.noted(workload)
    if not aside:
        return
    old = next((one for one in (yield from looking.every(workload))[0] if one.id == aside), None)
    if old is not None:  # else this was done before, but for the note
        yield from _clear(workload, fence)
    if ran and old is not None:
        wanted = looking.made_from(old.spec)
        if wanted is None:
            raise CommandFailed(f"{workload} cannot be started again: nobody can read what it was made from")
        container = yield from _make(workload, wanted, fence)
        yield from calls.change(fence, guard.LIVE, CriCall("StartContainer", "id", {"id": container}))
        yield from remove_pod(old, fence)
    yield from _forget(workload, fence)


def remove_aside(workload: str, fence: Fence) -> Program[None]:
    found, aside = yield from looking.every(workload)
    for pod in found:
        if pod.id == aside:
            yield from remove_pod(pod, fence)
    yield from _forget(workload, fence)


def _forget(workload: str, fence: Fence) -> Program[None]:
    yield from guard.run(fence, guard.SETTLED, ("rm", "-f", "--", f"{guard.workload_dir(workload)}/{NOTE}"))


def health(workload: str, check: HealthCheck, address: str) -> Program[None]:
    within = parse_duration(check.within)
    pod = yield from looking.current(workload)
    if pod is None or pod.facts is None:
        raise CommandFailed(f"{workload} is not healthy: its pod is gone", code=unwell.UNHEALTHY)
    if not pod.runs:
        raise (yield from ended(pod))
    facts = pod.facts
    at = address or next((ip for network in facts.networks for ip in network.ips), "127.0.0.1")
    head = (str(round(within * 100)), facts.id, str(facts.pid))
    if check.command is not None:
        argv = calls.shell("health", *head, "command", *check.command)
    elif check.tcp is not None:
        argv = calls.shell("health", *head, "tcp", at, str(check.tcp.port))
    else:
        assert check.http is not None
        argv = calls.shell("health", *head, "http", at, str(check.http.port), check.http.path)
    try:
        yield Command(argv, timeout=within + _SLACK)
    except CommandFailed as error:
        now = yield from looking.current(workload)
        if now is not None and not now.runs:
            raise (yield from ended(now, error.where)) from error
        raise unwell.unhealthy(workload, check, error) from error


def ended(pod: OwnPod, where: str = "") -> Program[CommandFailed]:
    """The error about a container that has ended. Undoing removes it, so what it said last is in the error."""
    argv = calls.shell("logs", configs.folder(pod.workload, pod.uid), str(unwell.LAST_WORDS), "", "")
    said = yield Command(argv, timeout=20, ok=tuple(range(256)))
    output = said.stdout if said.status == 0 else ""
    code = pod.facts.exit_code if pod.facts is not None else 0
    return unwell.ended(pod.workload, code, output, where)
