"""From changes to steps with explicit needs. The same input gives the same plan, step ids included."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from reconciler.core.accuracy import Measured, rates
from reconciler.core.diff import Copy, Index, diff
from reconciler.core.follows import network_row
from reconciler.core.images import image_id
from reconciler.core.rules import check_change
from reconciler.core.strategy import LAST_ROUND, Choice, Prediction, choose, network_lock, predict
from reconciler.model.base import digest, parse_duration
from reconciler.model.command import Bytes
from reconciler.model.plan import Change, ChangeKind, Finding, Move, Plan, Step, StepKind
from reconciler.model.room import on_disk
from reconciler.model.spec import DesiredState, Spec, Strategy, Workload
from reconciler.model.units import format_bytes
from reconciler.model.world import HostFacts, World


def make_plan(
    spec: Spec, world: World, unfinished: Collection[str] = (), earlier: Sequence[Measured] = ()
) -> Plan:
    """The plan that brings the world to the specs, as far as the rules allow it. `unfinished` names workloads of
    earlier runs that have not ended: those are resumed first. `earlier` moves make the predictions better."""
    index = Index.of(world)
    difference = diff(spec, world, unfinished, index)
    builder = _Builder(spec, world, index, earlier)
    findings = list(difference.findings)
    changes: list[Change] = []
    for change in difference.changes:
        found = [*check_change(change, spec, world, index), *builder.too_long(change)]
        findings.extend(found)
        if any(f.severity == "refuse" for f in found):
            continue
        changes.append(builder.add(change))
    touched = {change.workload for change in changes}
    return Plan(
        changes=tuple(changes),
        steps=tuple(builder.steps),
        moves=builder.moves,
        findings=tuple(findings),
        unknown_hosts=dict(index.unknown),
        hosts=spec.hosts,
        workloads={name: w for name, w in spec.workloads.items() if name in touched},
        networks=spec.networks,
        policies={
            name: spec.policy_of(w) for name, w in spec.workloads.items() if name in touched and w.spec.migration
        },
        epochs={change.workload: _epoch(change, index) for change in changes},
        commit=spec.commit,
        dirty=spec.dirty,
        spec_digest=spec_digest(spec),
        world_digest=world_digest(world),
    )


def _epoch(change: Change, index: Index) -> int:
    """The epoch a change acts under: a new container is a new ownership, also where an old one was fenced."""
    made = change.kind in (ChangeKind.CREATE, ChangeKind.RECREATE)
    return index.epoch(change.workload) + (1 if made else 0)


def spec_digest(spec: Spec) -> str:
    """Digest of what the specs say, wherever it stands in the files."""
    parts = (spec.hosts, spec.workloads, spec.policies, spec.networks)
    return digest([{name: item.model_dump(mode="json") for name, item in part.items()} for part in parts])


def world_digest(world: World) -> str:
    """Digest of what plans depend on."""
    return digest(host_digests(world))


def host_digests(world: World) -> dict[str, str]:
    """By host, the digest of what plans depend on: containers, states, images and markers, not free memory or
    sizes. Empty for a host that was not seen."""
    return dict.fromkeys(world.unknown(), "") | {
        name: digest(
            {
                "containers": sorted((c.name, c.id, c.state.value, c.image_id) for c in host.containers),
                "markers": sorted((m.workload, m.epoch, m.phase) for m in host.markers),
                "networks": sorted(n.name for n in host.networks),
            }
        )
        for name, host in world.seen().items()
    }


@dataclass(frozen=True)
class _Outlook:
    """How a move will go: the copy that moves, how, and how long each part takes. `learned_from`: how many earlier
    moves say so."""

    copy: Copy
    choice: Choice
    prediction: Prediction
    learned_from: int


@dataclass
class _Builder:
    spec: Spec
    world: World
    index: Index
    earlier: Sequence[Measured] = ()
    steps: list[Step] = field(default_factory=list)
    moves: dict[str, Move] = field(default_factory=dict)

    def add(self, change: Change) -> Change:
        """Append the steps of a change; returns the change with its rows for the reviewer."""
        match change.kind:
            case ChangeKind.CREATE:
                return self._create(change, needs=())
            case ChangeKind.RECREATE:
                return self._recreate(change)
            case ChangeKind.REMOVE:
                assert change.source
                stop = self._step(StepKind.STOP, change.workload, change.source)
                self._step(StepKind.REMOVE, change.workload, change.source, needs=(stop,))
                return change
            case ChangeKind.START:
                assert change.source
                start = self._step(StepKind.START, change.workload, change.source)
                self._confirm(change.workload, change.source, (start,))
                return change
            case ChangeKind.STOP:
                assert change.source
                self._step(StepKind.STOP, change.workload, change.source)
                return change
            case ChangeKind.MOVE:
                return self._move(change)

    def _step(
        self,
        kind: StepKind,
        workload: str,
        host: str,
        *,
        needs: Iterable[str] = (),
        peer: str | None = None,
        subject: str = "",
        expected_bytes: int = 0,
    ) -> str:
        step_id = "/".join(filter(None, (workload, kind.value, host, subject[:24])))
        self.steps.append(
            Step(
                id=step_id,
                kind=kind,
                workload=workload,
                host=host,
                peer=peer,
                subject=subject,
                needs=tuple(needs),
                expected_bytes=expected_bytes,
            )
        )
        return step_id

    def _facts(self, host: str) -> HostFacts:
        return self.index.seen[host]

    def _networks(self, workload: Workload, host: str) -> list[str]:
        have = {network.name for network in self._facts(host).networks}
        return [
            self._step(StepKind.CREATE_NETWORK, workload.metadata.name, host, subject=n.name)
            for n in workload.spec.container.networks
            if n.name not in have and n.name in self.spec.networks
        ]

    def _recreate(self, change: Change) -> Change:
        """The old container is set aside, and removed only when its successor is healthy."""
        assert change.source and change.destination
        name, host = change.workload, change.destination
        workload = self.spec.workloads[name]
        first = [*self._image(workload, host), *self._networks(workload, host)]
        aside = self._step(StepKind.SET_ASIDE, name, change.source, needs=first)
        changed = self._create(change, needs=(aside,))
        last = self.steps[-1].id
        self._step(StepKind.REMOVE, name, change.source, needs=(last,), subject="aside")
        return changed

    def _create(self, change: Change, needs: Iterable[str]) -> Change:
        assert change.destination
        host, name = change.destination, change.workload
        workload = self.spec.workloads[name]
        first = list(needs) or [*self._image(workload, host), *self._networks(workload, host)]
        have = {volume.name for volume in self._facts(host).volumes}
        first += [
            self._step(StepKind.CREATE_VOLUME, name, host, subject=volume.name)
            for volume in workload.spec.container.volumes
            if volume.name not in have
        ]
        create = self._step(StepKind.CREATE, name, host, needs=first)
        if workload.spec.state is DesiredState.RUNNING:
            start = self._step(StepKind.START, name, host, needs=(create,))
            self._confirm(name, host, (start,))
        rows = [("image", workload.spec.container.image), ("on", host)]
        if change.kind is ChangeKind.RECREATE:
            rows.append(("lost", "what it holds in memory and in its root filesystem; its volumes stay"))
            rows.append(("way back", "the old container is started again when the new one is not healthy"))
        return change.model_copy(update={"details": tuple(rows)})

    def _image(self, workload: Workload, host: str) -> list[str]:
        name, wanted = workload.metadata.name, workload.spec.container.image
        if image_id(self._facts(host), wanted):
            return []
        for peer, facts in sorted(self.index.seen.items()):
            if found := image_id(facts, wanted):
                size = next(i.size_bytes for i in facts.images if i.id == found)
                return [self._step(StepKind.COPY_IMAGE, name, host, peer=peer, subject=found, expected_bytes=size)]
        return [self._step(StepKind.PULL_IMAGE, name, host, subject=wanted)]

    def _confirm(self, workload: str, host: str, needs: Iterable[str]) -> None:
        if self.spec.workloads[workload].spec.health is not None:
            self._step(StepKind.CONFIRM, workload, host, needs=needs)

    def too_long(self, change: Change) -> list[Finding]:
        """The finding about a move that is predicted to keep clients waiting longer than its policy allows."""
        workload = self.spec.workloads.get(change.workload)
        if change.kind is not ChangeKind.MOVE or workload is None:
            return []
        policy = self.spec.policy_of(workload)
        if policy.max_downtime is None:
            return []
        downtime = self._outlook(change).prediction.downtime
        if downtime <= parse_duration(policy.max_downtime):
            return []
        return [
            Finding(
                rule="downtime.limit",
                severity="warn" if policy.best_effort else "refuse",
                workload=change.workload,
                host=change.destination or "",
                message=f"clients would wait about {downtime:.1f} s, maxDowntime is {policy.max_downtime}",
                fix="raise maxDowntime, set bestEffort: true, or move when it holds less memory",
            )
        ]

    def _outlook(self, change: Change) -> _Outlook:
        assert change.source and change.destination
        name, source, host = change.workload, change.source, change.destination
        copy = next(c for c in self.index.copies[name] if c.host == source)
        container, known = copy.container, rates(self.earlier, source, host)
        policy = self.spec.policy_of(self.spec.workloads[name])
        choice = choose(policy, container, self._facts(source), self._facts(host), known)
        prediction = predict(choice.strategy, container.memory_bytes, container.rootfs_bytes, known)
        return _Outlook(copy, choice, prediction, known.learned_from)

    def _move(self, change: Change) -> Change:
        assert change.source and change.destination
        name, source, host = change.workload, change.source, change.destination
        workload = self.spec.workloads[name]
        outlook = self._outlook(change)
        container, choice = outlook.copy.container, outlook.choice
        expected = container.memory_bytes + container.rootfs_bytes
        self.moves[name] = Move(
            workload=name,
            source=source,
            destination=host,
            container_id=container.id,
            image_id=container.image_id,
            epoch=self.index.epoch(name) + 2,  # going back has the next one, which no later hand-over may have
            cutover=choice.cutover,
            strategy=choice.strategy,
            oci_runtime=container.oci_runtime,
            network_lock=network_lock(self._facts(source), self._facts(host)),
            memory_bytes=container.memory_bytes,
            expected_bytes=expected,
            predicted_downtime_s=outlook.prediction.downtime,
        )
        first = self._networks(workload, host)
        if all(image.id != container.image_id for image in self._facts(host).images):
            size = next((i.size_bytes for i in self._facts(source).images if i.id == container.image_id), 0)
            first.append(
                self._step(
                    StepKind.COPY_IMAGE,
                    name,
                    host,
                    peer=source,
                    subject=container.image_id,
                    expected_bytes=size,
                )
            )
        last: tuple[str, ...] = tuple(first)
        in_rounds = choice.strategy is Strategy.PRECOPY
        for kind, where, peer, size in (
            (StepKind.RESERVE, host, source, 0),
            (StepKind.STAGE, host, source, 0),
            *([(StepKind.PRECOPY, source, host, container.memory_bytes)] if in_rounds else []),
            (StepKind.HOLD, source, host, 0),
            (StepKind.TRANSFER, host, source, min(expected, LAST_ROUND) if in_rounds else expected),
            (StepKind.COMMIT, host, source, 0),
            (StepKind.RESTORE, host, source, 0),
            (StepKind.CONFIRM, host, source, 0),
            (StepKind.RETIRE, source, host, 0),
        ):
            last = (self._step(kind, name, where, peer=peer, needs=last, expected_bytes=size),)
        hosts = (self._facts(source), self._facts(host))
        tcp = self.spec.policy_of(workload).tcp
        network = network_row(workload, container, hosts[1], self.spec.networks, tcp)
        rows = _move_rows(self.moves[name], outlook, *hosts, network)
        rows += _action_rows(workload, source, host)
        return change.model_copy(update={"details": rows})


_HOW = {
    Strategy.COLD: "cold, eager restore",
    Strategy.LAZY: "cold, lazy restore",
    Strategy.PRECOPY: "pre-copy in rounds while it runs, lazy restore",
}


def _action_rows(workload: Workload, source: str, host: str) -> tuple[tuple[str, str], ...]:
    """What the specs run on the hosts, in full: a reviewer has to see it."""
    actions = workload.spec.migration.actions if workload.spec.migration else None
    if actions is None:
        return ()
    before = (f"on {source} before the freeze: {' '.join(a.do)}" for a in actions.before_hold)
    after = (f"on {host} after the restore: {' '.join(a.do)}" for a in actions.after_restore)
    return tuple(("action", text) for text in (*before, *after))


def _move_rows(
    move: Move, outlook: _Outlook, source: HostFacts, destination: HostFacts, network: str
) -> tuple[tuple[str, str], ...]:
    container, prediction, learned = outlook.copy.container, outlook.prediction, outlook.learned_from
    in_rounds = move.strategy is Strategy.PRECOPY
    copied = "what changed since the last round" if in_rounds else format_bytes(move.expected_bytes)
    basis = f"; learned from {learned} earlier move{'s' * (learned != 1)}" if learned else ""
    rows = [
        ("how", f"{_HOW[move.strategy]}; {move.cutover.value} cut-over"),
        *(("", reason) for reason in outlook.choice.why),
        (
            "downtime",
            f"about {prediction.downtime:.1f} s: dump {prediction.dump:.1f}, copy {prediction.copy:.1f}"
            f" ({copied}), restore {prediction.restore:.1f}{basis}",
        ),
    ]
    rows.append(("network", network))
    rows.append(("room", _room(container.memory_bytes, source, destination)))
    back = (
        "until the commit the source resumes, same process; after it, forward only"
        if move.cutover.value == "transactional"
        else "until the destination is healthy the source is restored from its images"
    )
    rows.append(("way back", back))
    return tuple(rows)


def _room(images: Bytes, *hosts: HostFacts) -> str:
    """Where images go on each host: both decide by what is available when the move comes to it."""
    size = format_bytes(images)
    free = {host.name: format_bytes(host.memory_free_bytes) for host in hosts}
    short = {host.name for host in hosts if on_disk(images, host.memory_free_bytes)}
    if not short:
        return f"{size} of memory for images on each host ({', '.join(f'{n} {f}' for n, f in free.items())} free)"
    places = (
        f"on disk on {name}, which has {memory} of memory free" if name in short else f"in memory on {name}"
        for name, memory in free.items()
    )
    return f"{size} for images: {'; '.join(places)}"
