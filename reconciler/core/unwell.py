"""What runtimes say of an instance that is not well, in one way for all of them."""

from __future__ import annotations

from reconciler.core.causes import last_lines, telling
from reconciler.errors import CommandFailed
from reconciler.model.health import HealthCheck

ENDED = "C340"
"""The code of errors that say that a workload's program has ended by itself."""
UNHEALTHY = "C318"
LAST_WORDS = 6
"""Lines of its output that an error about an ended instance shows."""
_SIGNALLED = 128


def unhealthy(workload: str, check: HealthCheck, error: CommandFailed) -> CommandFailed:
    """The error about a health check that did not pass in its time."""
    return CommandFailed(
        f"{workload} is not healthy after {check.within}",
        argv=error.argv,
        exit_code=error.status,
        stderr=error.stderr,
        code=UNHEALTHY,
        where=error.where,
        why=telling(error.stderr) or "its check did not pass",
    )


def ended(name: str, exit_code: int, output: str, where: str) -> CommandFailed:
    """The error about an instance that has ended. Undoing removes it, so what it said last is in the error."""
    words = last_lines(output, LAST_WORDS)
    signalled = _SIGNALLED < exit_code < _SIGNALLED + 65
    how = f"exit code {exit_code}" + (f", signal {exit_code - _SIGNALLED}" if signalled else "")
    return CommandFailed(
        f"{name} ended ({how})",
        exit_code=exit_code,
        code=ENDED,
        where=where,
        why=f"it said last:\n{words}" if words else "it said nothing",
    )
