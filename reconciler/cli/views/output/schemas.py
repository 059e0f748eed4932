"""The JSON Schemas of what `--json` prints, made from the models."""

from __future__ import annotations

import json
from typing import Any

from reconciler.cli.views.output.documents import DOCUMENTS
from reconciler.load.schema import DIALECT, plain


def output_schemas() -> dict[str, str]:
    """File name (from the folder of all schemas on) to text. The same models give the same text."""
    return {f"output/{name}.json": _text(schema_of(name)) for name in sorted(DOCUMENTS)}


def schema_of(name: str) -> dict[str, Any]:
    """The schema of one document. It allows fields that a later release may add."""
    schema = DOCUMENTS[name].model_json_schema(by_alias=True, mode="serialization")
    body = {"$schema": DIALECT, **plain(schema)}
    for part in (body, *body.get("$defs", {}).values()):
        part.pop("additionalProperties", None)
        for field in part.get("properties", {}).values():
            field.pop("default", None)  # every field is always there
    return body


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
