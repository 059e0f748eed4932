"""`validate --json`, `schema --json`, `init --json` and `explain --json`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from reconciler.cli.views.output.base import Document, Finding, Part, of_diagnostic
from reconciler.errors import Diagnostic
from reconciler.load import Loaded

if TYPE_CHECKING:
    from reconciler.cli.explain import Topic
    from reconciler.load.foreign.base import Import, Remark


class Counts(Part):
    """How much there is of everything."""

    files: int
    workloads: int
    hosts: int
    policies: int
    networks: int


class ValidateDocument(Document):
    """`reconcile validate --json`, of specs that are good and of those that are not"""

    command: Literal["validate"] = "validate"
    valid: bool
    message: str | None = Field(description="What is wrong, in a sentence; null when nothing is")
    errors: int = Field(description="How many are listed")
    warnings: int
    counts: Counts | None = Field(description="null when the specs are not valid")
    findings: tuple[Finding, ...]


class SchemaFile(Part):
    """A schema of a kind of spec."""

    name: str = Field(description="Of its file")
    json_schema: dict[str, Any] | None = Field(
        alias="schema", description="Its text as JSON; null where files are written or checked"
    )
    changed: bool | None = Field(description="Whether it was written; null where nothing is")


class SchemaDocument(Document):
    """`reconcile schema --json`: the schemas of specs. With `--check` or `--out` what became of the files"""

    command: Literal["schema"] = "schema"
    folder: str | None = Field(description="null when the schemas are only printed")
    schemas: tuple[SchemaFile, ...]


class InitDocument(Document):
    """`reconcile init --json`"""

    command: Literal["init"] = "init"
    folder: str
    written: tuple[str, ...] = Field(description="Files, from that folder on")
    left: tuple[str, ...] = Field(description="Files that were there and stay as they are")


class ImportRemark(Part):
    """Something that is not as it was in the file."""

    what: str
    why: str
    missing: bool = Field(description="Whether the specs lack it; else it is only to be looked at")


class ImportedWorkload(Part):
    """A workload that was made of a service or unit."""

    name: str
    remarks: tuple[ImportRemark, ...]


class ImportDocument(Document):
    """`reconcile import --json`"""

    command: Literal["import"] = "import"
    written: str | None = Field(description="The file; null where none was asked for")
    text: str = Field(description="The specs, as YAML")
    workloads: tuple[ImportedWorkload, ...]
    remarks: tuple[ImportRemark, ...] = Field(description="About the file as a whole")


def import_document(made: Import, text: str, written: str | None, status: int) -> ImportDocument:
    def rows(remarks: Iterable[Remark]) -> tuple[ImportRemark, ...]:
        return tuple(ImportRemark(what=r.what, why=r.why, missing=r.lost) for r in remarks)

    workloads = tuple(ImportedWorkload(name=one.name, remarks=rows(one.notes)) for one in made.services)
    return ImportDocument(
        exit_code=status, written=written, text=text, workloads=workloads, remarks=rows(made.notes)
    )


class TopicRow(Part):
    """A page of `reconcile explain`."""

    id: str
    kind: Literal["rule", "code", "plan", "input", "log"]
    severity: Literal["error", "warning"] | None
    title: str
    text: str
    fix: str


class ExplainDocument(Document):
    """`reconcile explain --json`"""

    command: Literal["explain"] = "explain"
    topics: tuple[TopicRow, ...]


def explain_document(topics: Iterable[Topic]) -> ExplainDocument:
    rows = (
        TopicRow(
            id=topic.id,
            kind=topic.kind,
            severity=_SEVERITY.get(topic.severity),
            title=topic.title,
            text=topic.text,
            fix=topic.fix,
        )
        for topic in topics
    )
    return ExplainDocument(exit_code=0, topics=tuple(rows))


_SEVERITY: dict[str, Literal["error", "warning"]] = {"refuse": "error", "warn": "warning"}


def valid_document(loaded: Loaded) -> ValidateDocument:
    spec = loaded.spec
    counts = Counts(
        files=len(loaded.files),
        workloads=len(spec.workloads),
        hosts=len(spec.hosts),
        policies=len(spec.policies),
        networks=len(spec.networks),
    )
    return _validated(loaded.warnings, 0, None, counts)


def invalid_document(diagnostics: Sequence[Diagnostic], message: str, exit_code: int) -> ValidateDocument:
    return _validated(diagnostics, exit_code, message, None)


def _validated(
    diagnostics: Sequence[Diagnostic], exit_code: int, message: str | None, counts: Counts | None
) -> ValidateDocument:
    errors = sum(found.severity == "error" for found in diagnostics)
    return ValidateDocument(
        exit_code=exit_code,
        valid=counts is not None,
        message=message,
        errors=errors,
        warnings=len(diagnostics) - errors,
        counts=counts,
        findings=tuple(of_diagnostic(found) for found in diagnostics),
    )


def printed_schemas(schemas: Mapping[str, Any]) -> SchemaDocument:
    files = (SchemaFile(name=name, json_schema=made, changed=None) for name, made in schemas.items())
    return SchemaDocument(exit_code=0, folder=None, schemas=tuple(files))


def schema_files(folder: str, names: Iterable[str], changed: Iterable[str] | None) -> SchemaDocument:
    """Files in a folder. `changed`: those that were written; None when they were only compared."""
    written = None if changed is None else set(changed)
    files = (
        SchemaFile(name=name, json_schema=None, changed=None if written is None else name in written)
        for name in names
    )
    return SchemaDocument(exit_code=0, folder=folder, schemas=tuple(files))
