"""How a pod and its container are made: to be started, or to be restored."""

from __future__ import annotations

import uuid
from typing import Any

from reconciler.core import answers
from reconciler.core.versions import version_tuple
from reconciler.errors import CommandFailed, HostError
from reconciler.guard import guard
from reconciler.model.command import Command, Fence, Program
from reconciler.model.container import Container
from reconciler.model.plan import Phase
from reconciler.resources import host_script
from reconciler.runtimes.cri import archive, calls, configs, copies, images, networks
from reconciler.runtimes.cri.calls import CriCall
from reconciler.runtimes.cri.messages import mapping

FINDS_ITSELF = (2, 2)
"""First release that makes a container from an archive without asking a registry for an image that it has."""
REGISTRY = "127.0.67.82:5047/reconciler/base"
"""What it asks before that: an address of the host's own, where nothing answers but for that moment."""
_MOST_PID = 2**22
Phases = tuple[Phase | str, ...]


def to_start(name: str, wanted: Container, fence: Fence, phases: Phases) -> Program[str]:
    """A pod and its container, not started; returns the container's ID."""
    image = yield from images.image_id(wanted.image)
    if image is None:
        raise HostError(f"the image {wanted.image} is not there", code="H214", fix="pull or copy it first")
    sandbox, pod, _ = yield from _pod(name, wanted, fence, phases, up=True)
    call = CriCall("CreateContainer", "create", _creation(name, wanted, f"sha256:{image}", sandbox, pod), "id")
    (created,) = yield from calls.change(fence, phases, call)
    return answers.full_id(created.id, "the ID of the container it made")


def to_restore(name: str, wanted: Container, image: str, fence: Fence, phases: Phases) -> Program[None]:
    """A pod and a container that waits in it to be restored; none of its code runs, and its own addresses appear
    nowhere. `image`: its ID."""
    sandbox, pod, _ = yield from _pod(name, wanted, fence, phases, up=False)
    reference, asked = yield from _reference(image)
    config = configs.container(name, wanted, f"sha256:{image}")
    annotations = {entry["key"]: entry["value"] for entry in config["annotations"]}
    file = f"{calls.NOTES}/{name}.tar"
    call = CriCall("CreateContainer", "create", _creation(name, wanted, file, sandbox, pod), "id")
    packed = archive.packed(name, f"sha256:{image}", reference, annotations)
    argv, stdin = arrival(call, file, asked, packed)
    said = yield from guard.run(fence, phases, argv, stdin=stdin, timeout=calls.LIMIT * 2, secret=True)
    calls.done(calls.read(said.stdout, [call]), [call])


def arrival(call: CriCall, file: str, asked: tuple[str, ...], packed: bytes) -> tuple[tuple[str, ...], bytes]:
    """The command line and the input of `arrive.sh`. What the container is made from is input: environments may be
    longer than a command line, and are nobody's to see in the host's list of processes."""
    argv = calls.shell("arrive", str(round(calls.LIMIT)), file, *asked, host_script("cri", "known", "pl"))
    return argv, calls.stdin([call]) + packed


def _creation(name: str, wanted: Container, image: str, sandbox: str, pod: dict[str, Any]) -> dict[str, Any]:
    config = configs.container(name, wanted, image)
    return {"pod_sandbox_id": sandbox, "config": config, "sandbox_config": pod}


def _reference(image: str) -> Program[tuple[str, tuple[str, ...]]]:
    """How containerd finds the image of an archive, and what `arrive.sh` has to know for that."""
    asked = (CriCall("Version", "nothing", {}, "versions"),)
    (versions,) = calls.done((yield from calls.ask(asked)), asked)
    known_as = f"sha256:{image}"
    if version_tuple(answers.string(versions.runtime_version, "the version of containerd", 200)) >= FINDS_ITSELF:
        return known_as, ("", "", "", "")
    said = yield Command(calls.shell("image", known_as))
    digest, _, rest = said.stdout.strip().partition(" ")
    media, _, size = rest.partition(" ")
    hexadecimal = answers.image_id(digest, "the digest of an image").removeprefix("sha256:")
    reference = f"{REGISTRY}@sha256:{hexadecimal}"
    size = str(answers.number(size, "the size of an image's manifest"))
    return reference, (reference, known_as, answers.shown(media, "the kind of an image"), size)


def _pod(
    name: str, wanted: Container, fence: Fence, phases: Phases, *, up: bool
) -> Program[tuple[str, dict[str, Any], int]]:
    """A pod's ID, what it was made from, and its first process."""
    yield calls.room(calls.NOTES)
    pod = configs.pod(name, wanted, uuid.uuid4().hex)
    (ran,) = yield from calls.change(fence, phases, CriCall("RunPodSandbox", "runpod", {"config": pod}, "id"))
    sandbox = answers.full_id(ran.id, "the ID of the pod it made")
    pid = yield from first_process(sandbox)
    yield from networks.give(wanted, pid, copies.routes_note(name), fence, phases, up=up)
    return sandbox, pod, pid


def first_process(sandbox: str) -> Program[int]:
    asked = (CriCall("PodSandboxStatus", "ask", {"id": sandbox, "verbose": 1}, "podanswer"),)
    (said,) = calls.done((yield from calls.ask(asked)), asked)
    info = answers.mapping(answers.parsed(mapping(said.info).get("info") or "{}", "info of a pod"), "info")
    pid = answers.number(info.get("pid"), "the first process of a pod", most=_MOST_PID)
    if not pid:
        raise CommandFailed("the pod has no process: it has ended", code=calls.FAILED)
    return pid
