"""The plan of a workload that comes back from a checkpoint: a hand-over without a source. Pure; whether it may be
at all is said by `core.comeback`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from reconciler.core.comeback import next_epoch
from reconciler.core.digests import spec_digest
from reconciler.core.index import Index
from reconciler.core.saving import as_it_was
from reconciler.model.base import digest
from reconciler.model.checkpoint import Kept, Manifest
from reconciler.model.comeback import Comeback
from reconciler.model.command import Seconds
from reconciler.model.plan import Change, ChangeKind, Move, Plan, Step, StepKind
from reconciler.model.spec import Cutover, MigrationPolicySpec, Spec, Strategy, TcpHandling, Workload
from reconciler.model.units import format_seconds


@dataclass(frozen=True)
class Return:
    """What comes back, and where to. `gone`: hosts that are off, by `evidence`; `replaces`: what the host has of
    it is given up; `returns`: it goes back where it was, from what has failed; `beside`: hosts that have to be
    told of it, if not all; `policy`: if not the specs'; `earlier`: epochs of its runs that only a journal knows;
    `age_s`: of the checkpoint; `copy_of`: the workload that it is of, where this is a copy of it under another
    name; `why`: more for the run's reason."""

    workload: Workload
    kept: Kept
    manifest: Manifest
    host: str
    gone: tuple[str, ...] = ()
    evidence: str = ""
    replaces: bool = False
    returns: bool = False
    beside: frozenset[str] | None = None
    policy: MigrationPolicySpec | None = None
    earlier: tuple[int, ...] = ()
    age_s: Seconds = 0.0
    copy_of: str = ""
    why: str = ""

    @property
    def name(self) -> str:
        return self.workload.metadata.name


def run_back(run: str, workload: str) -> str:
    """The run in which a workload goes back to the checkpoint that another run has taken of it: one, whoever
    asks."""
    return f"{run}-{digest(workload)[:8]}"


def run_beside(run: str, workload: str, goes: str = "") -> str:
    """The run in which the old version of a workload comes up beside the one that another run has made: one,
    whoever asks. `goes`: that in which an earlier copy goes from a host for it."""
    return f"{run}-{digest([workload, goes])[:8]}"


def is_led_to(one: str, run: str) -> bool:
    """Whether a run is one that the other has led to, and ends before that."""
    return one.startswith(f"{run}-")


def failed_run(back: str) -> str:
    """The run that has led to one in which a workload goes back."""
    return back.rpartition("-")[0]


def going_back(failed: Plan, taken: Manifest, run: str, index: Index) -> Plan | None:
    """How a workload goes back to the checkpoint that a failed plan has taken of it, by the spec that it was made
    from then; None where nobody knows that. What comes with it is that plan's. Hosts that had no part in it are
    not told: none of them was ever to have it."""
    name = taken.workload
    capture, host = failed.captures[name], failed.captures[name].host
    workload = as_it_was(capture)
    if workload is None or host not in index.seen:
        return None
    places = {step.host for step in failed.groups[name]}
    back = Return(
        workload=workload,
        kept=Kept(capture.at, name, run, manifest=taken),
        manifest=taken,
        host=host,
        returns=True,
        beside=frozenset(places & index.seen.keys()),
        policy=failed.policy_of(name),
    )
    spec = Spec(hosts=failed.hosts, workloads={name: workload}, networks=failed.networks, commit=failed.commit)
    return comeback_plan(back, spec, index)


def comeback_plan(wanted: Return, spec: Spec, index: Index) -> Plan:
    """All hosts that were seen have a part in it: one that is not told of the new epoch could start what it has,
    or what another controller brings there meanwhile."""
    name = wanted.name
    epoch = next_epoch(name, index, wanted.manifest, wanted.earlier)
    # Peers have gone on: connections of then could neither be answered nor end.
    how: dict[str, object] = {"tcp": TcpHandling.CLOSE}
    if wanted.returns:  # there is nothing better to go back to than what ran
        how["on_unhealthy"] = "stay"
    policy = (wanted.policy or spec.policy_of(wanted.workload)).model_copy(update=how)
    return Plan(
        changes=(_change(wanted, spec),),
        steps=_Steps(wanted, spec, index).all(),
        moves={name: _move(wanted, index, epoch)},
        unknown_hosts=dict(index.unknown),
        hosts=spec.hosts,
        workloads={name: wanted.workload},
        networks=spec.networks,
        policies={name: policy},
        epochs={name: epoch},
        commit=spec.commit,
        dirty=spec.dirty,
        spec_digest=spec_digest(spec),
    )


def _change(wanted: Return, spec: Spec) -> Change:
    kept, old = wanted.kept, format_seconds(wanted.age_s)
    return Change(
        kind=ChangeKind.RESTORE,
        workload=wanted.name,
        destination=wanted.host,
        reason=f"{kept.workload}@{kept.id} on {kept.at} is restored, {old} old{wanted.why}",
        origin=spec.origin("Workload", wanted.copy_of or wanted.name, ""),
    )


def _move(wanted: Return, index: Index, epoch: int) -> Move:
    manifest, kept, runtime = wanted.manifest, wanted.kept, wanted.workload.spec.runtime
    return Move(
        workload=wanted.name,
        source="",
        destination=wanted.host,
        container_id="",
        image_id=manifest.came_from.image_id,
        epoch=epoch,
        cutover=Cutover.TRANSACTIONAL,
        strategy=Strategy.COLD,
        oci_runtime=manifest.came_from.oci_runtime,
        memory_bytes=manifest.memory_bytes,
        comeback=Comeback(
            checkpoint=kept.id,
            host=kept.at.host,
            folder=kept.folder,
            repository=kept.at.repository,
            files=manifest.files,
            trees=manifest.trees,
            gone=wanted.gone,
            evidence=wanted.evidence,
            without=tuple(host for host, facts in sorted(index.seen.items()) if runtime not in facts.runtimes),
            returns=wanted.returns,
            copy_of=wanted.copy_of,
            replaces=wanted.replaces,
        ),
    )


@dataclass
class _Steps:
    """Everything that can be prepared first; then the container, which others see; then the fences; then the
    commit."""

    wanted: Return
    spec: Spec
    index: Index
    made: list[Step] = field(default_factory=list)

    def all(self) -> tuple[Step, ...]:
        kept, manifest, host = self.wanted.kept, self.wanted.manifest, self.wanted.host
        peer = kept.at.host if kept.at.host != host else None
        fetch = self._add(StepKind.FETCH, (), peer=peer, subject=kept.id, expected_bytes=manifest.bytes)
        reserve = self._add(StepKind.RESERVE, (fetch, *self._networks(), *self._image()))
        stage = self._add(StepKind.STAGE, (reserve,))
        unpack = self._add(StepKind.UNPACK, (stage,))
        told = self.index.seen.keys() if self.wanted.beside is None else self.wanted.beside
        others = [other for other in sorted(told) if other != host]
        fences = [self._add(StepKind.FENCE, (unpack,), host=other) for other in others]
        commit = self._add(StepKind.COMMIT, (unpack, *fences))
        restore = self._add(StepKind.RESTORE, (commit,))
        confirm = self._add(StepKind.CONFIRM, (restore,))
        self._add(StepKind.RETIRE, (confirm,))
        return tuple(self.made)

    def _networks(self) -> list[str]:
        facts, runtime = self.index.seen[self.wanted.host], self.wanted.workload.spec.runtime
        have = {network.name for network in facts.of(runtime).networks}
        wanted = [n.name for n in self.wanted.workload.spec.networks if n.name in self.spec.networks]
        return [self._add(StepKind.CREATE_NETWORK, (), subject=name) for name in wanted if name not in have]

    def _image(self) -> list[str]:
        """The very image that it ran: from a host that has it, else by its name."""
        image, runtime = self.wanted.manifest.came_from.image_id, self.wanted.workload.spec.runtime
        have = {
            host: found.size_bytes
            for host, facts in sorted(self.index.seen.items())
            for found in facts.of(runtime).images
            if found.id == image
        }
        if not image or self.wanted.host in have:
            return []
        for peer, size in have.items():
            return [self._add(StepKind.COPY_IMAGE, (), peer=peer, subject=image, expected_bytes=size)]
        return [self._add(StepKind.PULL_IMAGE, (), subject=self.wanted.workload.spec.image)]

    def _add(
        self,
        kind: StepKind,
        needs: Iterable[str],
        *,
        host: str = "",
        peer: str | None = None,
        subject: str = "",
        expected_bytes: int = 0,
    ) -> str:
        name, place = self.wanted.name, host or self.wanted.host
        step = Step(
            id="/".join(filter(None, (name, kind.value, place, subject[:24]))),
            kind=kind,
            workload=name,
            host=place,
            peer=peer,
            runtime=self.wanted.workload.spec.runtime,
            subject=subject,
            needs=tuple(needs),
            expected_bytes=expected_bytes,
        )
        self.made.append(step)
        return step.id
