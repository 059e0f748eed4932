"""What a host has of a workload that is saved or moved: its container, and where what belongs to that is."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from reconciler.core import answers
from reconciler.criu import config
from reconciler.criu.tasks import Tasks
from reconciler.errors import HostError
from reconciler.guard import guard, notes
from reconciler.model.base import Model
from reconciler.model.command import Command, Program
from reconciler.model.world import ContainerFacts
from reconciler.runtimes.base import Handover
from reconciler.runtimes.cri import calls, looking
from reconciler.runtimes.cri.looking import OwnPod

_NOTE = "container.json"


class NotedPod(Model):
    """What was written down of a pod when its hand-over began. `facts`: with its upper directory."""

    pod: str
    facts: ContainerFacts


def tasks(facts: ContainerFacts) -> Tasks:
    return Tasks(facts.userdata, facts.userdata.rpartition("/")[2], paused=True)


def upper(facts: ContainerFacts) -> Program[str]:
    """Where what it changed of its root file system is: the upper directory of its overlay."""
    found = (yield from with_upper((facts,)))[0].upper_dir
    if not found:
        raise HostError(f"the root of {facts.name} is not an overlay that its host sees", code="H217")
    return found


def with_upper(found: Sequence[ContainerFacts]) -> Program[tuple[ContainerFacts, ...]]:
    """With their upper directories, where they have one."""
    arguments = [word for facts in found for word in (str(facts.pid), facts.id)]
    said = yield Command(calls.shell("upper", *arguments))
    lines = (line.partition(" ") for line in said.stdout.splitlines())
    at = {container: answers.path(path, "the upper directory of a container") for container, _, path in lines}
    return tuple(facts.model_copy(update={"upper_dir": at.get(facts.id, "")}) for facts in found)


def running(handover: Handover) -> Program[ContainerFacts | None]:
    """The container that a hand-over is about, where it runs."""
    pod = yield from looking.current(handover.name)
    facts = pod.facts if pod is not None and pod.runs else None
    return facts if facts is not None and facts.id == handover.move.container_id else None


def others(workload: str) -> Program[list[OwnPod]]:
    """All pods of a workload but the one that is set aside, the newest first."""
    found, aside = yield from looking.every(workload)
    return [pod for pod in found if pod.id != aside]


def copy_here(workload: str) -> Program[OwnPod | None]:
    """What a hand-over has of the workload on this host: what was noted, where that is still there."""
    noted = yield from saved(workload)
    found = yield from others(workload)
    same = (pod for pod in found if noted and pod.facts is not None and pod.facts.id == noted.facts.id)
    runs = (pod for pod in found if pod.runs)
    return next(same, next(runs, found[0] if found else None))


# --- what was noted ---


def save(workload: str) -> Program[ContainerFacts | None]:
    """Write down what there is, for when it is held, clients wait, or containerd does not answer."""
    pod = yield from looking.current(workload)
    if pod is None or pod.facts is None or pod.container is None:
        return None
    facts = pod.facts.model_copy(update={"upper_dir": (yield from upper(pod.facts))})
    noted = NotedPod(pod=pod.id, facts=facts)
    yield from notes.write(workload, _NOTE, noted.model_dump_json().encode(), secret=True)
    return facts


def saved(workload: str) -> Program[NotedPod | None]:
    """None where `save` wrote nothing, or `forget` was called since."""
    said = yield Command(("cat", "--", saved_note(workload)), ok=(0, 1), secret=True)
    if said.status != 0:
        return None
    try:
        return NotedPod.model_validate_json(said.stdout)
    except ValidationError:
        raise answers.refused("", "what was noted of a pod", "a note of this release") from None


def saved_note(workload: str) -> str:
    return f"{guard.workload_dir(workload)}/{_NOTE}"


def routes_note(workload: str) -> str:
    """How the card of a pod that waits to be restored is raised."""
    return f"{guard.workload_dir(workload)}/routes"


def forget(workload: str) -> Program[None]:
    yield from config.forget(workload, saved_note(workload), routes_note(workload))
