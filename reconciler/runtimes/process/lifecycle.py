"""Making, starting, stopping and removing trees, and asking them whether they are well."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core import unwell
from reconciler.core.made_from import changed_fields
from reconciler.errors import CommandFailed
from reconciler.guard import guard
from reconciler.model.base import parse_duration
from reconciler.model.command import Command, Fence, Program, Seconds
from reconciler.model.container import RestartPolicy
from reconciler.model.health import HealthCheck
from reconciler.model.labels import LABEL_SPEC
from reconciler.model.plan import Phase
from reconciler.model.spec import Workload
from reconciler.model.world import InstanceState, TreeFacts
from reconciler.runtimes.process import attaching, observing, places, settings, stores

GRACE: Seconds = 10.0
"""Between asking a command to end and ending its tree."""
_LIMIT: Seconds = 60.0
_AT_ONCE = 0.5


def make(
    workload: Workload, fence: Fence, phases: tuple[Phase | str, ...], secrets: Mapping[str, bytes]
) -> Program[str]:
    """Write down what a tree is started from; returns its ID."""
    argv = places.shell("create", places.home(workload.metadata.name))
    done = yield from guard.run(fence, phases, argv, stdin=settings.files(workload, secrets), secret=True)
    return done.stdout.strip()


def create(workload: Workload, fence: Fence, *, oci_runtime: str, secrets: Mapping[str, bytes]) -> Program[str]:
    name, spec = workload.metadata.name, settings.process_of(workload)
    found = yield from observing.tree(name)
    if found is not None:
        if found.state.has_processes or not changed_fields(spec, found.labels.get(LABEL_SPEC, "")):
            return found.id
        yield from end(name, fence, guard.SETTLED, remove=True)
    for volume in spec.volumes:
        yield from stores.VOLUMES.locate_volume(volume.name, name)
    yield from guard.mark(fence, Phase.RUNNING, "owner")
    return (yield from make(workload, fence, guard.LIVE, secrets))


def start(workload: Workload, fence: Fence) -> Program[None]:
    name, attach = workload.metadata.name, settings.process_of(workload).attach
    found = yield from observing.tree(name)
    if found is None:
        raise CommandFailed(f"{name} cannot be started: it was not made here")
    if found.state is InstanceState.PAUSED:
        freezer = f"/sys/fs/cgroup/{places.tasks(name, found.id).group}/cgroup.freeze"
        yield from guard.run(fence, guard.LIVE, ("/bin/sh", "-c", 'echo 0 > "$1"', "thaw", freezer))
    elif attach and not found.pid:
        yield from guard.mark(fence, Phase.RUNNING, "owner")
        yield from attaching.adopt(name, attach, fence)
    elif not found.state.has_processes:
        yield from guard.mark(fence, Phase.RUNNING, "owner")
        yield from run(name, fence, guard.LIVE)
    if workload.spec.health is None:  # else the check finds out
        yield Command(("/bin/sh", "-c", f"sleep {_AT_ONCE}"))
        now = yield from observing.tree(name)
        if now is not None and not now.state.has_processes and now.exit_code:
            raise (yield from ended(now))


def run(name: str, fence: Fence, phases: tuple[Phase | str, ...]) -> Program[None]:
    argv = places.shell("start", places.home(name), places.script("setup"), places.script("init"))
    yield from guard.run(fence, phases, argv)


def stop(workload: str, fence: Fence) -> Program[None]:
    found = yield from observing.tree(workload)
    if found is not None and found.attached:
        yield from attaching.let_go(workload, fence, guard.SETTLED)
    elif found is not None and found.state.has_processes:
        argv = places.shell("stop", places.home(workload), str(round(GRACE)))
        yield from guard.run(fence, guard.SETTLED, argv, timeout=_LIMIT)


def end(name: str, fence: Fence, phases: tuple[Phase | str, ...], *, remove: bool = False) -> Program[None]:
    """Kill what lives of a tree; with `remove` nothing of it stays."""
    argv = places.shell("end", places.home(name), *(("remove",) if remove else ()))
    yield from guard.run(fence, phases, argv, timeout=_LIMIT)


def remove(workload: str, fence: Fence) -> Program[None]:
    found = yield from observing.tree(workload)
    if found is not None and found.attached:
        yield from attaching.let_go(workload, fence, guard.SETTLED, remove=True)
    elif found is not None:
        yield from stop(workload, fence)
        yield from end(workload, fence, guard.SETTLED, remove=True)


def set_aside(workload: str, fence: Fence) -> Program[None]:
    """What ran is noted before it is stopped: `bring_back` starts it again."""
    aside = workload + places.ASIDE
    if (yield from observing.tree(aside)) is not None:
        return
    found = yield from observing.tree(workload)
    if found is None:
        return
    if found.state.has_processes:
        yield from guard.run(fence, guard.SETTLED, places.shell("note", places.home(workload)))
    yield from stop(workload, fence)
    yield from _rename(workload, aside, fence)


def _rename(name: str, other: str, fence: Fence) -> Program[None]:
    yield from guard.run(fence, guard.SETTLED, places.shell("rename", places.home(name), places.home(other)))


def bring_back(workload: str, fence: Fence) -> Program[None]:
    aside = workload + places.ASIDE
    if (yield from observing.tree(aside)) is not None:
        yield from remove(workload, fence)
        yield from _rename(aside, workload, fence)
    found = yield from observing.tree(workload)
    ran = yield Command(("test", "-e", f"{places.home(workload)}/ran"), ok=(0, 1))
    if found is not None and ran.status == 0:
        if not found.state.has_processes:
            yield from guard.mark(fence, Phase.RUNNING, "owner")
            yield from run(workload, fence, guard.LIVE)
        yield from guard.run(fence, guard.SETTLED, ("rm", "-f", "--", f"{places.home(workload)}/ran"))


def remove_aside(workload: str, fence: Fence) -> Program[None]:
    yield from remove(workload + places.ASIDE, fence)


def health(workload: str, check: HealthCheck, address: str) -> Program[None]:
    within = parse_duration(check.within)
    facts = yield from observing.tree(workload)
    if facts is None:
        raise CommandFailed(f"{workload} is not healthy: it is gone", code=unwell.UNHEALTHY)
    restarts = "no" if facts.restart == RestartPolicy.NO.value else "yes"
    head = (places.home(workload), str(round(within * 100)), restarts)
    if check.command is not None:
        argv = places.shell("health", *head, "command", *check.command)
    elif check.tcp is not None:
        argv = places.shell("health", *head, "tcp", address or "127.0.0.1", str(check.tcp.port))
    else:
        assert check.http is not None
        http = (address or "127.0.0.1", str(check.http.port), check.http.path)
        argv = places.shell("health", *head, "http", *http)
    try:
        yield Command(argv, timeout=within + 20)
    except CommandFailed as error:
        now = yield from observing.tree(workload)
        if now is not None and not now.state.has_processes:
            raise (yield from ended(now, error.where)) from error
        raise unwell.unhealthy(workload, check, error) from error


def ended(facts: TreeFacts, where: str = "") -> Program[CommandFailed]:
    """The error about a tree that has ended. Undoing removes it, so what it said last is in the error."""
    output = ("tail", "-n", str(unwell.LAST_WORDS), "--", f"{facts.home}/own/output")
    said = yield Command(output, ok=(0, 1))
    return unwell.ended(facts.name, facts.exit_code, said.stdout, where)
