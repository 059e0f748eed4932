"""Reading containers, and making, starting, stopping and removing them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from reconciler.core import answers
from reconciler.core.causes import telling
from reconciler.core.made_from import changed_fields
from reconciler.criu import rooms
from reconciler.criu.tasks import Tasks
from reconciler.errors import CommandFailed, HostError, Refused
from reconciler.guard import guard
from reconciler.guard import notes as guard_notes
from reconciler.model.base import parse_duration
from reconciler.model.command import Command, Fence, Program, Seconds
from reconciler.model.container import REGISTRY_PASSWORD, RestartPolicy
from reconciler.model.labels import LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.plan import Phase
from reconciler.model.spec import Workload
from reconciler.model.world import ContainerFacts, InstanceState
from reconciler.runtimes.docker import options, parse, places, stores

NO_RESTART = RestartPolicy.NO.value
LOOK_LIMIT: Seconds = 65.0
STOP_LIMIT: Seconds = 60.0
_SILENT = 3


def tasks_of(facts: ContainerFacts) -> Tasks:
    return places.tasks(facts.userdata)


def looked(name: str) -> Program[str]:
    """What is to be known of a container by name or ID, as `read` reads it. CommandFailed where the engine does
    not answer."""
    argv = places.shell("inspect", name)
    result = yield Command(argv, timeout=LOOK_LIMIT, ok=(0, _SILENT), secret=True)
    if result.status == 0:
        return result.stdout
    raise CommandFailed(
        "Docker does not answer",
        argv=argv[3:],
        exit_code=result.status,
        stderr=result.stderr,
        code="C362",
        why=telling(result.stderr),
    )


def read(text: str) -> ContainerFacts | None:
    parts = answers.whole(text, "what Docker says of a container")
    driver = answers.word(parts.get("engine", "").strip().partition(" ")[0], "who makes control groups for Docker")
    return next(iter(parse.containers(parts.get("inspected", ""), driver)), None)


def folder(text: str, container_id: str) -> str:
    """Where Docker keeps the container."""
    root = answers.whole(text, "what Docker says of a container").get("engine", "").strip().partition(" ")[2]
    return f"{answers.path(root, 'the folder of Docker')}/containers/{container_id}"


def inspect(name: str) -> Program[ContainerFacts | None]:
    """A container by name or ID; None when there is none."""
    return read((yield from looked(name)))


def ours(name: str, workload: str) -> Program[ContainerFacts | None]:
    """The container with this name; Refused when it is not one of this workload's."""
    found = yield from inspect(name)
    if found is not None and found.labels.get(LABEL_WORKLOAD) != workload:
        raise Refused(
            f"a container named {name} is there already, and Reconciler did not make it",
            code="P431",
            fix=f"rename or remove it (docker rename {name} ...), or give the workload another name",
        )
    return found


def made_from(facts: ContainerFacts) -> dict[str, object]:
    try:
        found = json.loads(facts.labels.get(LABEL_SPEC, "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def make(
    workload: Workload,
    fence: Fence,
    phases: tuple[Phase | str, ...],
    *,
    image: str,
    restart: str,
    secrets: Mapping[str, bytes],
) -> Program[str]:
    """Make a container; returns its ID."""
    given = {name: value for name, value in secrets.items() if name != REGISTRY_PASSWORD}
    argv = options.create_argv(workload, image=image, restart=restart, secrets=given)
    lines = (name.encode() + b" " + base64.b64encode(value) + b"\n" for name, value in sorted(given.items()))
    made = places.shell("create", *argv)
    result = yield from guard.run(fence, phases, made, stdin=b"".join(lines), secret=bool(given))
    return answers.full_id(result.stdout.strip().rpartition("\n")[2], "the ID of the container it made")


def create(workload: Workload, fence: Fence, secrets: Mapping[str, bytes]) -> Program[str]:
    name, spec = workload.metadata.name, workload.container
    found = yield from ours(name, name)
    if found is not None:
        if found.state.has_processes or not changed_fields(spec, found.labels.get(LABEL_SPEC, "")):
            return found.id
        yield from discard(found, fence, guard.SETTLED)
    if (yield from stores.image_id(spec.image)) is None:
        raise HostError(f"the image {spec.image} is not there", code="H214", fix="pull or copy it first")
    for volume in spec.volumes:  # Docker would make a missing one, empty and without a label
        yield from stores.locate_volume(volume.name, name)
    yield from guard.mark(fence, Phase.RUNNING, "owner")
    restart = spec.restart_option
    return (yield from make(workload, fence, guard.LIVE, image=spec.image, restart=restart, secrets=secrets))


def start(workload: Workload, fence: Fence) -> Program[None]:
    name = workload.metadata.name
    found = yield from ours(name, name)
    if found is None:
        raise CommandFailed(f"{name} cannot be started: its container is not there")
    if found.state is InstanceState.PAUSED:
        yield from guard.run(fence, guard.LIVE, ("docker", "unpause", found.id))
    elif found.state is not InstanceState.RUNNING:
        yield from guard.mark(fence, Phase.RUNNING, "owner")
        yield from guard.run(fence, guard.LIVE, ("docker", "start", found.id))


def failed_at_once(workload: str) -> Program[ContainerFacts | None]:
    """The container, if it has failed within a moment of its start and nothing starts it again."""
    yield Command(places.shell("at-once", workload))
    found = yield from ours(workload, workload)
    if found is None or found.state.has_processes or found.restart != NO_RESTART:
        return None
    return found if found.exit_code != 0 else None


def stop(workload: str, fence: Fence) -> Program[None]:
    found = yield from ours(workload, workload)
    if found is not None:
        yield from _stop(found, fence)


def _stop(found: ContainerFacts, fence: Fence) -> Program[None]:
    if found.state.has_processes:
        yield from guard.run(fence, guard.SETTLED, ("docker", "stop", found.id), timeout=_stop_limit(found))


def _stop_limit(found: ContainerFacts) -> Seconds:
    """Docker's own patience is what the container was made with."""
    try:
        return STOP_LIMIT + parse_duration(str(made_from(found).get("stopTimeout", "10s")))
    except ValueError:
        return STOP_LIMIT


def remove(workload: str, fence: Fence) -> Program[None]:
    yield from _remove(workload, workload, fence)


def remove_aside(workload: str, fence: Fence) -> Program[None]:
    yield from _remove(places.aside(workload), workload, fence)


def _remove(name: str, workload: str, fence: Fence) -> Program[None]:
    found = yield from ours(name, workload)
    if found is not None:
        yield from _stop(found, fence)
        yield from discard(found, fence, guard.SETTLED)


def discard(found: ContainerFacts, fence: Fence, phases: tuple[Phase | str, ...]) -> Program[None]:
    """Remove it with what is in our folder of it, all under the fence. Named volumes stay."""
    yield from rooms.free(tasks_of(found), fence, phases)
    argv = ("docker", "rm", "--force", "--volumes", found.id)
    yield from guard.run(fence, phases, argv, timeout=STOP_LIMIT)
    yield from guard.run(fence, phases, places.shell("forget", found.userdata))


def set_aside(workload: str, fence: Fence) -> Program[None]:
    """What ran is noted before it is stopped: `bring_back` starts it again. No reboot starts it meanwhile."""
    aside = places.aside(workload)
    if (yield from ours(aside, workload)) is not None:
        return
    found = yield from ours(workload, workload)
    if found is None:
        return
    if found.state.has_processes or (yield from _noted(workload)) != found.id:
        ran = found.id if found.state.has_processes else ""
        yield from guard_notes.write(workload, "aside", ran.encode())
    yield from switch_restart(found, fence, guard.SETTLED, on=False)
    yield from _stop(found, fence)
    yield from guard.run(fence, guard.SETTLED, ("docker", "rename", found.id, aside))


def bring_back(workload: str, fence: Fence) -> Program[None]:
    old = yield from ours(places.aside(workload), workload)
    if old is not None:
        yield from remove(workload, fence)
        yield from guard.run(fence, guard.SETTLED, ("docker", "rename", old.id, workload))
    found = yield from ours(workload, workload)
    if found is None:
        return
    yield from switch_restart(found, fence, guard.SETTLED, on=True)
    if not found.state.has_processes and (yield from _noted(workload)) == found.id:
        yield from guard.run(fence, guard.LIVE, ("docker", "start", found.id))
    yield Command(("rm", "-f", "--", f"{guard.workload_dir(workload)}/aside"), changes=True)


def _noted(workload: str) -> Program[str]:
    """The ID of the container that ran when it was set aside; empty when none did."""
    noted = yield Command(("cat", f"{guard.workload_dir(workload)}/aside"), ok=(0, 1))
    return noted.stdout.strip()


def switch_restart(
    found: ContainerFacts, fence: Fence, phases: tuple[Phase | str, ...], *, on: bool
) -> Program[None]:
    """The restart policy, as the container was made for, or none: Docker starts a container anew that ends by a
    checkpoint."""
    spec = made_from(found)
    wanted = str(spec.get("restart", NO_RESTART)) if on else NO_RESTART
    if found.restart == wanted:
        return
    if on and (retries := spec.get("restartRetries")):
        wanted = f"{wanted}:{retries}"
    yield from guard.run(fence, phases, ("docker", "update", f"--restart={wanted}", found.id))
