"""Pre-copy: rounds of memory are dumped with the OCI runtime while the container runs, and copied; the dump under
the freeze builds on the last one. On the destination nothing is merged: pages of round 1 that are still current
are served from where they lie (`core.pagemap`)."""

from __future__ import annotations

import base64
import binascii

from reconciler.core import pagemap
from reconciler.core.causes import criu_cause, telling
from reconciler.core.pagemap import Pagemap
from reconciler.drivers import guard
from reconciler.drivers.base import Handover, Round
from reconciler.drivers.podman import moving, parse, paths, source
from reconciler.errors import CommandFailed, HostError, InputError
from reconciler.model.command import Command, Program, Seconds, Tree
from reconciler.model.plan import Phase

PRE_DUMP_LIMIT: Seconds = 900.0


def pre_dump(handover: Handover, number: int) -> Program[Round]:
    """On the source, while it runs. Round 1 is all memory, a later one what changed since the round before."""
    facts = yield from moving.saved(handover.name)
    if facts is None:
        raise CommandFailed(f"{handover.name} was not located on {handover.move.source}", code="C312")
    runtime = handover.move.oci_runtime or "runc"
    argv = paths.shell("pre-dump", facts.userdata, str(number), runtime, facts.id)
    try:
        done = yield from guard.run(handover.fence, (Phase.RESERVED,), argv, timeout=PRE_DUMP_LIMIT)
    except CommandFailed as error:
        log = yield from moving.criu_errors(handover.name, f"{paths.rounds_dir(facts.userdata)}/dump.log")
        raise CommandFailed(
            f"round {number} of the pre-copy of {handover.name} failed on {handover.move.source}; it runs on",
            argv=error.argv,
            exit_code=error.status,
            stderr=error.stderr,
            log_tail=log,
            where=error.where,
            code="C333",
            why=criu_cause(log) or telling(error.stderr),
        ) from error
    size = parse.numbers(done.stdout, ("bytes",))["bytes"]
    return Round(size, _tree(facts.userdata, number))


def take_round(handover: Handover, number: int) -> Program[Tree]:
    """On the destination: an empty folder for a round."""
    facts = yield from moving.saved(handover.name)
    if facts is None:
        raise CommandFailed(f"{handover.name} was not staged on {handover.move.destination}", code="C313")
    tree = _tree(facts.userdata, number)
    yield Command(paths.shell("round", tree.path), changes=True)
    return tree


def build_on(handover: Handover, number: int) -> Program[None]:
    """On the source: what is dumped under the freeze is only what changed since that round."""
    yield from source.dump_config(handover, "track-mem", f"prev-images-dir ../precopy/{number}")


def arrange(userdata: str) -> Program[None]:
    """On the destination, before the restore: pages that did not change since round 1 follow it, the few others
    come first."""
    answer = yield Command(paths.shell("maps", userdata))
    lines = []
    for name, (dump, rounds) in sorted(_maps(answer.stdout).items()):
        restored, served = pagemap.divide(dump, rounds)
        lines += [(f"checkpoint/{name}", restored), (f"lazy/{name}", served)]
    text = "".join(f"{path} {base64.b64encode(pagemap.encode(found)).decode()}\n" for path, found in lines)
    yield Command(paths.shell("lay-out", userdata), stdin=text.encode(), changes=True)


def _maps(text: str) -> dict[str, tuple[Pagemap, list[Pagemap | None]]]:
    """By file name: the dump's map, and those of rounds 1, 2, ... (None where a process was not there yet)."""
    dumps: dict[str, Pagemap] = {}
    rounds: dict[int, dict[str, Pagemap]] = {}
    try:
        for line in text.splitlines():
            path, _, data = line.partition(" ")
            found = pagemap.parse(base64.b64decode(data, validate=True), path)
            folder, _, name = path.rpartition("/")
            if folder == "checkpoint":
                dumps[name] = found
            else:
                rounds.setdefault(int(folder.rpartition("/")[2]), {})[name] = found
    except (ValueError, binascii.Error, InputError) as error:
        raise HostError("CRIU's maps of memory pages cannot be read", code="H290", why=str(error)) from error
    in_order = [rounds[number] for number in sorted(rounds)]
    return {name: (dump, [known.get(name) for known in in_order]) for name, dump in dumps.items()}


def _tree(userdata: str, number: int) -> Tree:
    return Tree("round", f"{paths.rounds_dir(userdata)}/{number}")
