"""What both ends of a copy have summed, and whether it is the same.

Pages of memory are summed by the source as whole files and by the destination piece by piece, as they come. Both
use `cksum`, which is CRC-32 of the POSIX standard: sums of pieces can be joined to that of the whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

from reconciler.model.command import Bytes

Sum = tuple[int, Bytes]
"""What `cksum` says: a CRC and how many bytes it is of."""

GENERATOR = 0x104C11DB7
"""https://pubs.opengroup.org/onlinepubs/9799919799/utilities/cksum.html"""
ORDER = 2**32 - 1
"""The generator is primitive: x to this power is 1."""


@dataclass
class Sums:
    """What the lines of one copy said. `folders`: a sum of all but pages, by end (`near`, `far`)."""

    folders: dict[str, str] = field(default_factory=dict)
    pages: dict[str, dict[str, list[Sum]]] = field(default_factory=lambda: {"near": {}, "far": {}})

    def add(self, end: str, name: str, crc: int, length: Bytes) -> None:
        self.pages[end].setdefault(name, []).append((crc, length))

    def difference(self) -> str:
        """What is not the same on both ends; empty when all is."""
        near, far = self.folders.get("near", "missing"), self.folders.get("far", "")
        if near != far:
            return f"its sum is {far}, on the source {near}"
        for name in sorted(self.pages["near"].keys() | self.pages["far"].keys()):
            sent, arrived = (joined(self.pages[end].get(name, ())) for end in ("near", "far"))
            if sent != arrived:
                return f"the sum of {name} is {_text(arrived)}, on the source {_text(sent)}"
        return ""


def joined(pieces: Iterable[Sum]) -> Sum:
    """The sum of pieces, one after the other. Each counts its length's octets too, which are taken out."""
    crc, total = 0, 0
    for told, length in pieces:
        octets, bits = _octets(length)
        crc = _times(crc, _power(8 * length)) ^ _times(~told & ORDER ^ octets, _power(-bits))
        total += length
    octets, bits = _octets(total)
    return ~(_times(crc, _power(bits)) ^ octets) & ORDER, total


def _octets(length: Bytes) -> tuple[int, int]:
    """The CRC of a length as `cksum` appends it, least octet first, and how many bits that is."""
    size = (length.bit_length() + 7) // 8
    return _reduced(int.from_bytes(length.to_bytes(size, "little"), "big") << 32), 8 * size


def _reduced(polynomial: int) -> int:
    while (above := polynomial.bit_length() - 33) >= 0:
        polynomial ^= GENERATOR << above
    return polynomial


def _times(one: int, other: int) -> int:
    product = 0
    while other:
        product ^= one * (other & -other)
        other &= other - 1
    return _reduced(product)


@cache
def _power(exponent: int) -> int:
    """x to the exponent, which may be negative."""
    exponent %= ORDER
    if exponent < 32:
        return 1 << exponent
    half = _power(exponent // 2)
    return _times(_times(half, half), 2 if exponent % 2 else 1)


def _text(found: Sum) -> str:
    return "{} of {} bytes".format(*found)
