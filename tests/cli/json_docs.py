"""The tables of docs/json.md, from the models: `make docs`. What stands above its mark is written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reconciler.cli.views.output.documents import DOCUMENTS
from reconciler.cli.views.output.schemas import schema_of

PAGE = Path(__file__).parents[2] / "docs/json.md"
MARK = "<!-- Made by `make docs` from the models: nothing below is written by hand. -->\n"


def tables() -> str:
    """A section for each document, with its own fields, then one for each part that documents share or have."""
    parts: dict[str, dict[str, Any]] = {}
    text = ["\n## Documents\n"]
    for name in DOCUMENTS:
        schema = schema_of(name)
        parts |= {part: found for part, found in schema.get("$defs", {}).items() if "properties" in found}
        own = {k: v for k, v in schema["properties"].items() if k not in ("version", "command", "exitCode")}
        said = " ".join(schema["description"].split())
        text.append(f"### {name}\n\n{said}. [Schema](../schemas/output/{name}.json)\n\n{_table(own, schema)}")
    text.append("## Parts\n")
    for part, schema in sorted(parts.items()):
        text.append(
            f"### {part}\n\n{' '.join(schema['description'].split())}\n\n{_table(schema['properties'], schema)}"
        )
    return "\n".join(text)


def _table(fields: dict[str, Any], schema: dict[str, Any]) -> str:
    rows = ["| field | type | |", "|---|---|---|"]
    rows += [f"| `{name}` | {_type(field)} | {field.get('description', '')} |" for name, field in fields.items()]
    return "\n".join(rows) + "\n"


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})" if name not in _ENUMS else _ENUMS[name]
    if "anyOf" in field:
        return " or ".join(_type(one) for one in field["anyOf"])
    if "enum" in field:
        return " \\| ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if "items" in field:
        return f"list of {_type(field['items'])}"
    return str(field.get("type", "any"))


def _enums() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in DOCUMENTS:
        for part, schema in schema_of(name).get("$defs", {}).items():
            if "enum" in schema:
                found[part] = " \\| ".join(f"`{value}`" for value in schema["enum"])
    return found


_ENUMS = _enums()


def page(former: str) -> str:
    """The page with new tables."""
    head, mark, _ = former.partition(MARK)
    return head + (mark or MARK) + tables()


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
