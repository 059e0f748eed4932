"""Quantities as Kubernetes writes them."""

from __future__ import annotations

import re
from decimal import Decimal

from reconciler.core import answers

_QUANTITY = re.compile(r"([0-9]{1,18}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?")
_FACTORS = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {unit: 2 ** (10 * (n + 1)) for n, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))}


def quantity(value: object, field: str) -> int:
    """A quantity, such as 16Gi, 1500m or 1e9, rounded down. Nothing counts as 0."""
    if value is None or value == "":
        return 0
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return answers.number(value, field)
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise answers.refused(value, field, "a quantity")
    unit = match[2] or ""
    if unit in _BINARY:
        found = Decimal(match[1]) * _BINARY[unit]
    elif unit in _FACTORS:
        found = Decimal(match[1]).scaleb(_FACTORS[unit])
    else:
        found = Decimal(f"{match[1]}{unit}")
    return answers.number(int(found), field)
