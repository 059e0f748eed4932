"""Defining, starting, stopping and removing domains, and asking guests whether they are well."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core import unwell
from reconciler.core.made_from import changed_fields
from reconciler.errors import CommandFailed
from reconciler.guard import guard
from reconciler.model.base import parse_duration
from reconciler.model.command import Command, Fence, Program, Seconds
from reconciler.model.health import HealthCheck
from reconciler.model.labels import LABEL_SPEC
from reconciler.model.machine import VirtualMachine
from reconciler.model.plan import Phase
from reconciler.model.spec import Workload
from reconciler.model.world import MachineFacts
from reconciler.runtimes.libvirt import domains, observing, places
from reconciler.runtimes.libvirt.observing import ASIDE

GRACE: Seconds = 30.0
"""Between asking a guest to shut down and cutting its power, where its spec cannot be read."""
LIMIT: Seconds = 90.0
"""For a few calls of libvirt, and waiting until it answers."""


def create(workload: Workload, fence: Fence, *, oci_runtime: str, secrets: Mapping[str, bytes]) -> Program[str]:
    name, spec = workload.metadata.name, domains.machine_of(workload)
    found = yield from observing.machine(name)
    if found is not None:
        if found.state.has_processes or not changed_fields(spec, found.labels.get(LABEL_SPEC, "")):
            return found.id
        yield from remove(name, fence)
    yield from guard.mark(fence, Phase.RUNNING, "owner")
    argv = places.shell("define", places.note(name))
    yield from guard.run(fence, guard.LIVE, argv, stdin=domains.made(workload), timeout=LIMIT)
    yield from _autostart(workload, fence)
    return (yield from there(name)).id


def _autostart(workload: Workload, fence: Fence) -> Program[None]:
    name = workload.metadata.name
    found = yield from there(name)
    wanted = "yes" if domains.machine_of(workload).autostart else "no"
    yield from guard.run(
        fence, guard.LIVE, places.shell("keep", found.id, places.note(name), wanted), timeout=LIMIT
    )


def start(workload: Workload, fence: Fence) -> Program[None]:
    name = workload.metadata.name
    found = yield from there(name)
    yield from guard.mark(fence, Phase.RUNNING, "owner")
    yield from guard.run(fence, guard.LIVE, places.shell("start", found.id), timeout=LIMIT)


def stop(workload: str, fence: Fence) -> Program[None]:
    found = yield from observing.machine(workload)
    if found is not None and found.state.has_processes:
        grace = _grace(found)
        argv = places.shell("stop", found.id, str(round(grace)))
        yield from guard.run(fence, guard.SETTLED, argv, timeout=grace + LIMIT)


def _grace(found: MachineFacts) -> Seconds:
    try:
        return parse_duration(VirtualMachine.model_validate_json(found.labels.get(LABEL_SPEC, "")).stop_within)
    except ValueError:  # not ours, or of another release
        return GRACE


def remove(workload: str, fence: Fence) -> Program[None]:
    yield from stop(workload, fence)
    if found := (yield from observing.machine(workload)):
        yield from guard.run(
            fence, guard.SETTLED, places.shell("remove", found.id, places.note(workload)), timeout=LIMIT
        )


def set_aside(workload: str, fence: Fence) -> Program[None]:
    """What ran is noted before it is stopped: `bring_back` starts it again."""
    if (yield from observing.machine(workload + ASIDE)) is not None:
        return
    found = yield from observing.machine(workload)
    if found is None:
        return
    if found.state.has_processes:
        ran = f"{places.note(workload)}_ran"
        yield from guard.run(fence, guard.SETTLED, ("/bin/sh", "-c", ': >>"$1"', "note", ran))
    yield from stop(workload, fence)
    yield from guard.run(
        fence, guard.SETTLED, places.shell("aside", found.id, places.note(workload)), timeout=LIMIT
    )


def bring_back(workload: str, fence: Fence) -> Program[None]:
    ran = f"{places.note(workload)}_ran"
    if (yield from observing.machine(workload + ASIDE)) is not None:
        yield from remove(workload, fence)
        yield from guard.run(fence, guard.SETTLED, places.shell("back", places.note(workload)), timeout=LIMIT)
    found = yield from observing.machine(workload)
    noted = yield Command(("test", "-e", ran), ok=(0, 1))
    if found is not None and noted.status == 0:
        yield from guard.mark(fence, Phase.RUNNING, "owner")
        yield from guard.run(fence, guard.LIVE, places.shell("start", found.id), timeout=LIMIT)
        yield from guard.run(fence, guard.SETTLED, ("rm", "-f", "--", ran))


def remove_aside(workload: str, fence: Fence) -> Program[None]:
    note = places.note(workload)
    yield from guard.run(fence, guard.SETTLED, ("rm", "-f", "--", f"{note}{ASIDE}", f"{note}_ran"))


def there(name: str) -> Program[MachineFacts]:
    found = yield from observing.machine(name)
    if found is None:
        raise CommandFailed(f"{name} is not there", code="C315", why="libvirt knows no domain of that name")
    return found


def health(workload: str, check: HealthCheck, address: str) -> Program[None]:
    within = parse_duration(check.within)
    words: tuple[str, ...]
    if check.tcp is not None:
        words = ("tcp", address, str(check.tcp.port))
    else:
        assert check.http is not None, "specs of virtual machines have no other check"
        words = ("http", address, str(check.http.port), check.http.path)
    try:
        yield Command(places.shell("health", str(round(within)), *words), timeout=within + 20)
    except CommandFailed as error:
        found = yield from observing.machine(workload)
        if found is not None and not found.state.has_processes:
            raise CommandFailed(
                f"{workload} ended", code=unwell.ENDED, why=found.reason, where=error.where
            ) from error
        raise unwell.unhealthy(workload, check, error) from error
