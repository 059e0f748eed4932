"""What `--json` prints when a command failed: one document, whatever the command."""

from __future__ import annotations

from pydantic import Field

from reconciler.cli.views.output.base import Document, Finding, Where, of_diagnostic, of_error
from reconciler.core.criu_errors import translate
from reconciler.errors import CommandFailed, InputError, ReconcilerError


class ErrorDocument(Document):
    """Every command with `--json` that fails: refused, bad input, interrupted, locked, or a mistake of ours"""

    command: str = Field(description="As far as it was understood; may be empty")
    error: Finding = Field(description="What ended it. R001: a mistake of ours, `where.file` is the report")
    findings: tuple[Finding, ...] = Field(description="What was found in the specs; what a log is known to mean")
    said: str | None = Field(description="The last lines of a command that failed on a host")
    log: str | None = Field(description="The last lines of the runtime's own log there")


def error_document(error: ReconcilerError, command: str) -> ErrorDocument:
    said = log = None
    findings: list[Finding] = []
    if isinstance(error, InputError):
        findings += [of_diagnostic(found) for found in error.diagnostics]
    if isinstance(error, CommandFailed):
        said, log = error.stderr or None, error.log_tail or None
        if known := translate(f"{error.log_tail}\n{error.stderr}\n{error.why}"):
            where = Where(host=error.where or None)
            means = Finding(code=known.known.id, severity="error", message=known.cause, where=where, fix=known.fix)
            findings.append(means)
    return ErrorDocument(
        command=command,
        exit_code=error.exit_code,
        error=of_error(error),
        findings=tuple(findings),
        said=said,
        log=log,
    )


def crash_document(kind: str, report: str, saved: bool, command: str) -> ErrorDocument:
    """A mistake in the program. `report`: the file it was saved to, else why it was not."""
    where = Where(file=report) if saved else Where(text=f"the report was not saved: {report}")
    error = Finding(
        code="R001",
        severity="error",
        message=f"unexpected: {kind}",
        where=where,
        why="this is a mistake in reconcile, not in your files",
        fix="reconcile status shows whether a hand-over is unfinished; please send the report",
    )
    return ErrorDocument(command=command, exit_code=1, error=error, findings=(), said=None, log=None)
