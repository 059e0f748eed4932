"""Waiting until a workload answers. The waiting is done on the host, so that a slow connection costs one trip, and
ends at once when the workload has ended: then its exit code and its last words are what a user wants to know."""

from __future__ import annotations

from reconciler.core import unwell
from reconciler.errors import CommandFailed
from reconciler.model.base import parse_duration
from reconciler.model.command import Command, Program, Seconds
from reconciler.model.health import HealthCheck
from reconciler.model.world import ContainerFacts
from reconciler.runtimes.docker import containers, places

_SLACK: Seconds = 20.0
"""What a last attempt may take beyond the check's `within`."""


def health(workload: str, check: HealthCheck, address: str) -> Program[None]:
    within = parse_duration(check.within)
    facts = yield from containers.ours(workload, workload)
    if facts is None:
        raise CommandFailed(f"{workload} is not healthy: its container is gone", code=unwell.UNHEALTHY)
    head = (str(round(within * 100)), facts.id, str(facts.pid), facts.restart)
    if check.command is not None:
        argv = places.shell("health", "command", *head, *check.command)
    elif check.tcp is not None:
        argv = places.shell("health", "tcp", *head, address or "127.0.0.1", str(check.tcp.port))
    else:
        assert check.http is not None
        http = (address or "127.0.0.1", str(check.http.port), check.http.path)
        argv = places.shell("health", "http", *head, *http)
    try:
        yield Command(argv, timeout=within + _SLACK)
    except CommandFailed as error:
        now = yield from containers.ours(workload, workload)
        if now is not None and not now.state.has_processes:
            raise (yield from ended(now, error.where)) from error
        raise unwell.unhealthy(workload, check, error) from error


def not_ended(workload: str) -> Program[None]:
    """CommandFailed when a workload that was just started has failed at once."""
    if (facts := (yield from containers.failed_at_once(workload))) is not None:
        raise (yield from ended(facts))


def ended(facts: ContainerFacts, where: str = "") -> Program[CommandFailed]:
    """The error about a container that has ended. Undoing removes it, so what it said last is in the error."""
    show = 'exec docker logs --tail "$1" -- "$2" 2>&1'
    said = yield Command(
        ("/bin/sh", "-c", show, "sh", str(unwell.LAST_WORDS), facts.id), timeout=20, ok=tuple(range(256))
    )
    output = said.stdout if said.status == 0 else ""
    return unwell.ended(facts.name, facts.exit_code, output, where)
