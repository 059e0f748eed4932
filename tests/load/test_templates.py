"""Template values: where they come from, what templates may do, and where their mistakes are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import InputError
from reconciler.load import load, read_values
from reconciler.load.render import render_spec
from reconciler.load.templates import RenderFault, TemplateFault
from tests.load.fleet import host

TEMPLATE = (
    host(0)
    + """{% for n in range(values.count) %}
---
apiVersion: reconciler/v1alpha1
kind: Workload
metadata: {name: web-{{ n }}}
spec:
  container:
    image: registry.example/web:{{ values.image.tag }}
    env: {GREETING: {{ values.greeting | tojson }}}
  placement: {host: h0}
{% endfor %}
"""
)


def test_values_fill_templates(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(TEMPLATE)
    (tmp_path / "values.yaml").write_text("count: 1\nimage: {tag: old, other: kept}\ngreeting: 'a: \"b\" # c'\n")
    values = read_values([tmp_path / "values.yaml"], ["count=2", "image.tag=7.2-alpine"])
    assert values["image"] == {"tag": "7.2-alpine", "other": "kept"}
    spec = load([tmp_path], values=values, skip=[tmp_path / "values.yaml"])
    assert list(spec.workloads) == ["web-0", "web-1"]
    container = spec.workloads["web-1"].container
    assert container.image == "registry.example/web:7.2-alpine"
    assert container.env == {"GREETING": 'a: "b" # c'}
    origin = spec.origin("Workload", "web-1", "spec.placement.host")
    assert origin is not None
    assert origin.line == 15


def test_settings_are_read_as_yaml_scalars() -> None:
    assert read_values([], ["a=1", "b=yes", "c=true", "d=x=y", "e.f=", "g=0755"]) == {
        "a": 1,
        "b": "yes",
        "c": True,
        "d": "x=y",
        "e": {"f": None},
        "g": "0755",
    }


@pytest.mark.parametrize("setting", ["", "novalue", "=x", "a b=c", "a..b=c", "-a=1"])
def test_bad_settings(setting: str) -> None:
    with pytest.raises(InputError) as caught:
        read_values([], [setting])
    assert [d.code for d in caught.value.diagnostics] == ["E134"]


def test_bad_values_files(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("- a\n")
    (tmp_path / "twice.yaml").write_text("a: 1\na: 2\n")
    with pytest.raises(InputError) as caught:
        read_values([tmp_path / "list.yaml", tmp_path / "twice.yaml", tmp_path / "gone.yaml"])
    assert [d.code for d in caught.value.diagnostics] == ["E134", "E107", "E101"]


def test_a_secret_that_comes_by_value_is_refused_and_not_shown(tmp_path: Path) -> None:
    text = TEMPLATE.replace("GREETING: {{ values.greeting | tojson }}", 'DB_PASSWORD: "{{ values.password }}"')
    (tmp_path / "w.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        load([tmp_path], values={"count": 1, "image": {"tag": "1"}, "password": "hunter2"})
    (found,) = caught.value.diagnostics
    assert (found.code, found.line) == ("E151", 14)
    assert "hunter2" not in repr(found)


def test_literal_braces() -> None:
    assert render_spec("a: {% raw %}{{.Names}}{% endraw %}", {}).text == "a: {{.Names}}"


def test_keys_of_values_win_over_methods() -> None:
    values = {"items": "i", "keys": "k", "nested": {"values": [1, 2]}}
    assert render_spec("{{ values.items }}{{ values.keys }}{{ values.nested.values[1] }}", values).text == "ik2"


REFUSED = [
    "{{ ''.__class__ }}",
    "{{ values['__class__'] }}",
    "{{ values | attr('__class__') }}",
    "{{ values.x.format(1) }}",
    "{{ '%1000000000s' % 1 }}",
    "{{ 'a' * 1000000000 }}",
    "{{ 9 ** 999999999 }}",
    "{{ range.__self__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ self }}",
    "{{ cycler.__init__ }}",
    "{{ lipsum(9) }}",
    "{{ values.x.upper.__func__ }}",
    "{% macro f() %}{{ f() }}{% endmacro %}",
    "{% set a %}b{% endset %}",
    "{% filter upper %}b{% endfilter %}",
    "{% include 'x' %}",
    "{% import 'x' as y %}",
    "{% extends 'x' %}",
    "{% block a %}{% endblock %}",
    "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "{% set l = [values.list, values.list] %}",
    "{{ values.list }}",
    "{{ 'a\\nb' }}",
]


@pytest.mark.parametrize("template", REFUSED)
def test_what_templates_may_not_do(template: str) -> None:
    with pytest.raises(TemplateFault) as caught:
        render_spec(f"\n{template}", {"x": "v", "list": [1]})
    assert caught.value.fault in (RenderFault.REFUSED, RenderFault.SYNTAX, RenderFault.UNDEFINED)
    assert caught.value.line == 2


LIMITED = [
    "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    "{% for a in range(99999999999) %}{% endfor %}",
    "{% set n = namespace(x='aaaa') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "{% set n = namespace(x='aaaa') %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "{% set n = namespace(x=9) %}{% for i in range(60) %}{% set n.x = n.x * n.x %}{% endfor %}",
    "{% for a in range(20000) %}" + "x" * 5000 + "{% endfor %}",
    "{{ " + "(" * 2000 + "1" + ")" * 2000 + " }}",
]


@pytest.mark.parametrize("template", LIMITED, ids=range(len(LIMITED)))
def test_templates_end(template: str) -> None:
    with pytest.raises(TemplateFault) as caught:
        render_spec(template, {})
    assert caught.value.fault is RenderFault.LIMIT


def test_templates_end_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.load.render.MAX_SECONDS", 0.2)
    template = "{% for a in range(20000) %}{% set x = range(12000) | join %}{% endfor %}"
    with pytest.raises(TemplateFault, match="longer than") as caught:
        render_spec(template, {})
    assert caught.value.fault is RenderFault.LIMIT
