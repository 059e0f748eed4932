"""A plan, and what an apply did, for other programs: annotations of a pull request, test results, code scanning.
All from their documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.cli.views.output.apply import ApplyDocument, DoneChange
from reconciler.cli.views.output.base import Finding, Where
from reconciler.cli.views.output.plan import PlanDocument
from reconciler.cli.views.pages import ended
from reconciler.core.saga import GroupState
from reconciler.engine.lenient import Warn
from reconciler.errors import InputError
from reconciler.load.render_reports import check_templates
from reconciler.model.ending import Ending, PlanState
from reconciler.model.event import Untidied
from reconciler.model.spec import Origin

if TYPE_CHECKING:
    from junitparser import TestCase, TestSuite

Placed = Callable[[str], Origin | None]

UNSEEN = f"plan.{PlanState.UNSEEN}"
MOST_ANNOTATIONS = 10
"""Errors, and warnings, that GitHub shows of one step; it drops the others without a word."""


class Form(StrEnum):
    """Ways to tell a plan."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    GITHUB = "github"
    JUNIT = "junit"
    SARIF = "sarif"
    HTML = "html"


OF_TEMPLATES = (Form.MARKDOWN, Form.HTML)
"""Those that have templates, which users may replace."""


def form_of(asked: str, as_json: bool) -> Form:
    """The form that `--format` and `--json` ask for; InputError for one there is not."""
    if asked not in tuple(Form):
        raise InputError(f"there is no form `{asked}`", code="E190", fix=f"--format is one of {', '.join(Form)}")
    if as_json and asked not in ("text", "json"):
        what = f"--json and --format {asked} exclude each other"
        raise InputError(what, code="E190", fix="leave one of them out")
    return Form.JSON if as_json else Form(asked)


def templates_for(folder: Path | None, form: Form) -> None:
    """InputError where templates are given for a form that has none, or cannot be used."""
    if folder is None:
        return
    if form not in OF_TEMPLATES:
        raise InputError(f"--format {form} has no templates", code="E190", fix="leave --templates out")
    check_templates(folder)


def render_applied_report(
    done: ApplyDocument, form: Form, templates: Path | None, warn: Warn, placed: Placed = lambda workload: None
) -> str:
    """What an apply did, in one of the forms for other programs. It is done, whatever becomes of its report: where
    a template of the user's fails, ours is used, and that is told. `placed`: where specs say a workload."""
    if form is Form.JUNIT:
        return applied_junit(done)
    if form is Form.GITHUB:
        return workflow_commands("reconcile apply", _applied(done), applied_findings(done, placed))
    if form is Form.SARIF:
        return sarif(applied_findings(done, placed))
    from reconciler.cli.views.markdown import apply_markdown
    from reconciler.cli.views.pages import apply_page

    told = apply_page if form is Form.HTML else apply_markdown
    try:
        return told(done, templates)
    except InputError as error:
        warn(Untidied(error.code, f"{error}; this is the report without it", ""))
        return told(done)


def render_plan_report(plan: PlanDocument, form: Form, templates: Path | None = None) -> str:
    """The plan in one of the forms for other programs."""
    match form:
        case Form.HTML:
            from reconciler.cli.views.pages import plan_page

            return plan_page(plan, templates)
        case Form.MARKDOWN:
            from reconciler.cli.views.markdown import markdown

            return markdown(plan, templates)
        case Form.GITHUB:
            return workflow_commands("reconcile plan", _planned(plan), planned_findings(plan))
        case Form.JUNIT:
            return junit(plan)
        case Form.SARIF:
            return sarif(planned_findings(plan))
    raise ValueError(f"{form} is no report")


def workflow_commands(title: str, summary: str, findings: Sequence[Finding]) -> str:
    """Workflow commands for GitHub: errors first, then warnings, how many were left out, and a summary."""
    lines, left = [], 0
    for severity in ("error", "warning"):
        found = [f for f in findings if f.severity == severity and not f.accepted]
        lines += [_annotation(severity, finding) for finding in found[:MOST_ANNOTATIONS]]
        left += max(0, len(found) - MOST_ANNOTATIONS)
    more = f"; {left} findings are not annotated, see the log" if left else ""
    return "\n".join([*lines, f"::notice title={_property(title)}::{_value(summary + more)}"])


def _planned(plan: PlanDocument) -> str:
    moves = [change.move for change in plan.changes if change.move]
    told = f"{plan.state.told}: {len(plan.changes)} changes, {len(moves)} of them moves"
    if moves:
        told += f" of at most {max(move.predicted_most_s for move in moves):.1f} s of downtime each"
    unseen = f"; {len(plan.unknown_hosts)} hosts not seen" if plan.unknown_hosts else ""
    return told + unseen


def planned_findings(plan: PlanDocument) -> tuple[Finding, ...]:
    """What is wrong with a plan: what its rules found, and that no host could be seen."""
    if plan.state is not PlanState.UNSEEN:
        return plan.findings
    return (_of_all(UNSEEN, plan.state.told, "reconcile doctor"), *plan.findings)


def _applied(done: ApplyDocument) -> str:
    frozen = [change.move.frozen_s for change in done.changes if change.move and change.move.frozen_s is not None]
    told = ended(done)
    return f"{told}; frozen for at most {max(frozen):.2f} s" if frozen else told


def applied_findings(done: ApplyDocument, placed: Placed) -> tuple[Finding, ...]:
    """What is wrong after an apply: changes that were not done, what was refused, warnings, what is untidy."""
    failed = (_failed(change) for change in done.changes if change.state is not GroupState.DONE)
    found = (*_ended(done), *failed, *done.refused, *done.warnings, *done.untidied)
    return tuple(_in_specs(finding, placed) for finding in found)


def _ended(done: ApplyDocument) -> tuple[Finding, ...]:
    """What no change and no refusal says: that no host was seen, that nobody agreed, that it was interrupted."""
    if done.state not in (Ending.UNSEEN, Ending.DECLINED, Ending.INTERRUPTED):
        return ()
    fix = "reconcile doctor" if done.state is Ending.UNSEEN else "reconcile apply"
    return (_of_all(f"apply.{done.state}", ended(done), fix),)


def _of_all(code: str, message: str, fix: str) -> Finding:
    """An error that is about no workload."""
    return Finding(code=code, severity="error", message=message, where=Where(), fix=fix)


def _failed(change: DoneChange) -> Finding:
    message = "; ".join(_errors(change)) or f"its {change.kind} has not ended"
    where = Where(workload=change.workload, host=change.errors[0].host if change.errors else change.destination)
    return Finding(
        code=f"apply.{change.state}",
        severity="error",
        message=f"{change.state}: {message}",
        where=where,
        fix="see how it stands: reconcile status",
    )


def _in_specs(finding: Finding, placed: Placed) -> Finding:
    origin = placed(finding.where.workload or "")
    if finding.where.file or origin is None:
        return finding
    place = {"file": origin.file, "line": origin.line, "column": origin.col}
    return finding.model_copy(update={"where": finding.where.model_copy(update=place)})


def _annotation(severity: str, finding: Finding) -> str:
    where = finding.where
    place = {"file": where.file, "line": where.line, "col": where.column} if where.file else {}
    subject = " ".join(filter(None, (where.workload, finding.code)))
    named = ",".join(
        f"{key}={_property(str(value))}" for key, value in (place | {"title": subject}).items() if value
    )
    return f"::{severity} {named}::{_value(_sentence(finding))}"


def _sentence(finding: Finding) -> str:
    if finding.accepted:
        return f"accepted by the policy: {finding.message}"
    return f"{finding.message}. {finding.fix}" if finding.fix else finding.message


def _value(text: str) -> str:
    """As GitHub's runner reads it back: a line end would begin another command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _value(text).replace(":", "%3A").replace(",", "%2C")


def junit(plan: PlanDocument) -> str:
    """A test case for each workload that is concerned: a failure where something is refused."""
    from junitparser import Failure, TestCase, TestSuite

    suite = TestSuite("reconcile plan")
    for row in (row for row in plan.verdicts if row.workload):
        case = TestCase(_xml(row.workload), classname="plan")
        findings = [finding for finding in plan.findings if finding.where.workload == row.workload]
        refused = [finding for finding in findings if finding.severity == "error"]
        if refused:
            failure = Failure(_xml(refused[0].message), _xml(refused[0].code))
            failure.text = _xml("\n".join(f"{finding.code}: {_sentence(finding)}" for finding in refused))
            case.result = [failure]
        warnings = [f"{finding.code}: {_sentence(finding)}" for finding in findings if finding not in refused]
        if warnings:
            case.system_out = _xml("\n".join(warnings))
        suite.add_testcase(case)
    suite.add_testcases([_refused(finding, "plan") for finding in planned_findings(plan) if _nobodys(finding)])
    return _xml_of(suite)


def _nobodys(finding: Finding) -> bool:
    """Whether it is an error, and no workload's."""
    return finding.severity == "error" and not finding.where.workload


def _refused(finding: Finding, kind: str) -> TestCase:
    from junitparser import Failure, TestCase

    case = TestCase(_xml(finding.where.workload or finding.where.host or "all"), classname=kind)
    failure = Failure(_xml(finding.message), _xml(finding.code))
    failure.text = _xml(_sentence(finding))
    case.result = [failure]
    return case


def applied_junit(done: ApplyDocument) -> str:
    """A test case for each change, whose time is how long it was frozen; and one for each workload that is
    refused."""
    from junitparser import Failure, TestCase, TestSuite

    suite = TestSuite("reconcile apply")
    for change in done.changes:
        case = TestCase(_xml(change.workload), classname="apply")
        if change.move and change.move.frozen_s is not None:
            case.time = change.move.frozen_s
            low, high = change.move.predicted_downtime_s, change.move.predicted_most_s
            case.system_out = f"frozen for {change.move.frozen_s:.3f} s, predicted {low:.3f} to {high:.3f} s"
        if change.state is not GroupState.DONE:
            failure = Failure(_xml(change.state.value), _xml(change.kind.value))
            failure.text = _xml("\n".join(_errors(change)))
            case.result = [failure]
        suite.add_testcase(case)
    suite.add_testcases([_refused(finding, "apply") for finding in _ended(done)])
    suite.add_testcases([_refused(finding, "refused") for finding in done.refused])
    return _xml_of(suite)


def _errors(change: DoneChange) -> list[str]:
    told = [
        f"{'undoing ' if error.undo else ''}{error.kind} on {error.host}: {error.message}"
        for error in change.errors
    ]
    return [*told, change.became] if change.became else told


def _xml_of(suite: TestSuite) -> str:
    from junitparser import JUnitXml

    xml = JUnitXml("reconcile")
    xml.add_testsuite(suite)
    xml.update_statistics()
    text: bytes = xml.tostring()
    return text.decode()


def _xml(text: str) -> str:
    """Without what XML cannot hold."""
    return "".join(
        c if c in "\t\n" or (" " <= c < "\ufffe" and not "\ud800" <= c <= "\udfff") else "?" for c in text
    )


def sarif(findings: Sequence[Finding]) -> str:
    """SARIF 2.1.0 for code scanning: a result for each finding, at the line of the specs it is about."""
    from sarif_pydantic import Message, ReportingDescriptor, Run, Sarif, Tool, ToolDriver

    rules = sorted({finding.code for finding in findings})
    driver = ToolDriver(
        name="reconcile",
        version=__version__,
        rules=[ReportingDescriptor(id=code, help=Message(text=_help(code)), name=code) for code in rules],
    )
    results = [_result(finding, rules) for finding in findings]
    log = Sarif(version="2.1.0", runs=[Run(tool=Tool(driver=driver), results=results)])
    return str(log.model_dump_json(by_alias=True, exclude_none=True, indent=2))


def _help(code: str) -> str:
    if code in (UNSEEN, f"apply.{Ending.UNSEEN}"):
        return "reconcile doctor"
    return "reconcile status" if code.startswith("apply.") else f"reconcile explain {code}"


def _result(finding: Finding, rules: Sequence[str]) -> object:
    import hashlib

    from sarif_pydantic import Level, Message, Result

    where = finding.where
    same = f"{finding.code} {where.workload} {where.host}"
    return Result(
        rule_id=finding.code,
        rule_index=rules.index(finding.code),
        level=Level.NOTE if finding.accepted else Level.ERROR if finding.severity == "error" else Level.WARNING,
        message=Message(text=_sentence(finding)),
        locations=[_location(finding)] if where.file else [],
        partial_fingerprints={"finding/v1": hashlib.sha256(same.encode()).hexdigest()},
    )


def _location(finding: Finding) -> object:
    from urllib.parse import quote

    from sarif_pydantic import ArtifactLocation, Location, PhysicalLocation, Region

    where = finding.where
    return Location(
        physical_location=PhysicalLocation(
            artifact_location=ArtifactLocation(uri=quote(where.file or "")),
            region=Region(start_line=where.line or 1, start_column=where.column or 1),
        )
    )
