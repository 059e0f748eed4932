"""What each fault does to a simulated controller, its hosts, or the command that was about to be sent."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from reconciler.hosts.memory.machine import Machine, Universe
from reconciler.hosts.wrap import About
from reconciler.model.plan import Plan, Step, StepKind
from tests.sim.faults import ARMS, Fault

if TYPE_CHECKING:
    from tests.sim.controller import Controller
    from tests.sim.run import Simulation


def befall(  # noqa: C901  (a table of what each fault does)
    sim: Simulation, fault: Fault, controller: Controller, step: Step, about: About | None
) -> str | None:
    """A fault strikes at a boundary of a step. For commands, answers what happens to this one."""
    hosts = machines_of(sim.universe, controller.plan, step)
    rng = sim.rng
    later = asyncio.get_running_loop().call_later
    delay = rng.uniform(0.0, 0.6) if about is not None and rng.random() < 0.5 else 0.0
    """Half of what befalls a host in an effect does so in the middle of a command."""
    if fault in ARMS:
        side, trouble, times = ARMS[fault]
        hosts[side].armed[trouble] = hosts[side].armed.get(trouble, 0) + times
    match fault:
        case Fault.KILLED:
            controller.kill()
        case Fault.JOURNAL_LOST:
            sim.journal_lost = True
            controller.kill()
        case Fault.UPGRADED | Fault.UPGRADED_OVER:
            for machine in sim.universe.machines.values():
                machine.installed = {"another release's"}
            if fault is Fault.UPGRADED_OVER:
                sim.journal_lost = True
                controller.kill()
        case Fault.CANCELLED:
            controller.executor.cancel()
        case Fault.ZOMBIE:
            controller.stop()
            sim.zombies.append(controller)
            later(rng.uniform(0.0, rng.choice([3.0, 10.0, 200.0])), controller.awake.set)
        case Fault.ZOMBIE_APART:
            sim.journal_lost = True
            controller.stop()
            sim.zombies.append(controller)
            later(rng.uniform(0.0, rng.choice([3.0, 10.0, 200.0])), controller.awake.set)
        case Fault.JOURNAL_FULL:
            sim.journal_full = True
        case Fault.REFUSED:
            assert about is not None
            sim.refusing[about.host] = rng.choice([1, 4, 9, 30])
            return "refused"
        case Fault.REPLY_LOST:
            return "lost"
        case Fault.HANG:
            return "hang"
        case Fault.DELAYED:
            return "late"
        case Fault.SOURCE_LOST | Fault.DESTINATION_LOST:
            later(delay, partial(hosts[_side(fault)].power_off, for_good=True))
        case Fault.SOURCE_REBOOTS | Fault.DESTINATION_REBOOTS:
            later(delay, hosts[_side(fault)].reboot)
        case Fault.SOURCE_CUT | Fault.DESTINATION_CUT | Fault.ALL_CUT:
            cut = list(hosts.values()) if fault is Fault.ALL_CUT else [hosts[_side(fault)]]
            for machine in cut:
                machine.reachable = False
                later(rng.choice([8.0, 40.0, 300.0]), setattr, machine, "reachable", True)
        case Fault.HOOK_KILLED | Fault.CRIU_KILLED:
            process = "hook" if fault is Fault.HOOK_KILLED else "criu"
            later(delay, hosts["source"].kill_hold, step.workload, process)
        case Fault.LINK_CUT:
            sim.universe.cut_links = True
            later(rng.choice([1.0, 60.0]), setattr, sim.universe, "cut_links", False)
        case Fault.SLOW:
            hosts["source"].slow = hosts["destination"].slow = 10.0
        case Fault.RETURNS:
            for machine in sim.universe.machines.values():
                later(delay, machine.power_on)
        case Fault.CLOCK:
            hosts["source"].clock_offset += 3600.0
    return None


def _side(fault: Fault) -> str:
    return "source" if fault.name.startswith("SOURCE") else "destination"


def machines_of(universe: Universe, plan: Plan, step: Step) -> dict[str, Machine]:
    """The two ends of a step; one host for both where it has only one."""
    move = plan.moves.get(step.workload)
    one = move is None or move.comeback is not None
    if step.kind is StepKind.CAPTURE:
        names = (step.host, step.peer or step.host)
        return {"source": universe.machines[names[0]], "destination": universe.machines[names[1]]}
    names = (step.peer or step.host, step.host) if one or move is None else (move.source, move.destination)
    source, destination = (universe.machines[name] for name in names)
    return {"source": source, "destination": destination}
