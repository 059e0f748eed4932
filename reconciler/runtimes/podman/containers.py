"""Reading containers, and making, starting, stopping and removing them."""

from __future__ import annotations

import json
from collections.abc import Mapping

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
from reconciler.model.inplace import PODMAN_KEEPS_UPDATES
from reconciler.model.labels import LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.plan import Phase
from reconciler.model.spec import Workload
from reconciler.model.world import ContainerFacts, InstanceState
from reconciler.runtimes.podman import options, parse, paths, stores
from reconciler.runtimes.podman.noted import as_noted, notes

NO_RESTART = RestartPolicy.NO.value

INIT_FOLDERS = tuple(
    f"{top}/podman" for top in ("/usr/local/libexec", "/usr/local/lib", "/usr/libexec", "/usr/lib")
)
"""Where Podman looks for its helpers, in its order (helper_binaries_dir in containers.conf)."""
AT_ONCE = 0.5
"""Seconds in which a program that cannot work has mostly given up."""
INSPECT_LIMIT = 20.0
STOP_LIMIT = 60.0
_NOT_FOUND = 125


def tasks(container_id: str, userdata: str) -> Tasks:
    """A container's tasks. What makes them runs in the cgroup of who watches it."""
    group = f"libpod-{container_id}"
    return Tasks(userdata, group, monitor="conmon", makers=f"/libpod-conmon-{container_id}")


def tasks_of(facts: ContainerFacts) -> Tasks:
    return tasks(facts.id, facts.userdata)


def inspect(name: str, within: Seconds = INSPECT_LIMIT) -> Program[ContainerFacts | None]:
    """A container by name; None when there is none. CommandFailed or ReplyLost when another command holds it for
    too long."""
    argv = ("podman", "container", "inspect", "--", name)
    result = yield Command(argv, timeout=within, ok=(0, _NOT_FOUND))
    if result.status == 0:
        return parse.containers(result.stdout)[0]
    if "no such container" in result.stderr.lower():
        return None
    raise CommandFailed(
        f"Podman cannot say what {name} is",
        argv=argv,
        exit_code=result.status,
        stderr=result.stderr,
        why=telling(result.stderr),
    )


def ours(name: str, workload: str) -> Program[ContainerFacts | None]:
    """The container with this name; Refused when it is not one of this workload's."""
    found = yield from inspect(name)
    if found is not None and found.labels.get(LABEL_WORKLOAD) != workload:
        raise Refused(
            f"a container named {name} is there already, and Reconciler did not make it",
            code="P431",
            fix=f"rename or remove it (podman rename {name} ...), or give the workload another name",
        )
    return found


def runtime_for(oci_runtime: str) -> Program[str]:
    """The OCI runtime to make containers with: the given one, else runc where it is installed, else Podman's."""
    argv = ("/bin/sh", "-c", 'for r; do command -v "$r" >/dev/null && echo "$r" && exit; done; exit 0', "sh")
    result = yield Command((*argv, *((oci_runtime,) if oci_runtime else ("runc", "crun"))))
    found = result.stdout.strip()
    if oci_runtime and not found:
        raise HostError(f"{oci_runtime} is not installed", code="H213", fix=f"install {oci_runtime}")
    return found


def init_path(workload: Workload) -> Program[str]:
    """The program that Podman puts before a container's own, where the workload asks for one. By its own name:
    CRIU binds a link as the link that it is, and the restore fails. Empty: none is asked for, or Podman knows
    better."""
    if not workload.container.init:
        return ""
    look = 'for f; do if [ -x "$f/catatonit" ]; then readlink -f "$f/catatonit"; exit; fi; done'
    result = yield Command(("/bin/sh", "-c", look, "sh", *INIT_FOLDERS), ok=(0, 1))
    return result.stdout.strip()


def store_secrets(workload: str, secrets: Mapping[str, bytes]) -> Program[None]:
    """Make Podman secrets of a workload's values anew; they arrive on stdin and are in no argument list."""
    for variable, value in sorted(secrets.items()):
        if variable == REGISTRY_PASSWORD:
            continue
        name = paths.secret_name(workload, variable)
        yield Command(("podman", "secret", "rm", "--", name), changes=True, ok=(0, 1, _NOT_FOUND), secret=True)
        label = f"--label={LABEL_WORKLOAD}={workload}"
        argv = ("podman", "secret", "create", label, "--", name, "-")
        yield Command(argv, stdin=value, changes=True, secret=True)


def drop_secrets(workload: str, facts: ContainerFacts) -> Program[None]:
    """Remove the secrets that this workload's container used."""
    made_from = _spec_of(facts)
    for variable in (*made_from.get("secretEnv", {}), *made_from.get("secretFiles", {})):
        name = paths.secret_name(workload, variable)
        yield Command(("podman", "secret", "rm", "--", name), changes=True, ok=(0, 1, _NOT_FOUND))


def _spec_of(facts: ContainerFacts) -> dict[str, dict[str, object]]:
    try:
        found = json.loads(facts.labels.get(LABEL_SPEC, "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def create(workload: Workload, fence: Fence, *, oci_runtime: str, secrets: Mapping[str, bytes]) -> Program[str]:
    name = workload.metadata.name
    spec = workload.container
    found = yield from ours(name, name)
    if found is not None:
        if found.state.has_processes or not changed_fields(spec, found.labels.get(LABEL_SPEC, "")):
            return found.id
        yield from guard.run(fence, guard.SETTLED, ("podman", "rm", "--force", "--", found.id))
    if (yield from stores.image_id(spec.image)) is None:
        raise HostError(f"the image {spec.image} is not there", code="H214", fix="pull or copy it first")
    for volume in spec.volumes:  # Podman would make a missing one, empty and without a label
        yield from stores.locate_volume(volume.name, name)
    runtime = yield from runtime_for(oci_runtime)
    yield from store_secrets(name, secrets)
    yield from guard.mark(fence, Phase.RUNNING, "owner")
    argv = options.create_argv(
        workload,
        image=spec.image,
        oci_runtime=runtime,
        restart=spec.restart_option,
        attach=True,
        init_path=(yield from init_path(workload)),
    )
    result = yield from guard.run(fence, guard.LIVE, argv)
    return result.stdout.strip().splitlines()[-1]


def start(workload: Workload, fence: Fence) -> Program[None]:
    name = workload.metadata.name
    found = yield from ours(name, name)
    if found is None:
        raise CommandFailed(f"{name} cannot be started: its container is not there")
    if found.state is InstanceState.PAUSED:
        yield from guard.run(fence, guard.LIVE, ("podman", "unpause", "--", found.id))
    elif found.state is not InstanceState.RUNNING:
        yield from guard.mark(fence, Phase.RUNNING, "owner")
        yield from guard.run(fence, guard.LIVE, ("podman", "start", "--", found.id))


def failed_at_once(workload: str) -> Program[ContainerFacts | None]:
    """The container, if it has failed within a moment of its start and nothing starts it again."""
    wait = 'timeout "$1" podman wait --condition=exited --condition=stopped -- "$2"'
    argv = ("/bin/sh", "-c", wait, "sh", str(AT_ONCE), workload)
    yield Command(argv, timeout=AT_ONCE + 20, ok=tuple(range(256)))
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
        yield from guard.run(fence, guard.SETTLED, ("podman", "stop", "--", found.id), timeout=_stop_limit(found))


def _stop_limit(found: ContainerFacts) -> Seconds:
    """Podman's own patience is what the container was made with."""
    try:
        return STOP_LIMIT + parse_duration(str(_spec_of(found).get("stopTimeout", "10s")))
    except ValueError:
        return STOP_LIMIT


def remove(workload: str, fence: Fence) -> Program[None]:
    yield from _remove(workload, workload, fence)


def remove_aside(workload: str, fence: Fence) -> Program[None]:
    yield from _remove(paths.aside(workload), workload, fence)


def _remove(name: str, workload: str, fence: Fence) -> Program[None]:
    found = yield from ours(name, workload)
    if found is None:
        return
    yield from rooms.free(tasks_of(found), fence, guard.SETTLED)
    argv = ("podman", "rm", "--force", "--", found.id)
    yield from guard.run(fence, guard.SETTLED, argv, timeout=_stop_limit(found))
    if name == workload:
        yield from drop_secrets(workload, found)


def set_aside(workload: str, fence: Fence) -> Program[None]:
    """What ran is noted before it is stopped: `bring_back` starts it again. No reboot starts it meanwhile."""
    aside = paths.aside(workload)
    if (yield from ours(aside, workload)) is not None:
        return
    found = yield from ours(workload, workload)
    if found is None:
        return
    if found.state.has_processes or (yield from _noted(workload)) != found.id:
        ran = found.id if found.state.has_processes else ""
        yield from guard_notes.write(workload, "aside", ran.encode())
    yield from _switch_restart(found, fence, on=False)
    yield from _stop(found, fence)
    yield from guard.run(fence, guard.SETTLED, ("podman", "rename", found.id, aside))


def bring_back(workload: str, fence: Fence) -> Program[None]:
    old = yield from ours(paths.aside(workload), workload)
    if old is not None:
        yield from remove(workload, fence)
        yield from guard.run(fence, guard.SETTLED, ("podman", "rename", old.id, workload))
    found = yield from ours(workload, workload)
    if found is None:
        return
    yield from _switch_restart(found, fence, on=True)
    if not found.state.has_processes and (yield from _noted(workload)) == found.id:
        yield from guard.run(fence, guard.LIVE, ("podman", "start", "--", found.id))
    yield Command(("rm", "-f", "--", f"{guard.workload_dir(workload)}/aside"), changes=True)


def _noted(workload: str) -> Program[str]:
    """The ID of the container that ran when it was set aside; empty when none did."""
    noted = yield Command(("cat", f"{guard.workload_dir(workload)}/aside"), ok=(0, 1))
    return noted.stdout.strip()


def _switch_restart(found: ContainerFacts, fence: Fence, *, on: bool) -> Program[None]:
    """The restart policy, as the container was made with, or none. Podman before 5.1 cannot change it: there a
    reboot at the wrong moment may start a container that was set aside."""
    found = as_noted(found, (yield from notes((fence.workload,))))
    made_from = _spec_of(found)
    wanted = str(made_from.get("restart", NO_RESTART)) if on else NO_RESTART
    if found.restart == wanted:
        return
    if retries := made_from.get("restartRetries") if on else None:
        wanted = f"{wanted}:{retries}"
    version = yield Command(("podman", "--version"))
    if parse.version_tuple(parse.version(version.stdout)) >= PODMAN_KEEPS_UPDATES:
        yield from guard.run(fence, guard.SETTLED, ("podman", "update", f"--restart={wanted}", "--", found.id))
