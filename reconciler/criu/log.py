"""What CRIU's log says of a failure. It goes with its folder, so the last failed one of each workload is kept."""

from __future__ import annotations

from reconciler.core import causes
from reconciler.criu.tasks import failed_log, shell
from reconciler.model.command import Command, Program
from reconciler.model.handover import Handover


def errors(workload: str, log: str) -> Program[str]:
    """The last error lines of a CRIU log on the host; empty when there is none."""
    result = yield Command(shell("keep-log", log, failed_log(workload)), changes=True, ok=(0, 1))
    return causes.criu_errors(result.stdout)


def kept(handover: Handover, there: bool) -> str:
    """Where a user can read all of it, as the end of a sentence."""
    return f"; the full log is kept there: {failed_log(handover.name)}" if there else ""
