"""What every document of `--json` shares: its head, the one shape of findings, times and numbers."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any, Literal

import typer
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from reconciler.errors import (
    CommandFailed,
    Diagnostic,
    GuardRefused,
    HostError,
    InDoubt,
    InputError,
    JournalError,
    ReconcilerError,
    Refused,
    ReplyLost,
)
from reconciler.model.event import Untidied
from reconciler.model.plan import Finding as RuleFinding
from reconciler.model.spec import Origin
from reconciler.model.units import TIME_ENDS
from reconciler.model.world import World


class Part(BaseModel):
    """A part of a document. camelCase outside; every field is always there, null where it is not known."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        json_schema_serialization_defaults_required=True,
    )


class Where(Part):
    """Where a finding is, as far as that is known: in a file, or on a host."""

    file: str | None = None
    line: int | None = Field(None, description="From 1; null for the whole file")
    column: int | None = Field(None, description="From 1")
    length: int | None = Field(None, description="Characters from `column` on that are meant")
    source_line: str | None = Field(None, description="That line of the file")
    host: str | None = None
    workload: str | None = None
    text: str | None = Field(None, description="The place in words, when it is none of these")


class Finding(Part):
    """One thing that is wrong, or worth a warning: in a spec, on a host, of a change, of a run."""

    code: str = Field(description="Stable; `reconcile explain CODE` tells more. Empty for one that has none")
    severity: Literal["error", "warning"]
    message: str = Field(description="One sentence")
    where: Where
    why: str = Field("", description="The cause, as far as it is known")
    fix: str = Field("", description="The way out")
    accepted: bool = Field(False, description="The policy accepts what this rule finds: it stops nothing")


class Document(Part):
    """The head of all documents."""

    version: Literal[2] = Field(2, description="Grows when a field goes away or changes its meaning")
    command: str = Field(description="The command that was run")
    exit_code: int = Field(description="What the program ends with")


class Place(Part):
    """A place in a spec file."""

    file: str
    line: int
    column: int


class UnknownHost(Part):
    """A host that was not seen: nothing is said about what is on it."""

    host: str
    code: str
    reason: str


def emit(document: Document) -> None:
    """Write one document to stdout, as ASCII: whatever the terminal's encoding is."""
    typer.echo(as_text(document))


def as_text(document: Document) -> str:
    return json.dumps(as_json(document), indent=2, allow_nan=False)


def as_json(document: Document) -> dict[str, Any]:
    """The document as it is written."""
    return document.model_dump(mode="json", by_alias=True)


def moment(seconds: float | None) -> str | None:
    """Seconds since the epoch as ISO 8601 in UTC, to the millisecond; None for 0, which means never."""
    if not seconds or not math.isfinite(seconds) or not 0 < seconds < TIME_ENDS:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rounded(number: float | None) -> float | None:
    """Seconds to the millisecond; None for what is no number."""
    return round(number, 3) if number is not None and math.isfinite(number) else None


def known(number: float) -> float:
    """Seconds to the millisecond, of a number that was computed here."""
    return round(number, 3) if math.isfinite(number) else 0.0


def of_rule(finding: RuleFinding, origin: Origin | None = None) -> Finding:
    """What a rule found about a change, or about a host. `origin`: where the specs say what it is about."""
    place: dict[str, Any] = {"file": origin.file, "line": origin.line, "column": origin.col} if origin else {}
    return Finding(
        code=finding.rule,
        severity="error" if finding.severity == "refuse" else "warning",
        message=finding.message,
        where=Where(host=finding.host or None, workload=finding.workload or None, **place),
        fix=finding.fix,
        accepted=finding.accepted,
    )


def of_diagnostic(found: Diagnostic) -> Finding:
    """What was found in a file. Values of secrets are not in it."""
    where = Where(file=found.file)
    if found.line:
        where = Where(
            file=found.file,
            line=found.line,
            column=found.col,
            length=found.length,
            source_line=found.source_line,
        )
    return Finding(
        code=found.code,
        severity="error" if found.severity == "error" else "warning",
        message=found.message,
        where=where,
        fix=found.hint,
    )


def of_error(error: ReconcilerError) -> Finding:
    """An error that ended a command."""
    return Finding(
        code=error.code,
        severity="error",
        message=error.what,
        where=_place(error),
        why=error.why,
        fix=error.fix,
    )


def untidied(left: Untidied) -> Finding:
    """What could not be tidied after an outcome. It takes nothing back of it."""
    return Finding(code=left.code, severity="warning", message=left.text, where=Where(host=left.host or None))


def unknown_hosts(world: World) -> tuple[UnknownHost, ...]:
    """The hosts that were not seen, by name."""
    return tuple(
        UnknownHost(host=name, code=host.code, reason=host.reason)
        for name, host in sorted(world.unknown().items())
    )


_ON_HOSTS = (HostError, CommandFailed, ReplyLost, GuardRefused, Refused, InDoubt)


def _place(error: ReconcilerError) -> Where:
    where = error.where
    if not where:
        return Where()
    if isinstance(error, _ON_HOSTS):
        return Where(host=where)
    if isinstance(error, InputError | JournalError) and " " not in where:
        return Where(file=where)
    return Where(text=where)
