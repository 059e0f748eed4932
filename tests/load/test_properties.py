"""Whatever the bytes, loading ends with specs or with an InputError; strings come through unchanged."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import InputError
from reconciler.load import load
from reconciler.load.compose import compose
from reconciler.load.render import render_spec
from reconciler.load.scalars import resolve
from reconciler.load.source import BAD_CHARACTER
from reconciler.load.templates import TemplateFault

WORKLOAD = "apiVersion: reconciler/v1alpha1\nkind: Workload\nmetadata: {name: a}\nspec:\n  container:\n"
YAML_LIKE = st.text(alphabet="{}[]:,-&*!|>'\"#%@ \n\tab01?~.<=", max_size=200)
TEMPLATE_LIKE = st.lists(
    st.sampled_from(
        ["{{", "}}", "{%", "%}", " for ", " in ", " if ", " set ", "values", ".x", "|", "tojson", "range(9)"]  # noqa: RUF005
        + ["endfor", "endif", "a", " ~ ", "'b'", "(", ")", "[", "]", "\n", " ", "=", "__class__", "{#", "#}"]
    ),
    max_size=30,
).map("".join)


def only_input_errors(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spec.yaml"
        path.write_bytes(data)
        with contextlib.suppress(InputError):
            load([path], allow_empty=True)


@given(st.binary(max_size=300))
@settings(max_examples=150)
def test_any_bytes(data: bytes) -> None:
    only_input_errors(data)


@given(st.one_of(st.text(max_size=200), YAML_LIKE))
@settings(max_examples=300)
def test_any_text(text: str) -> None:
    only_input_errors(text.encode())


@given(YAML_LIKE)
@settings(max_examples=200)
def test_any_text_inside_a_workload(text: str) -> None:
    only_input_errors((WORKLOAD + "\n".join(f"    {line}" for line in text.split("\n"))).encode())


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(["Host", "Workload", "MigrationPolicy", "Network", "SyncPolicy"]),
    st.sampled_from(["metadata", "spec"]),
    st.sampled_from(["", "container", "placement", "health", "limits", "env", "ipam", "jump", "name"]),
    JSON_LIKE,
)
@settings(max_examples=200)
def test_any_value_in_any_field(kind: str, part: str, field: str, value: object) -> None:
    body = {"apiVersion": "reconciler/v1alpha1", "kind": kind, "metadata": {"name": "a"}, "spec": {}}
    body[part] = {field: value} if field else value
    only_input_errors(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))


@given(TEMPLATE_LIKE)
@settings(max_examples=300)
def test_any_template(text: str) -> None:
    with contextlib.suppress(TemplateFault):
        render_spec(text, {"x": "v"})


@given(st.text(max_size=60).filter(lambda s: not BAD_CHARACTER.search(s)))
@settings(max_examples=300)
def test_quoted_strings_come_through(text: str) -> None:
    composed = compose("a: " + json.dumps(text, ensure_ascii=False))
    assert [d.value for d in composed.documents] == [{"a": text}]
    assert composed.issues == []


@given(st.from_regex(r"[A-Za-z0-9_.+~-]{1,12}", fullmatch=True))
@settings(max_examples=300)
def test_plain_scalars_have_the_value_of_the_core_schema(text: str) -> None:
    if text.startswith(("-", "---", "...")) and text.strip("-.") == "":
        return
    composed = compose(f"- {text}")
    if composed.issues:
        assert composed.issues[0].code in ("E116", "E102")
    else:
        assert repr(composed.documents[0].value) == repr([resolve(text)])


def test_words_of_yaml_1_1_stay_text() -> None:
    for word in ("yes", "no", "on", "off", "y", "n", "Yes", "NO", "12:30:45", "2026-01-02", "0b1", "1_000", "0x"):
        assert resolve(word) == word
    assert [resolve(t) for t in ("1e3", "0o17", "0x1F", "-3", "+.5", "TRUE", "~", "")] == [
        *(1000.0, 15, 31, -3, 0.5, True),
        *(None, None),
    ]


@given(st.lists(st.sampled_from(["a", "b: 1", "", "{{ values.x }}", "{# c\n d #}", "{% if 1 %}\ne\n{% endif %}"])))
@settings(max_examples=100)
def test_rendered_lines_know_their_template_line(parts: list[str]) -> None:
    """A line that the template holds as it is comes from a line with that very text."""
    template = "\n".join(parts)
    rendered = render_spec(template, {"x": "v"})
    lines = template.split("\n")
    for origin, line in zip(rendered.lines, rendered.text.split("\n"), strict=True):
        if line in ("a", "b: 1", "e"):
            assert lines[origin - 1] == line
