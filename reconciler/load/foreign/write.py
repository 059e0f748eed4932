"""The YAML of what was imported, with what is not in it as comments, checked as any spec is."""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import ValidationError

from reconciler.load.foreign.base import Import, Remark, Service
from reconciler.load.messages import dotted
from reconciler.model.base import API_VERSION
from reconciler.model.container import Container


def checked(made: Import) -> Import:
    """What specs do not take is taken out of the sections, and named."""
    for one in made.services:
        for _ in range(len(one.container)):
            try:
                Container.model_validate(one.container, by_alias=True, by_name=False)
                break
            except ValidationError as error:
                for field in {str(item["loc"][0]) for item in error.errors() if item["loc"]}:
                    reasons = [e for e in error.errors() if e["loc"] and e["loc"][0] == field]
                    why = reasons[0]["msg"].removeprefix("Value error, ")
                    one.lose(dotted(tuple(reasons[0]["loc"])), why)
                    if field == "image":
                        one.container["image"] = f"localhost/{one.name}:latest"
                    else:
                        one.container.pop(field, None)
                if not any(item["loc"] for item in error.errors()):
                    one.lose("container", error.errors()[0]["msg"].removeprefix("Value error, "))
                    break
    return made


def render(made: Import, host: str) -> str:
    """All documents of an import, placed on a host."""
    parts = ["".join(_comment(note) for note in made.notes)] if made.notes else []
    for name, section in sorted(made.networks.items()):
        parts.append(_document("Network", name, section))
    for one in made.services:
        body: dict[str, Any] = {"container": one.container, "placement": {"host": host}}
        parts.append("".join(_comment(note) for note in one.notes) + _document("Workload", one.name, body))
    return "---\n".join(part for part in parts if part)


def yaml_text(document: dict[str, Any]) -> str:
    """A document as YAML that any reader takes."""
    return yaml.safe_dump(document, sort_keys=False, width=110)


def _comment(note: Remark) -> str:
    text = f"{'NOT HERE' if note.lost else 'note'}: {note.what}: {note.why}"
    line = " ".join(text.split())
    return f"# {''.join(c if c.isprintable() else ascii(c)[1:-1] for c in line)}\n"


def _document(kind: str, name: str, spec: dict[str, Any]) -> str:
    document = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)


def lost(one: Service) -> list[Remark]:
    return [note for note in one.notes if note.lost]
