"""What hosts answer, checked by type where it comes in: one place for each type.

A host may be broken or in somebody's hands, and what it says goes on to other hosts, into files and to terminals.
So whoever reads an answer takes each value through one of these. What does not fit is a HostError that names the
field; the host's name is added where it was asked (`of`; for all drivers in `hosts.base.pump`).
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from reconciler.core.lines import sections
from reconciler.errors import HostError
from reconciler.text import printable, short

CODE = "H290"
SHOWN = 60
"""Characters of a refused value that the message repeats."""
MOST_BYTES = 2**60
"""No size, count or limit of a host is above it."""
MOST_LABEL = 2**20
LONGEST_PATH = 4096

_ID = re.compile(r"[0-9a-f]{64}")
_IMAGE_ID = re.compile(r"(sha256:)?[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}")
_WORD = re.compile(r"[A-Za-z0-9_.:@/+-]{0,200}")
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,511}")
_MAC = re.compile(r"([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}")
_DIGITS = re.compile(r"-?[0-9]{1,19}")
_REAL = re.compile(r"-?[0-9]{1,19}(\.[0-9]{1,19})?([eE][+-]?[0-9]{1,2})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_KEY_TYPE = b"ssh-ed25519"
_KEY_BYTES = 32


class NotJson(HostError):
    """A text that should be JSON and is not, as of a command that was cut short."""


def refused(value: object, field: str, wanted: str) -> HostError:
    """The error about a value that is not what its field holds."""
    said = value if isinstance(value, str) else repr(value)[: 2 * SHOWN]
    return HostError(
        f"it answered `{printable(short(said, SHOWN))}` as {field}, which is not {wanted}",
        code=CODE,
        fix="find out what is wrong with the host; nothing was concluded from its answer",
    )


def whole(text: str, field: str) -> dict[str, str]:
    """The sections of what a script has told to its end, which it marks with a section `end`."""
    parts = sections(text)
    if "end" not in parts:
        raise refused("", field, "an answer to its end")
    return parts


@contextmanager
def of(host: str) -> Iterator[None]:
    """Names the host in refusals of what it has answered."""
    try:
        yield
    except HostError as error:
        if error.code == CODE and not error.where:
            error.where = host
        raise


def parsed(text: str, field: str) -> Any:
    """JSON, without numbers that are none; nested no deeper than Python reads."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        error = refused(text, field, "JSON")
        raise NotJson(error.what, code=error.code, fix=error.fix) from None


def items(value: object, field: str) -> list[Any]:
    """A list; nothing counts as an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise refused(value, field, "a list")
    return value


def mapping(value: object, field: str) -> dict[str, Any]:
    """An object; nothing counts as an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise refused(value, field, "an object")
    return value


def string(value: object, field: str, most: int = MOST_LABEL) -> str:
    """Text as it is, for comparing; who shows it makes it printable. Nothing counts as empty."""
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most:
        raise refused(value, field, "text" if not isinstance(value, str) else f"text of at most {most} characters")
    return value


def shown(value: object, field: str, most: int = 1000) -> str:
    """Text for people only."""
    return printable(short(string(value, field), most))


def labels(value: object, field: str) -> dict[str, str]:
    """Labels or annotations."""
    return {string(key, field): string(text, field) for key, text in mapping(value, field).items()}


def number(value: object, field: str, *, least: int = 0, most: int = MOST_BYTES) -> int:
    """A whole number within bounds, also written as text. Nothing counts as 0."""
    if value is None or value == "":
        return 0
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise refused(value, field, f"a whole number from {least} to {most}")
    return value


def real(value: object, field: str, *, most: float = 1e15) -> float:
    """A finite number, also written as text. Nothing counts as 0."""
    if value is None or value == "":
        return 0.0
    if isinstance(value, str) and _REAL.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise refused(value, field, "a number")
    if abs(value) > most:
        raise refused(value, field, f"a number up to {most:g}")
    return float(value)


def mask(value: object, field: str) -> int:
    """64 bits in hexadecimal digits, as /proc has them."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-fA-F]{1,16}", value):
        raise refused(value, field, "a mask of bits")
    return int(value, 16)


def full_id(value: object, field: str) -> str:
    """A container's ID."""
    return _matching(_ID, value, field, "an ID of 64 hexadecimal digits")


def image_id(value: object, field: str) -> str:
    """An image's ID, however the runtime writes it. Nothing counts as none."""
    return _matching(_IMAGE_ID, value, field, "an ID of 64 hexadecimal digits") if value else ""


def name(value: object, field: str) -> str:
    """The name of a container, network or volume."""
    return _matching(_NAME, value, field, "a name")


def word(value: object, field: str) -> str:
    """A state, version, run or file system: one plain word, or nothing."""
    return _matching(_WORD, value if value is not None else "", field, "a word")


def reference(value: object, field: str) -> str:
    """The name of an image."""
    return _matching(_REFERENCE, value, field, "the name of an image")


def mac(value: object, field: str) -> str:
    """A MAC address in small letters."""
    return _matching(_MAC, value, field, "a MAC address").lower()


def address(value: object, field: str) -> str:
    """An IP address as Python writes it, so that one address has one spelling."""
    try:
        if isinstance(value, str) and "%" not in value:
            return str(ipaddress.ip_address(value))
    except ValueError:
        pass
    raise refused(value, field, "an IP address")


def subnet(value: object, field: str) -> str:
    """A subnet."""
    try:
        if isinstance(value, str) and "%" not in value:
            return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        pass
    raise refused(value, field, "a subnet")


def path(value: object, field: str) -> str:
    """An absolute path on one line, which leads nowhere else by `..`."""
    fits = isinstance(value, str) and value.startswith("/") and len(value) <= LONGEST_PATH
    if not isinstance(value, str) or not fits or _CONTROL.search(value) or ".." in value.split("/"):
        raise refused(value, field, "an absolute path")
    return value


def public_key(value: object, field: str) -> str:
    """A key as `ssh-keygen -t ed25519` writes it, without its comment: nothing else is inside."""
    kind, _, blob = value.partition(" ") if isinstance(value, str) else ("", "", "")
    try:
        raw = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    head = len(_KEY_TYPE).to_bytes(4, "big") + _KEY_TYPE + _KEY_BYTES.to_bytes(4, "big")
    if kind.encode() != _KEY_TYPE or len(raw) != len(head) + _KEY_BYTES or not raw.startswith(head):
        raise refused(value, field, "an ed25519 public key")
    return f"{kind} {base64.b64encode(raw).decode()}"


def one_of(value: object, field: str, choices: Iterable[str]) -> str:
    """One of a few words."""
    if not isinstance(value, str) or value not in choices:
        raise refused(value, field, "one of its values")
    return value


def _matching(pattern: re.Pattern[str], value: object, field: str, wanted: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise refused(value, field, wanted)
    return value


def _no_number(text: str) -> float:
    raise ValueError(text)
