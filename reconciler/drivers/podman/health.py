"""Waiting until a workload answers. The waiting is done on the host, so that a slow connection costs one trip."""

from __future__ import annotations

from reconciler.drivers.podman import containers, paths
from reconciler.errors import CommandFailed
from reconciler.model.base import parse_duration
from reconciler.model.command import Command, Program
from reconciler.model.spec import HealthCheck

_SLACK = 20.0
"""Seconds a last attempt may take beyond the check's `within`."""


def health(workload: str, check: HealthCheck, address: str) -> Program[None]:
    within = parse_duration(check.within)
    facts = yield from containers.ours(workload, workload)
    if facts is None or not facts.state.has_processes:
        raise CommandFailed(f"{workload} is not healthy: it does not run", code="C318")
    limit = str(round(within * 100))
    if check.command is not None:
        argv = paths.shell("health", "command", limit, workload, *check.command)
    elif check.tcp is not None:
        argv = paths.shell("health", "tcp", limit, str(facts.pid), address, str(check.tcp.port))
    else:
        assert check.http is not None
        argv = paths.shell("health", "http", limit, str(facts.pid), address, str(check.http.port), check.http.path)
    try:
        yield Command(argv, timeout=within + _SLACK)
    except CommandFailed as error:
        raise CommandFailed(
            f"{workload} is not healthy after {check.within}",
            argv=error.argv,
            exit_code=error.status,
            stderr=error.stderr,
            code="C318",
            where=error.where,
            why=error.stderr.strip().rpartition("\n")[2] or "its check did not pass",
        ) from error
