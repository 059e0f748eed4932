"""Telling systemd how a service stands (sd_notify): one datagram to the socket it names. The one package for that
has had no release since 2017, and is as long as this."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import suppress


def tell(*lines: str) -> None:
    """READY=1, STATUS=..., and so on; nothing where nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = f"\0{address[1:]}"
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.setblocking(False)
        out.sendto("\n".join(lines).encode(), address)


def reloading() -> None:
    """As `Type=notify-reload` wants it: with the time, by the clock that never jumps."""
    tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


async def keep_alive() -> None:
    """Say that this process does something, twice as often as systemd wants to hear it; for ever."""
    micros = os.environ.get("WATCHDOG_USEC", "")
    if not micros.isdecimal() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return
    while True:
        tell("WATCHDOG=1")
        await asyncio.sleep(int(micros) / 2e6)
