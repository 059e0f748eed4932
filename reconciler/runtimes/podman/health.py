"""Waiting until a workload answers. The waiting is done on the host, so that a slow connection costs one trip, and
ends at once when the workload has ended: then its exit code and its last words are what a user wants to know."""

from __future__ import annotations

from reconciler.core.causes import last_lines, telling
from reconciler.errors import CommandFailed
from reconciler.model.base import parse_duration
from reconciler.model.command import Command, Program
from reconciler.model.container import RestartPolicy
from reconciler.model.spec import HealthCheck
from reconciler.model.world import ContainerFacts
from reconciler.runtimes.base import ENDED
from reconciler.runtimes.podman import containers, paths

UNHEALTHY = "C318"
_SLACK = 20.0
"""Seconds a last attempt may take beyond the check's `within`."""
_LAST_WORDS = 6
_SIGNALLED = 128


def health(workload: str, check: HealthCheck, address: str) -> Program[None]:
    within = parse_duration(check.within)
    facts = yield from containers.ours(workload, workload)
    if facts is None:
        raise CommandFailed(f"{workload} is not healthy: its container is gone", code=UNHEALTHY)
    head = (str(round(within * 100)), workload, str(facts.pid), facts.restart or RestartPolicy.NO.value)
    if check.command is not None:
        argv = paths.shell("health", "command", *head, *check.command)
    elif check.tcp is not None:
        argv = paths.shell("health", "tcp", *head, address, str(check.tcp.port))
    else:
        assert check.http is not None
        argv = paths.shell("health", "http", *head, address, str(check.http.port), check.http.path)
    try:
        yield Command(argv, timeout=within + _SLACK)
    except CommandFailed as error:
        now = yield from containers.ours(workload, workload)
        if now is not None and not now.state.has_processes:
            raise (yield from ended(now, error.where)) from error
        raise CommandFailed(
            f"{workload} is not healthy after {check.within}",
            argv=error.argv,
            exit_code=error.status,
            stderr=error.stderr,
            code=UNHEALTHY,
            where=error.where,
            why=telling(error.stderr) or "its check did not pass",
        ) from error


def not_ended(workload: str) -> Program[None]:
    """CommandFailed when a workload that was just started has failed at once."""
    if (facts := (yield from containers.failed_at_once(workload))) is not None:
        raise (yield from ended(facts))


def ended(facts: ContainerFacts, where: str = "") -> Program[CommandFailed]:
    """The error about a container that has ended. Undoing removes it, so what it said last is in the error."""
    show = 'exec podman logs --tail "$1" -- "$2" 2>&1'
    said = yield Command(
        ("/bin/sh", "-c", show, "sh", str(_LAST_WORDS), facts.id), timeout=20, ok=tuple(range(256))
    )
    words = last_lines(said.stdout, _LAST_WORDS) if said.status == 0 else ""
    code = facts.exit_code
    how = f"exit code {code}" + (f", signal {code - _SIGNALLED}" if _SIGNALLED < code < _SIGNALLED + 65 else "")
    return CommandFailed(
        f"{facts.name} ended ({how})",
        exit_code=code,
        code=ENDED,
        where=where,
        why=f"it said last:\n{words}" if words else "it said nothing",
    )
