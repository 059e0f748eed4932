"""What every model shares: frozen, strict about unknown fields, camelCase outside and snake_case inside."""

from __future__ import annotations

import hashlib
import json
import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from reconciler.text import short

API_VERSION = "reconciler/v1alpha1"

NAME_PATTERN = r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$"
"""Names of objects: DNS-like, so that they are safe in paths, labels and commands."""

Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=63)]

DEFAULT_RUNTIME = "podman"
"""What runs a workload whose spec names no runtime."""


class Model(BaseModel):
    """Base of all models."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
    )


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, unset fields left out."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: Any) -> str:
    """Hex SHA-256 of the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


_SIZE = re.compile(r"^(\d{1,19}(?:\.\d{1,6})?)\s*(B|KiB|MiB|GiB|TiB|kB|KB|MB|GB|TB)\Z", re.ASCII)
_SIZE_UNITS = {
    "B": 1,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
}
MOST_BYTES = 2**60
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h|d)", re.ASCII)
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_size(text: str) -> int:
    """Bytes of `512MiB`, `2GB`, ... ; ValueError without a unit, for zero or below."""
    match = _SIZE.match(text.strip())
    if not match:
        raise ValueError(f"must be a size above zero with a unit, such as 512MiB or 2GB, not `{short(text, 40)}`")
    size = int(Decimal(match[1]) * _SIZE_UNITS[match[2]])
    if size > MOST_BYTES:
        raise ValueError(f"must be a size below an exbibyte, not `{text}`")
    if size <= 0:
        raise ValueError(f"must be a size greater than zero, not `{text}`")
    return size


def parse_duration(text: str) -> float:
    """Seconds of `250ms`, `5s`, `1m30s`, ... ; ValueError without a unit, for zero or below."""
    stripped = text.strip()
    parts = _DURATION.findall(stripped)
    if not parts or "".join(number + unit for number, unit in parts) != stripped:
        raise ValueError(
            f"must be a duration above zero with a unit, such as 250ms, 5s or 1m30s, not `{short(text, 40)}`"
        )
    seconds = sum(float(number) * _DURATION_UNITS[unit] for number, unit in parts)
    if seconds <= 0:
        raise ValueError(f"must be a duration greater than zero, not `{short(text, 40)}`")
    return seconds


def _unit_text(value: Any, example: str) -> Any:
    if isinstance(value, bool | int | float):
        raise ValueError(f"needs a unit, such as {example}")
    return value


def size_text(size: int) -> str:
    """The one spelling of a size: in the unit that makes the shortest whole number, binary ones first."""
    exact = [unit for unit, factor in _SIZE_UNITS.items() if unit != "KB" and size % factor == 0]
    unit = min(exact, key=lambda u: (size // _SIZE_UNITS[u], "i" not in u))
    return f"{size // _SIZE_UNITS[unit]}{unit}"


def duration_text(seconds: float) -> str:
    """The one spelling of a duration, such as 1m30s, 2.5s or 250ms."""
    if seconds < 1:
        return f"{_plain(seconds * 1000)}ms"
    whole, text = int(seconds), ""
    for unit in ("d", "h", "m"):
        count, whole = divmod(whole, int(_DURATION_UNITS[unit]))
        text += f"{count}{unit}" if count else ""
    rest = whole + seconds - int(seconds)
    return f"{text}{_plain(rest)}s" if rest else text


def _plain(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".")


def _one_size(text: str) -> str:
    return size_text(parse_size(text))


def _one_duration(text: str) -> str:
    return duration_text(parse_duration(text))


_SIZE_SCHEMA = WithJsonSchema(
    {"type": "string", "pattern": r"^\d+(\.\d+)?\s*(B|KiB|MiB|GiB|TiB|kB|KB|MB|GB|TB)$", "examples": ["512MiB"]}
)
_DURATION_SCHEMA = WithJsonSchema(
    {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d))+$", "examples": ["250ms", "5s", "1m30s"]}
)

Size = Annotated[str, BeforeValidator(lambda v: _unit_text(v, "512MiB")), AfterValidator(_one_size), _SIZE_SCHEMA]
"""A size in its one spelling, so that 1024MiB is 1GiB; `parse_size` gives bytes."""

Duration = Annotated[
    str, BeforeValidator(lambda v: _unit_text(v, "5s")), AfterValidator(_one_duration), _DURATION_SCHEMA
]
"""A duration in its one spelling, so that 60s is 1m; `parse_duration` gives seconds."""
