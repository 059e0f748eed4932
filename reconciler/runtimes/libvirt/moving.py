"""Moves that libvirt makes: the source's libvirt talks to the destination's (`--p2p`), so that nobody has to stay
who asked for it."""

from __future__ import annotations

import re

from reconciler.core import answers
from reconciler.errors import CommandFailed
from reconciler.guard import guard
from reconciler.model.base import parse_duration, parse_size
from reconciler.model.command import Bytes, Command, Fence, Program
from reconciler.model.live import LiveMigration, OnTimeout, Transport
from reconciler.model.plan import Phase
from reconciler.runtimes.base import Handover, Underway
from reconciler.runtimes.libvirt import domains, observing, places
from reconciler.runtimes.libvirt.lifecycle import LIMIT, there

ROOM = "/run/reconciler-libvirt"
"""On a tmpfs: no migration outlives a boot."""
_RUNS = 4
"""How `remove.sh` and `receive.sh` end when there is a domain in their way."""
_DATA = re.compile(r"^Data (processed|total): +([0-9.]+) (B|KiB|MiB|GiB|TiB)$", re.MULTILINE)
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_THEN = {OnTimeout.SUSPEND: "--timeout-suspend", OnTimeout.POST_COPY: "--timeout-postcopy"}


def receive(handover: Handover) -> Program[None]:
    argv = places.shell("receive", handover.name, places.note(handover.name))
    yield from guard.run(handover.fence, (Phase.RESERVED,), argv, timeout=LIMIT)


def begin(handover: Handover) -> Program[None]:
    found = yield from there(handover.name)
    limit = handover.policy.max_downtime
    downtime = round(parse_duration(limit) * 1000) if limit else 0
    head = (found.id, places.note(handover.name), _room(handover), str(downtime))
    words = arguments(found.id, handover.address, handover.policy.live)
    yield from guard.run(handover.fence, (Phase.RESERVED,), places.shell("begin", *head, *words), timeout=LIMIT)


def arguments(domain: str, address: str, live: LiveMigration) -> tuple[str, ...]:
    """Of `virsh migrate`. Where it fails, libvirt itself lets the source run on, and ends what has come."""
    host = f"[{address}]" if ":" in address else address
    words = ["--p2p", "--live", "--persistent", "--undefinesource", "--abort-on-error"]
    if live.transport is Transport.TLS:
        words.append("--tls")
    if live.bandwidth:
        words += ["--bandwidth", str(max(1, parse_size(live.bandwidth) // 2**20))]
    if live.auto_converge:
        words.append("--auto-converge")
    if then := _THEN.get(live.on_timeout):
        words += ["--timeout", str(max(1, round(parse_duration(live.within)))), then]
    if live.on_timeout is OnTimeout.POST_COPY:
        words.append("--postcopy")
    return (*words, domain, f"qemu+{live.transport.value}://{host}/system")


def progress(handover: Handover) -> Program[Underway]:
    parts = yield from _asked(handover)
    job, said = parts.get("job", ""), parts.get("said", "").strip()
    moving = "under way" in parts.get("command", "") or "Outgoing migration" in job
    seen = {title: _bytes(number, unit) for title, number, unit in _DATA.findall(job)}
    failed = parts.get("status", "").strip() not in ("", "0")
    why = answers.shown(said.removeprefix("error: "), "what virsh said") if failed and not moving else ""
    if failed and not moving and not why:
        why = "virsh did not say why"
    return Underway(moving, seen.get("processed", 0), seen.get("total", 0), why)


def _asked(handover: Handover) -> Program[dict[str, str]]:
    result = yield Command(places.shell("progress", _name(handover), _room(handover)), timeout=LIMIT)
    return answers.whole(result.stdout, "how its migration stands")


def _bytes(number: str, unit: str) -> Bytes:
    return round(answers.real(number, "the bytes of a migration") * _UNITS[unit])


def cancel(handover: Handover) -> Program[None]:
    argv = places.shell("cancel", _name(handover), _room(handover))
    yield from guard.run(handover.after, (Phase.RESERVED,), argv, timeout=LIMIT)


def keep(handover: Handover, fence: Fence) -> Program[None]:
    found = yield from there(handover.name)
    autostart = "yes" if domains.machine_of(handover.workload).autostart else "no"
    argv = places.shell("keep", found.id, places.note(handover.name), autostart)
    yield from guard.run(fence, (Phase.RUNNING,), argv, timeout=LIMIT)


def drop(handover: Handover, fence: Fence) -> Program[None]:
    found = yield from observing.machine(handover.name)
    note = places.note(handover.name)
    if found is None:
        yield from guard.run(fence, (Phase.RETIRED, Phase.FENCED), ("rm", "-f", "--", note))
        return
    argv = places.shell("remove", found.id, note)
    done = yield from guard.run(fence, (Phase.RETIRED, Phase.FENCED), argv, timeout=LIMIT, ok=(0, _RUNS))
    if done.status == _RUNS:
        raise CommandFailed(f"{handover.name} runs", code="C346", why="it was to be removed here")


def _name(handover: Handover) -> str:
    """The domain's UUID, which its move noted."""
    return handover.move.container_id


def _room(handover: Handover) -> str:
    return f"{ROOM}/{handover.name}"
