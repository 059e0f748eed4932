"""`reconcile logs` and `exec`: find where a workload is, and let a person look at it there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reconciler.commands import compose
from reconciler.commands.compose import drivers, open_fleet
from reconciler.core.copying import copies
from reconciler.core.diff import SEE_STATUS
from reconciler.core.index import Index
from reconciler.engine.lenient import Warn
from reconciler.engine.observe import observe
from reconciler.errors import HostUnreachable, InputError, Refused
from reconciler.model.copying import ENDING, can_be_called, copy_name
from reconciler.model.spec import Spec
from reconciler.model.world import Instance, InstanceState, World
from reconciler.runtimes import registry
from reconciler.runtimes.base import Attends, LogWish


@dataclass(frozen=True)
class Attended:
    host: str
    instance: Instance


@dataclass(frozen=True)
class OwnStreams:
    """Whether the command gets this process's input, and a terminal; output it always gets."""

    stdin: bool = False
    terminal: bool = False


async def show_log(spec: Spec, name: str, wish: LogWish, warn: Warn) -> int:
    """`reconcile logs`."""
    name = called(name, spec)
    return await _attend(spec, name, lambda runtime: runtime.logs(name, wish), OwnStreams(), warn, running=False)


async def enter(spec: Spec, name: str, words: Sequence[str], user: str, streams: OwnStreams, warn: Warn) -> int:
    """`reconcile exec`. The workload must run, and not be in a hand-over: what is begun beside frozen tasks is
    frozen with them, and would be no part of their images."""
    name = called(name, spec)

    def ask(runtime: Attends) -> tuple[str, ...]:
        return runtime.enter(name, words, stdin=streams.stdin, terminal=streams.terminal, user=user)

    return await _attend(spec, name, ask, streams, warn, running=True)


def called(name: str, spec: Spec) -> str:
    """A workload of the specs; else the copy of a checkpoint that people call so, if there can be one."""
    return name if name in spec.workloads or not can_be_called(name) else copy_name(name)


async def _attend(
    spec: Spec,
    name: str,
    ask: Callable[[Attends], tuple[str, ...]],
    streams: OwnStreams,
    warn: Warn,
    *,
    running: bool,
) -> int:
    """Run what the workload's runtime says on the host that has it; returns its status."""
    async with open_fleet(spec, warn) as fleet:
        world = await observe(fleet, drivers(), list(spec.hosts))
    if name not in spec.workloads and not Index.of(world).copies.get(name):
        raise _unknown(name, spec, world)
    found = find(name, world)
    if running:
        refuse_unsettled(name, found, world)
    runtime = registry.need(drivers(), found.instance.runtime, "attends")
    assert isinstance(runtime, Attends)
    how = {"stdin": streams.stdin, "terminal": streams.terminal}
    return await compose.attached(spec, found.host, ask(runtime), **how)


def _unknown(name: str, spec: Spec, world: World) -> InputError:
    there = sorted({*spec.workloads, *(one.name for one in copies(Index.of(world)))})
    unseen = f"not seen: {', '.join(sorted(world.unknown()))}" if world.unknown() else ""
    what = f"no spec defines the workload {name.removesuffix(ENDING)}, and no copy of that name was seen"
    return InputError(what, code="E203", why=unseen, fix=f"one of: {', '.join(there) or 'none'}")


def find(name: str, world: World) -> Attended:
    """The copy that runs, else the one that there is. Refused where none was seen, or several run."""
    copies = [Attended(copy.host, copy.instance) for copy in Index.of(world).copies.get(name, ())]
    living = [found for found in copies if found.instance.state.has_processes]
    if len(living) > 1:
        where = ", ".join(sorted(found.host for found in living))
        raise Refused(f"{name} runs on {where}", fix=SEE_STATUS)
    if chosen := (living or copies):
        return chosen[0]
    if unknown := sorted(world.unknown()):
        raise HostUnreachable(f"{name} is on no host that was seen", why=f"{', '.join(unknown)} could not be seen")
    raise Refused(f"{name} is on no host", fix="make it: reconcile apply")


def refuse_unsettled(name: str, found: Attended, world: World) -> None:
    if Index.of(world).unsettled(name) or found.instance.state is InstanceState.HELD:
        raise Refused(f"a hand-over of {name} has not ended", where=found.host, fix=SEE_STATUS)
    if found.instance.state is not InstanceState.RUNNING:
        state = found.instance.state.value
        raise Refused(f"{name} does not run: it is {state}", where=found.host, fix=f"reconcile logs {name}")
