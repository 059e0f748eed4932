"""The side a pod leaves: locate, hold, resume, commit, retire."""

from __future__ import annotations

from dataclasses import replace

from reconciler.criu import config, folders, holding, rooms
from reconciler.errors import CommandFailed, Refused
from reconciler.guard import guard
from reconciler.model.command import Bytes, Fence, Program, Tree
from reconciler.model.plan import Phase
from reconciler.model.spec import Cutover, TcpHandling
from reconciler.model.world import ContainerFacts
from reconciler.runtimes.base import Handover, Held, Located
from reconciler.runtimes.cri import calls, copies, dumping, lifecycle, looking, restoring
from reconciler.runtimes.oci.leaving import noting_descriptors

_HOLDING = ("starting", "held")
_GOES = (Phase.COMMITTED, Phase.FENCED)
"""Phases in which what a source has may go."""
_RUNC = "/run/containerd/runc/k8s.io"
"""Where runc keeps what it knows of containerd's containers for CRI."""


def located(handover: Handover, facts: ContainerFacts, expected_bytes: Bytes = 0) -> Located:
    """Where its state is. Folders that go along pair up by where they are mounted."""
    trees = (
        Tree("images", copies.tasks(facts).images, expected_bytes=expected_bytes),
        Tree("rootfs", facts.upper_dir),
        *(Tree("volume", mount.source, name=mount.target) for mount in folders.of(handover)),
    )
    return Located(facts.id, trees)


def locate(handover: Handover) -> Program[Located]:
    name, source = handover.name, handover.move.source
    shown = yield from guard.show(name)
    if shown and shown[0].hook.state in _HOLDING:
        return located(handover, (yield from _located_here(handover)))
    pod = yield from looking.current(name)
    facts = pod.facts if pod is not None else None
    if pod is None or facts is None or not pod.runs:
        what = f"it is {facts.state.value if facts else 'not there'} on {source}"
        raise Refused(f"{name} cannot move: {what}", code="P436", fix="plan again")
    if facts.id != handover.move.container_id:
        raise Refused(f"{name} was made anew since the plan", code="P437", fix="plan again")
    dumping.check(handover, facts, "moved")
    peer = handover.move.destination
    yield from guard.mark(handover.fence, Phase.RESERVED, "source", run=handover.run, peer=peer)
    yield from folders.own(handover)
    facts = (yield from copies.save(name)) or facts
    yield from dumping.prepare(handover, copies.tasks(facts))
    return located(handover, facts)


def _located_here(handover: Handover) -> Program[ContainerFacts]:
    """The source as it was located for this move."""
    noted = yield from copies.saved(handover.name)
    if noted is None or noted.facts.id != handover.move.container_id:
        raise CommandFailed(
            f"{handover.name} was not located for this move on {handover.move.source}", code="C312"
        )
    return noted.facts


def hold(handover: Handover) -> Program[Held]:
    facts = yield from _located_here(handover)

    def lives_on() -> Program[str]:
        now = yield from copies.running(handover)
        return "" if now is not None else "it has ended"

    return (
        yield from holding.hold(
            handover,
            copies.tasks(facts),
            dumping.argv(facts, ends=handover.move.cutover is Cutover.RESTORE_BACK),
            lives_on=lives_on,
            under=noting_descriptors(facts.userdata, f"{_RUNC}/{facts.id}/state.json"),
            addresses=[ip for network in facts.networks for ip in network.ips],
        )
    )


def resume(handover: Handover, fence: Fence) -> Program[str]:
    name, source = handover.name, handover.move.source
    outcome = yield from guard.resume(fence, run=handover.run)
    noted = yield from copies.saved(name)
    if noted is not None and noted.facts.id != handover.move.container_id:
        noted = None  # of an earlier hand-over; what is saved is not noted
    pod = yield from copies.copy_here(name)
    told = ""
    if outcome.what == "gone" and noted is not None:
        yield from _from_images(handover, fence, noted.facts)
    elif outcome.what == "gone":  # it was saved, and has ended meanwhile
        yield from guard.mark(fence, Phase.RUNNING, "owner", run=handover.run)
        told = f"it ended on {source} while it was saved, and starts with the next apply"
    elif pod is None or pod.facts is None:
        told = f"somebody removed its pod on {source} while it was held"
    elif not pod.runs:
        told = f"it ended by itself on {source} while it was held (exit code {pod.facts.exit_code})"
    yield from config.write(name)
    now = yield from copies.copy_here(name)
    if not told and (now is None or not now.runs):
        raise CommandFailed(f"{name} does not run after it was told to resume", code="C311")
    facts = noted.facts if noted is not None else pod.facts if pod is not None else None
    if facts is not None and facts.userdata:
        yield from rooms.free(copies.tasks(facts), fence, (Phase.RUNNING,))
    yield from copies.forget(name)
    yield from guard.clean(name)
    return told


def _from_images(handover: Handover, fence: Fence, old: ContainerFacts) -> Program[None]:
    """Nothing frozen is left: its images are the way back, into a pod that is made anew, for CRI starts nothing
    twice. What it changed of its files goes over to that."""
    name, phases = handover.name, (Phase.HELD,)
    pods = yield from copies.others(name)
    if not any(pod.runs for pod in pods):
        if (yield from config.hangs_up(name)):
            handover = replace(handover, policy=handover.policy.model_copy(update={"tcp": TcpHandling.CLOSE}))
        if all(pod.facts is None or pod.facts.id != old.id for pod in pods):
            raise CommandFailed(f"{name} cannot resume: somebody removed its pod", code="C311")
        for pod in pods:
            if pod.facts is None or pod.facts.id != old.id:  # of an earlier try
                yield from lifecycle.remove_pod(pod, fence, phases, grace=0)
            else:  # its address becomes free
                yield from lifecycle.stop_pod(pod, fence, phases, grace=0)
        new = yield from restoring.make(handover, fence, phases)
        yield from guard.run(fence, phases, calls.shell("replace", old.upper_dir, new.upper_dir), timeout=600)
        tasks = replace(copies.tasks(new), home=copies.tasks(old).home)  # where the images are
        yield from restoring.be_ready(handover, fence, tasks)
        yield from restoring.restore(handover, fence, Phase.HELD, new.id, tasks)
    for pod in (yield from copies.others(name)):
        if not pod.runs:
            yield from lifecycle.remove_pod(pod, fence, phases, grace=0)
    yield from guard.mark(fence, Phase.RUNNING, "owner", run=handover.run)


def retire(handover: Handover) -> Program[None]:
    name, peer, fence = handover.name, handover.move.destination, handover.fence
    if not (yield from holding.let_go(handover)):
        return
    for pod in (yield from copies.others(name)):
        # The images as well under the fence: another controller may be on its way back to them.
        yield from lifecycle.remove_pod(pod, fence, _GOES, grace=0)
    yield from folders.drop(handover, fence, _GOES)
    yield from copies.forget(name)
    yield from guard.mark(fence, Phase.RETIRED, "source", run=handover.run, peer=peer)
    yield from guard.clean(name)
