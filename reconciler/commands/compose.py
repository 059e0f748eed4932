"""The one composition: where fleet, wrappers, runtimes, clock, secrets and journal meet.

Every command that touches hosts is put together here, and so is the simulation, which brings hosts, runtimes and a
clock of its own: what is not composed here exists in neither.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from reconciler.commands.beside import keep_beside
from reconciler.commands.goingback import go_back
from reconciler.commands.tracing import spans
from reconciler.core.moving import Moving, moving
from reconciler.core.saga import GroupState
from reconciler.core.schedule import Slots
from reconciler.engine.effects import Secrets, StoreKeys
from reconciler.engine.execute import Executor, Outcome
from reconciler.engine.lease import Leases
from reconciler.engine.lenient import Warn, lenient, unsaid
from reconciler.engine.steps import Steps
from reconciler.errors import InputError, ReconcilerError
from reconciler.guard import guard
from reconciler.hosts.base import Fleet, pump
from reconciler.hosts.relay import Relay
from reconciler.hosts.wrap import Backoff, RetryFleet, Traced, TraceFleet, log_of
from reconciler.hosts.wrap import log as hosts_log
from reconciler.model.base import canonical_json
from reconciler.model.checkpoint import KeptAt
from reconciler.model.cluster import MachineRef
from reconciler.model.cluster_machine import ClusterMachine
from reconciler.model.command import Seconds
from reconciler.model.container import REGISTRY_PASSWORD, SecretRef
from reconciler.model.event import Event, Reporter, StepProgress, Untidied, ignore
from reconciler.model.plan import Plan
from reconciler.model.record import Record, RunState
from reconciler.model.spec import Spec, Workload
from reconciler.runtimes import registry
from reconciler.runtimes.base import Runtime
from reconciler.state.amounts import Amounts
from reconciler.state.identity import owner
from reconciler.state.journal import Journal
from reconciler.state.locks import is_dead
from reconciler.state.notebook import Notebook
from reconciler.state.store import Awaited, Store, Writer, aside

Note = Callable[[Traced], None]

log = logging.getLogger("reconciler.commands")


def drivers() -> dict[str, Runtime]:
    """All runtimes that can be used. Each of them is asked what is on the hosts, also those that no spec names: a
    workload whose spec is gone is removed, and none is made twice because its runtime has another name now."""
    return registry.usable()


def secrets_of(workload: Workload) -> dict[str, bytes]:
    """Values of the secrets a workload refers to. InputError names what is missing, never a value."""
    asked = {name: (f"secretEnv {name}", one) for name, one in workload.spec.secret_env.items()}
    if (container := workload.spec.container) is not None:
        asked |= {path: (f"secretFiles {path}", one) for path, one in container.secret_files.items()}
        if container.registry is not None:
            asked[REGISTRY_PASSWORD] = ("registry.password", container.registry.password)
    return {
        name: _secret(one, f"workload {workload.metadata.name}, {field}", whole=name.startswith("/"))
        for name, (field, one) in asked.items()
    }


def keys_of(at: KeptAt) -> dict[str, bytes]:
    """Values of the secrets that a store of checkpoints refers to. InputError names what is missing, or cannot be
    a variable."""
    if at.repository is None:
        return {}
    asked = {name: (f"env {name}", one) for name, one in at.repository.env.items()}
    if at.repository.password is not None:
        asked["RESTIC_PASSWORD"] = ("password", at.repository.password)
    found = {}
    for name, (of, one) in asked.items():
        where = f"store {at}, {of}"
        found[name] = _secret(one, where, whole=False)
        if not found[name] or b"\n" in found[name] or b"\0" in found[name]:
            raise InputError("a secret is empty, or has several lines", code="E180", where=where)
    return found


def _secret(reference: SecretRef, where: str, *, whole: bool) -> bytes:
    """`whole`: with the line end that files mostly have, for it will be a file again."""
    if reference.from_env is not None:
        value = os.environ.get(reference.from_env)
        if value is None:
            raise InputError(f"variable {reference.from_env} is not set", code="E180", where=where)
        return value.encode()
    assert reference.from_file is not None
    try:
        found = Path(reference.from_file).read_bytes()
    except OSError as error:
        raise InputError(
            f"secret file {reference.from_file} cannot be read",
            code="E180",
            where=where,
            why=error.strerror or "",
        ) from error
    return found if whole else found.rstrip(b"\n")


def reach(spec: Spec) -> Fleet:
    """The specs' hosts over SSH, and their clusters by their APIs; bare."""
    from reconciler.hosts.ssh import SshFleet

    hosts = SshFleet(spec.hosts)
    if not spec.clusters:
        return hosts
    from reconciler.hosts.kubernetes import ClusterFleet

    return ClusterFleet(hosts, {name: one.spec for name, one in spec.clusters.items()}, machine_refs(spec))


def machine_refs(spec: Spec) -> dict[str, dict[str, MachineRef]]:
    """By cluster and workload: the virtual machine that the workload's spec names."""
    found: dict[str, dict[str, MachineRef]] = {}
    for name, workload in spec.workloads.items():
        wanted, cluster = workload.spec.virtual_machine, workload.spec.placement.cluster
        if isinstance(wanted, ClusterMachine) and cluster in spec.clusters:
            namespace = wanted.namespace or spec.clusters[cluster].spec.namespace
            section = canonical_json(wanted.model_copy(update={"manifest": None}))
            found.setdefault(cluster, {})[name] = MachineRef(namespace, wanted.name, section)
    return found


async def attached(spec: Spec, host: str, argv: Sequence[str], *, stdin: bool, terminal: bool) -> int:
    """A command on a host with this process's streams; see `hosts.ssh.attach`."""
    from reconciler.hosts.ssh import SshFleet
    from reconciler.hosts.ssh.attach import attach

    fleet = SshFleet(spec.hosts)
    try:
        return await attach(fleet.host(host), argv, stdin=stdin, terminal=terminal)
    finally:
        await fleet.close()


@asynccontextmanager
async def open_relay(spec: Spec) -> AsyncIterator[Relay]:
    """For files between this machine and the specs' hosts."""
    from reconciler.hosts.ssh import SshFleet

    relay = Relay(SshFleet(spec.hosts).host)
    try:
        yield relay
    finally:
        await relay.close()


def wrapped(fleet: Fleet, note: Note | None = None) -> Fleet:
    """A fleet as every controller uses it: what broke on the way is done once more where that does no harm.
    `note` is told of each try, and so is a log of everything."""
    told = TraceFleet(fleet, note) if note else fleet
    logged = TraceFleet(told, log_of) if hosts_log.isEnabledFor(logging.DEBUG) else told
    return RetryFleet(logged, Backoff(tries=2))


@asynccontextmanager
async def open_fleet(spec: Spec, warn: Warn) -> AsyncIterator[Fleet]:
    """The specs' hosts as every controller uses them; connections are closed at the end. `warn` is told what could
    not be done properly beside the work: every command passes it on."""
    with ExitStack() as files:
        trace = os.environ.get("RECONCILE_TRACE")
        note = files.enter_context(_trace_file(Path(trace), warn)) if trace else None
        fleet = wrapped(reach(spec), note)
        try:
            yield fleet
        finally:
            with lenient("S604", "the connections could not be closed properly", warn):
                await fleet.close()


def open_store(path: Path | None = None, *, write: bool = True) -> Store:
    """Where runs are kept, for every command. `write=False` changes nothing, nor makes it where there is none."""
    return Journal.open(path, write=write)


@asynccontextmanager
async def kept_runs(path: Path | None = None) -> AsyncIterator[Store]:
    """The same, to write: to open it so may wait for the disk and for other processes."""
    with await aside(lambda: open_store(path)) as store:
        yield store


def notes_beside(path: Path | None = None) -> Notebook:
    """What watches note, where runs are kept."""
    return Notebook.beside(path)


@contextmanager
def _trace_file(path: Path, warn: Warn) -> Iterator[Note]:
    """A file of JSON lines, one for each operation on a host; readable by its owner only, without secrets. It ends
    where it cannot be written any more. A pipe that nobody reads is refused, a full one never waited for."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise InputError("the trace cannot be written", where=str(path), why=error.strerror or "") from error
    broken = False

    def note(traced: Traced) -> None:
        nonlocal broken
        line = json.dumps({"at": round(time.time(), 4), **asdict(traced)}) + "\n"
        try:
            if not broken:
                os.write(handle, line.encode())
        except OSError as error:
            broken = True
            warn(Untidied("S605", f"the trace {path} is not complete ({error.strerror})"))

    try:
        yield note
    finally:
        os.close(handle)


@dataclass(frozen=True)
class Outside:
    """What a controller acts on and with. The defaults are production's; the simulation has its own."""

    fleet: Fleet
    drivers: Mapping[str, Runtime] = field(default_factory=drivers)
    secrets: Secrets = secrets_of
    keys: StoreKeys = keys_of
    now: Callable[[], float] = time.time
    sleep: Callable[[Seconds], Awaitable[None]] = asyncio.sleep
    warn: Warn = unsaid
    leases: Leases | None = None
    """None: nobody else acts on the fleet."""

    def lacking(self, hosts: Iterable[str]) -> ReconcilerError | None:
        """Why what needs these hosts cannot be done now: another controller has one of them."""
        return self.leases.lacking(hosts) if self.leases else None

    async def narrow(self, hosts: Collection[str]) -> None:
        """From here on only these hosts are acted on, and other controllers may act on all others. Locked when
        one of them is another's."""
        if self.leases:
            await self.leases.narrow(hosts)

    def executor(
        self,
        plan: Plan,
        run: str,
        journal: Writer,
        *,
        report: Reporter = ignore,
        records: Iterable[Record] = (),
        recovering: frozenset[str] = frozenset(),
        limits: Slots | None = None,
    ) -> Executor:
        """What carries a plan out, from the records of an earlier controller on."""
        return Executor(
            plan=plan,
            run=run,
            steps=Steps(plan, run, self.fleet, self.drivers, self.secrets, now=self.now, keys=self.keys),
            journal=journal,
            now=self.now,
            sleep=self.sleep,
            report=_told_beside(journal, run, self.now, report),
            records=list(records),
            recovering=recovering,
            limits=limits or Slots(),
            while_frozen=lambda workload: self._beat_hold(plan, workload),
            go_back=lambda failed, workload: go_back(self, failed, workload),
            keep_beside=lambda done, workload: keep_beside(self, done, workload),
        )

    async def carry_out(self, executor: Executor) -> Outcome:
        """Run it to its end, and write down how that was."""
        log.info("run of %d steps begins", len(executor.plan.steps), extra={"run": executor.run})
        with spans(executor.run, executor.report) as executor.report:
            try:
                outcome = await executor.execute()
            finally:
                if amounts := _amounts(executor.journal):
                    amounts.forget(executor.run)
        for workload, state in outcome.groups.items():
            log.info("ended: %s", state, extra={"run": executor.run, "workload": workload})
        unnoted = "the journal could not note the end of the run; reconcile resume does"
        with lenient("S606", unnoted, self.warn):
            await executor.journal.end(executor.run, run_state(outcome), self.now())
        return outcome

    async def _beat_hold(self, plan: Plan, workload: str) -> None:
        """Tell the source of a frozen workload that its controller lives. An unanswered beat is no error: the
        hook there knows what to do."""
        try:
            await pump(guard.beat([workload]), self.fleet.host(plan.moves[workload].source))
        except ReconcilerError:
            return


def _amounts(journal: Writer) -> Amounts | None:
    """Where it is told how much of copies was made: beside a journal that is a file."""
    store = journal.store if isinstance(journal, Awaited) else None
    path = store.path if isinstance(store, Journal) else None
    return Amounts.beside(path) if path else None


def _told_beside(journal: Writer, run: str, now: Callable[[], float], report: Reporter) -> Reporter:
    """A reporter that also has processes beside this one know how far copies are."""
    amounts = _amounts(journal)
    if amounts is None:
        return report

    def told(event: Event) -> None:
        if isinstance(event, StepProgress):
            amounts.note(run, event.step.id, event.done, now())
        report(event)

    return told


def under_way(path: Path | None, now: float) -> list[Moving]:
    """The changes that runs of this journal have under way, whichever process carries them out."""
    with open_store(path, write=False) as journal:
        runs, locks = journal.open_runs(), journal.locks.all()
    amounts = Amounts.beside(path)
    me = owner()
    living = {lock.name for lock in locks if not is_dead(lock, me, now)}
    return moving(runs, {run.id: amounts.read(run.id) for run in runs}, living, now)


def run_state(outcome: Outcome) -> RunState:
    """The state of a whole run from those of its workloads."""
    states = set(outcome.groups.values())
    if GroupState.IN_DOUBT in states:
        return RunState.IN_DOUBT
    if states <= {GroupState.DONE}:
        return RunState.DONE
    if states <= {GroupState.DONE, GroupState.PUT_BACK, GroupState.SKIPPED}:
        return RunState.FAILED
    return RunState.OPEN  # something remains for `resume`
