"""pydantic's findings in the user's words: what the field must be, what stands there, what was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from reconciler.model import base, checkpointing, fields

Loc = tuple[str | int, ...]

PATTERNS: Final[dict[str, str]] = {
    checkpointing.FOLDER: "an absolute path of letters, digits, dots, dashes and underscores",
    base.NAME_PATTERN: "lower-case letters, digits, `-` and `.`, at most 63, with a letter or digit at both ends",
    fields.LABEL_KEY: "letters, digits, `.`, `_`, `/` and `-`, with a letter or digit at both ends",
    fields.ENV_NAME: "letters, digits and `_`, without a digit at the start",
    fields.MAC: "a MAC address, such as 02:00:00:00:01:00",
    fields.IMAGE: "an image reference, such as registry.example/redis@sha256:...",
    fields.ABSOLUTE_PATH: "an absolute path without `:`, `,` or control characters",
    fields.ADDRESS: "a host name or IP address",
    fields.USER: "a user name: lower-case letters, digits, `_` and `-`, with a letter or `_` first",
    fields.CONTAINER_USER: "a user or user:group, by name or number",
    fields.ONE_LINE: "one line that does not start with `-`",
    fields.PUBLIC_KEY: "one public key, such as `ssh-ed25519 AAAA...`",
    fields.CAPABILITY: "a capability, such as NET_BIND_SERVICE",
    fields.INTERFACE: "the name of a network interface",
    fields.HOST_NAME: "a name such as db or db.example",
    fields.SYSCTL: "the name of a sysctl, such as net.core.somaxconn",
    fields.FILE_MODE: "a mode in octal digits, such as 0444, in quotes",
    fields.GROUP: "a group, by name or number",
    fields.PROFILE: "the name of a profile",
    fields.CDI: "what a vendor calls a device, such as nvidia.com/gpu=all",
    fields.PLATFORM: "a platform, such as linux/arm64",
    fields.RESOLVER: "an option of the resolver, such as ndots:2",
    fields.CONTAINER_LABEL: "one word without `=`",
    r"^/[!-~]*$": "a URL path that starts with `/`",
}

_BUILT = "images are built elsewhere: build and push REGISTRY/NAME:TAG, and name that as `image`"
INSTEAD: Final[dict[tuple[Loc, str | int], str]] = {
    (("container",), "build"): _BUILT,
    (("container",), "environment"): "it is `env`, a mapping",
    (("container",), "expose"): "nothing has to be exposed: who can reach the container reaches its ports",
    (("container",), "links"): "use `networks`; containers on one find each other by name",
    (("container",), "dependsOn"): "workloads may be on different hosts; let programs try again",
    (
        ("container",),
        "healthCheck",
    ): "the engine's periodic check is `healthcheck`; that of moves is `spec.health`",
}
"""What is meant by fields that others have, by the last name above and the field's."""


@dataclass(frozen=True)
class SchemaFinding:
    """What is wrong at `loc`. `on_key`: the key is meant, not its value. `{shown}` stands for the text."""

    code: str
    message: str
    loc: Loc
    on_key: bool = False
    hint: str = ""


def findings(error: ValidationError, model: type[BaseModel]) -> Iterable[SchemaFinding]:
    """One finding for each of pydantic's; a required field that is only misspelt is not also missing."""
    items = error.errors(include_url=False)
    made = [_finding(item, model) for item in items]
    meant = {(f.loc[:-1], f.hint) for f in made if f.code == "E103"}
    for item, finding in zip(items, made, strict=True):
        if (
            finding.code != "E106"
            or (without_shape(item["loc"])[:-1], _did_you_mean(item["loc"][-1])) not in meant
        ):
            yield finding


def _did_you_mean(name: object) -> str:
    return f"did you mean `{name}`?"


def close(name: str, known: Iterable[str]) -> str:
    """`did you mean ...?`, or nothing."""
    near = difflib.get_close_matches(name, list(known), 1, 0.6)
    if not near:
        near = [k for k in known if k.lower() == name.replace("_", "").lower()][:1]
    return _did_you_mean(near[0]) if near else ""


def _finding(item: Mapping[str, Any], model: type[BaseModel]) -> SchemaFinding:
    kind: str = item["type"]
    raw: Loc = item["loc"]
    loc = without_shape(raw)
    context = item.get("ctx", {})
    if kind == "extra_forbidden":
        known = list(_schema_at(model, raw[:-1]).get("properties", {}))
        hint = INSTEAD.get((loc[-2:-1], loc[-1])) or close(str(loc[-1]), known)
        hint = hint or f"known: {', '.join(sorted(known))}"
        return SchemaFinding("E103", f"unknown field `{loc[-1]}`", loc, True, hint)
    if kind == "missing":
        within = f" in `{dotted(loc[:-1])}`" if len(loc) > 1 else ""
        return SchemaFinding("E106", f"`{loc[-1]}` is missing{within}", loc[:-1], True)
    name = field_name(loc)
    if loc[-1] == "[key]":
        words = f"must be {PATTERNS.get(context.get('pattern', ''), 'text of another form')}"
        if kind == "value_error":
            words = str(context["error"])
        return SchemaFinding("E105", f"key `{loc[-2]}` {words}", loc[:-1], True)
    if kind == "value_error":
        text = str(context["error"])
        joiner = " " if text.startswith(("must", "needs")) else ": "
        return SchemaFinding("E105", f"`{name}`{joiner}{text}", loc, on_key=not text.startswith(("must", "needs")))
    expected = _expected(_schema_at(model, raw))
    if kind in ("enum", "literal_error"):
        allowed = [str(v) for v in _schema_at(model, raw).get("enum", [])]
        hint = close(str(item["input"]), allowed)
        return SchemaFinding("E105", f"`{name}` must be {expected}, not {{shown}}", loc, hint=hint)
    if kind == "string_pattern_mismatch":
        words = PATTERNS.get(context.get("pattern", ""), expected)
        return SchemaFinding("E105", f"`{name}` must be {words}, not {{shown}}", loc)
    if kind in ("too_short", "too_long", "string_too_long"):
        return SchemaFinding("E105", f"`{name}` {_length(kind, context)}", loc)
    if kind.endswith("_type") or kind in ("int_from_float", "int_parsing", "float_parsing", "bool_parsing"):
        return SchemaFinding("E104", f"`{name}` must be {expected}, not {{shown}}", loc, hint=_quote_hint(item))
    return SchemaFinding("E105", f"`{name}` must be {expected}, not {{shown}}", loc)


def _length(kind: str, context: Mapping[str, Any]) -> str:
    if kind == "string_too_long":
        return f"is longer than {context['max_length']} characters"
    if kind == "too_long":
        return f"has more than {context['max_length']} entries"
    least = context["min_length"]
    return "must not be empty" if least == 1 else f"has fewer than {least} entries"


def _quote_hint(item: Mapping[str, Any]) -> str:
    value = item["input"]
    if item["type"] == "string_type" and isinstance(value, bool | int | float):
        read = f"{value:g}" if isinstance(value, float) else str(value).lower()
        return f"YAML reads it as {read}; put it in quotes where text is meant"
    if item["type"] == "bool_type" and isinstance(value, str) and value.lower() in ("yes", "no", "on", "off"):
        return f"write `{'true' if value.lower() in ('yes', 'on') else 'false'}`"
    return ""


def dotted(loc: Loc) -> str:
    """`spec.container.ports[0].host`."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def field_name(loc: Loc) -> str:
    """The last part a user recognises: a name, with the index if there is one."""
    named = [n for n, part in enumerate(loc) if isinstance(part, str)]
    return dotted(loc[named[-1] :]) if named else dotted(loc) or "document"


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(by_alias=True)


SHAPES: Final = {"libvirt": "VirtualMachine", "kubevirt": "ClusterMachine"}
"""The models of a section that has several shapes, by the tags that pydantic puts into places."""


def without_shape(loc: Loc) -> Loc:
    """As it stands in the file."""
    shaped = loc[:2] == ("spec", "virtualMachine") and loc[2:3] != () and loc[2] in SHAPES
    return (*loc[:2], *loc[3:]) if shaped else loc


def _schema_at(model: type[BaseModel], loc: Loc) -> dict[str, Any]:
    """The JSON Schema of a field; an empty one where there is none."""
    root = _schema(model)
    here = _resolved(root, root)
    for part in loc:
        if part in SHAPES and "oneOf" in here:
            here = root["$defs"][SHAPES[str(part)]]
            continue
        if isinstance(part, int):
            here = here.get("items", {})
        elif part in here.get("properties", {}):
            here = here["properties"][part]
        else:
            patterns = here.get("patternProperties", {})
            here = next(iter(patterns.values()), here.get("additionalProperties", {}))
        here = _resolved(here if isinstance(here, dict) else {}, root)
    return here


def _resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    while True:
        if "$ref" in schema:
            schema = root["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
        elif "anyOf" in schema:
            schema = next((s for s in schema["anyOf"] if s.get("type") != "null"), {})
        else:
            return schema


def _expected(schema: Mapping[str, Any]) -> str:
    """What a field must be, in words."""
    if "enum" in schema:
        return "one of " + ", ".join(f"`{v}`" for v in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    match schema.get("type"):
        case "integer":
            return "an integer" + _bounds(schema)
        case "number":
            return "a number" + _bounds(schema)
        case "boolean":
            return "`true` or `false`"
        case "string":
            return "text"
        case "array":
            return "a list"
        case "object":
            return "a mapping"
    return "something else"


def _bounds(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" between {low} and {high}"
    if "exclusiveMinimum" in schema:
        above = f" greater than {schema['exclusiveMinimum']}"
        return f"{above} and at most {high}" if high is not None else above
    return ""
