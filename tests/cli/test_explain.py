"""Every code and rule has a page, and a mistyped one a suggestion."""

import json
import re
from pathlib import Path

import pytest

from reconciler.cli.explain import topics
from reconciler.cli.main import run
from reconciler.runtimes import registry

RULES = registry.rules()

ROOT = Path(__file__).parent.parent.parent
CODE = re.compile(r'"([EWHCGPASLR]\d{3})"')


def test_every_code_in_the_source_has_a_page():
    used = {code for path in (ROOT / "reconciler").rglob("*.py") for code in CODE.findall(path.read_text())}
    assert len(used) > 100
    assert used - topics().keys() == set()


def test_every_rule_and_refusal_of_a_plan_has_a_page():
    source = (ROOT / "reconciler/core/diff.py").read_text()
    refusals = set(re.findall(r'_refuse\(\s*"([a-z-]+)"', source))
    assert len(refusals) >= 6
    assert (refusals | RULES.keys()) - topics().keys() == set()


@pytest.mark.parametrize(
    "topic", ["E103", "e103", "criu.missing", "log.ghost-limit", "H202", "runs-twice", "S600"]
)
def test_a_page_is_shown(topic, capsys):
    assert run(["explain", topic]) == 0
    shown = capsys.readouterr().out
    assert shown.lower().startswith(topic.lower()) and len(shown.splitlines()) >= 3


def test_an_unknown_topic_suggests_a_near_one(capsys):
    assert run(["explain", "criu.mising"]) == 4
    assert "did you mean `criu.missing`" in capsys.readouterr().err


def test_without_a_topic_all_are_listed(capsys):
    assert run(["explain"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in topics())
    assert run(["explain", "--json"]) == 0
    assert {t["id"] for t in json.loads(capsys.readouterr().out)["topics"]} == topics().keys()


def test_the_guide_lists_every_rule():
    guide = (ROOT / "docs/rules.md").read_text()
    assert [name for name in RULES if f"`{name}`" not in guide] == []
    cells = [line.split("|") for line in guide.splitlines()]
    rows = {row[1].strip(" `"): row[2].strip() for row in cells if len(row) > 4}
    said = {name: f"{one.severity}{', accept' * one.acceptable}" for name, one in RULES.items()}
    assert {name: rows[name] for name in RULES} == said
