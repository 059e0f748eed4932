"""`reconcile explain`: one page for every code, rule and known failure."""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from reconciler.cli.options import AsJson

Kind = Literal["rule", "code", "plan", "input", "log"]
WIDTH = 100
"""Columns of a page at most: longer lines are hard to read."""


@dataclass(frozen=True)
class Topic:
    """A page. `fix` stands last where there is one."""

    id: str
    kind: Kind
    title: str
    text: str
    severity: str = ""
    fix: str = ""
    accept: bool = False


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="explain")(explain)


def explain(
    topic: Annotated[
        str | None, typer.Argument(metavar="ID", help="A code (E103), a rule (criu.missing) or log.NAME.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Explain an error code, a rule or a known failure; without ID, list all of them."""
    from reconciler.errors import InputError

    known = topics()
    if topic is None:
        shown = list(known.values())
        _show(shown, listing(shown), as_json)
        return
    found = known.get(topic) or known.get(topic.upper()) or known.get(topic.lower())
    if found is None:
        raise InputError(f"nothing is known about `{topic}`", code="E190", fix=_nearest(topic, known))
    _show([found], page(found), as_json)


def _show(topics: list[Topic], text: str, as_json: bool) -> None:
    from reconciler.cli.views.layout import folded, width_of

    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.specs import explain_document

        emit(explain_document(topics))
    else:
        width = width_of(sys.stdout)
        typer.echo(folded(text, width and min(width, WIDTH), hang=0))


def topics() -> dict[str, Topic]:
    """Everything that has a page, by its ID."""
    from reconciler.core.criu_known import KNOWN
    from reconciler.load.codes import CODES
    from reconciler.runtimes import registry

    every = [
        *(Topic(i, "input", c.title, c.text, "warn" if i.startswith("W") else "refuse") for i, c in CODES.items()),
        *(Topic(i, "code" if i[1:].isdigit() else "plan", p.title, p.text) for i, p in registry.pages().items()),
        *(
            Topic(r.id, "rule", _first(r.text), r.text, r.severity, accept=r.acceptable)
            for r in registry.rules().values()
        ),
        *(Topic(k.id, "log", k.cause, _found_by(k.rule), fix=k.fix) for k in KNOWN),
    ]
    return {topic.id: topic for topic in every}


def page(topic: Topic) -> str:
    """A topic as text."""
    head = f"{topic.id}: {topic.title}" if topic.kind != "rule" else topic.id
    if topic.kind == "rule":
        head += ": stops the change" if topic.severity == "refuse" else ": a warning; the change goes on"
    parts = [head, *(" ".join(block.split()) for block in topic.text.split("\n\n") if block)]
    if topic.accept:
        parts.append(f"accept: [{topic.id}] in the workload's MigrationPolicy lets it pass.")
    return "\n\n".join(parts + ([f"fix  {topic.fix}"] if topic.fix else []))


def listing(every: list[Topic]) -> str:
    """All topics, one line each, by kind."""
    heads = {
        "rule": "Rules: asked before anything is stopped",
        "plan": "Reasons why nothing is planned",
        "code": "Errors",
        "input": "Bad input",
        "log": "Known lines of CRIU's and the runtimes' logs",
    }
    lines: list[str] = []
    for kind, head in heads.items():
        lines += ["", head]
        chosen = sorted((t for t in every if t.kind == kind), key=lambda topic: topic.id)
        lines += [f"  {topic.id:<24} {_short(topic.title)}" for topic in chosen]
    return "\n".join(lines[1:])


def _first(text: str) -> str:
    return " ".join(text.split()).split(". ")[0].rstrip(".")


def _short(text: str) -> str:
    return text if len(text) <= 90 else f"{text[:89].rsplit(' ', 1)[0]} ..."


def _found_by(rule: str) -> str:
    return f"Found beforehand by the rule {rule}: reconcile explain {rule}" if rule else ""


def _nearest(topic: str, known: dict[str, Topic]) -> str:
    folded = {name.lower(): name for name in known}
    near = difflib.get_close_matches(topic.lower(), folded, n=3, cutoff=0.5)
    near += [name for name in folded if topic.lower() in name and name not in near][:3]
    names = ", ".join(f"`{folded[name]}`" for name in near[:3])
    return f"did you mean {names}?" if names else "reconcile explain lists everything"
