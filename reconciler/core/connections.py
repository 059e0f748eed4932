"""Connections as /proc/PID/net has them."""

from __future__ import annotations

import ipaddress
import re

from reconciler.core import answers
from reconciler.model.world import TcpConnection

_TCP_ESTABLISHED = "01"
_ENDPOINT = re.compile(r"([0-9A-F]{8}|[0-9A-F]{32}):[0-9A-F]{4}", re.IGNORECASE)


def tcp_established(text: str) -> tuple[TcpConnection, ...]:
    """Established connections in `/proc/PID/net/tcp` and `tcp6`, without those within the container."""
    found = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 4 or fields[3] != _TCP_ESTABLISHED or ":" not in fields[1]:
            continue
        local, peer = _endpoint(fields[1]), _endpoint(fields[2])
        if local[0].is_loopback or local[0] == peer[0]:
            continue
        found.append(TcpConnection(local=_text(local), peer=_text(peer)))
    return tuple(found)


def between(text: str) -> frozenset[tuple[str, str]]:
    """Both ends of each connection in rows of `/proc/net/tcp`, those within a host included."""
    rows = [fields for line in text.splitlines() if len(fields := line.split()) > 2 and ":" in fields[1]]
    return frozenset((endpoint(fields[1]), endpoint(fields[2])) for fields in rows)


def endpoint(text: str) -> str:
    """`6401010A:2328` of /proc/net as `10.1.1.100:9000`."""
    return _text(_endpoint(text))


def _endpoint(text: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    """`6401010A:2328`: the kernel prints addresses as host-order 32-bit words (little-endian machines)."""
    if not _ENDPOINT.fullmatch(text):
        raise answers.refused(text, "an end of a connection", "an address and a port in hexadecimal digits")
    address, _, port = text.partition(":")
    words = [bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8)]
    ip = ipaddress.ip_address(b"".join(words))
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return mapped or ip, int(port, 16)


def _text(endpoint: tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]) -> str:
    ip, port = endpoint
    return f"[{ip}]:{port}" if ip.version == 6 else f"{ip}:{port}"
