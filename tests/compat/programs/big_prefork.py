"""Eight workers that were forked from a parent with 48 MiB, as pre-forking servers are: what they share by
copy-on-write must not be multiplied by a move."""

import hashlib
import os
import time

from answers import serve

MIB = 48
MOST = 1.5
"""How much more than before a move all of it together may take."""


def together() -> int:
    """Anonymous memory of all processes, shared pages counted once, in KiB."""
    total = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with open(f"/proc/{pid}/smaps_rollup") as rollup:
            total += next(int(line.split()[1]) for line in rollup if line.startswith("Pss_Anon:"))
    return total


block = os.urandom(MIB << 20)
digest = hashlib.sha256(block).digest()
for _ in range(8):
    if os.fork() == 0:
        while True:
            time.sleep(1000)
count, before = 0, together()


def look() -> tuple[int, str]:
    global count
    count += 1
    if count % 20 == 0:
        now = together()
        if now > before * MOST:
            return count, f"memory was {before >> 10} MiB and is {now >> 10} MiB"
        if hashlib.sha256(block).digest() != digest:
            return count, "the block is another"
    return count, "ok"


serve(look)
