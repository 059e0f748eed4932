"""JSON Schemas of the kinds, made from the models: for editors, and as the record of what specs may hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from reconciler.model.spec import KINDS

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_INCLUDE: Final[dict[str, Any]] = {
    "type": "object",
    "title": "Include",
    "description": "Other files and folders of the repository to load, relative to this file.",
    "properties": {"include": {"type": "array", "items": {"type": "string"}}},
    "required": ["include"],
    "additionalProperties": False,
}


def schemas() -> dict[str, str]:
    """File name to text, for every kind and `all.json`. The same models give the same text."""
    made = {f"{kind.lower()}.json": kind_schema(kind) for kind in KINDS}
    made["all.json"] = {
        "$schema": DIALECT,
        "title": "Reconciler specs",
        "oneOf": [*({"$ref": name} for name in sorted(made)), _INCLUDE],
    }
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in sorted(made.items())}


def kind_schema(kind: str) -> dict[str, Any]:
    """The schema of one kind."""
    body = plain(KINDS[kind].model_json_schema(by_alias=True))
    return {"$schema": DIALECT, **body}


def plain(schema: Any) -> Any:
    """Without the titles pydantic derives from names: they only repeat the field's name."""
    if isinstance(schema, list):
        return [plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for key, value in schema.items():
        if key == "title" and isinstance(value, str):
            continue
        if key in ("properties", "$defs") and isinstance(value, dict):
            kept[key] = {name: plain(inner) for name, inner in value.items()}
        else:
            kept[key] = plain(value)
    return kept


def drifted(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    """Names of schema files in a folder that are missing, differ from the models or have no kind."""
    stale = [name for name, text in wanted.items() if _read(folder / name) != text]
    folders = {folder / Path(name).parent for name in wanted}
    there = {str(path.relative_to(folder)) for each in folders for path in each.glob("*.json")}
    return sorted({*stale, *(there - wanted.keys())})


def write(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    """Write schemas into a folder; the names of those that changed."""
    changed = []
    for name, text in wanted.items():
        if _read(folder / name) != text:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
            changed.append(name)
    return changed


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
