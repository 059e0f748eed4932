"""From changes to steps with explicit needs. The same input gives the same plan, step ids included."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from reconciler.core import outlook as seen_ahead
from reconciler.core.accuracy import Measured, rates
from reconciler.core.carrying import carried
from reconciler.core.consent import allows
from reconciler.core.copying import named
from reconciler.core.diff import current_copy, diff
from reconciler.core.digests import spec_digest, world_digest
from reconciler.core.failing import Restorable, coming_back
from reconciler.core.follows import network_outlook
from reconciler.core.forecast import forecast_of, too_long
from reconciler.core.images import image_way
from reconciler.core.index import Copy, Index
from reconciler.core.rules import check_change
from reconciler.core.rules.ability import can
from reconciler.core.rules.base import moves_by_itself
from reconciler.core.saving import AHEAD, capture_step, goes_back, planned, saved_before, saved_outlook
from reconciler.core.strategy import LAST_ROUND, live_outlook, network_lock
from reconciler.core.turns import in_turn
from reconciler.core.volumes import FoundVolume, wanted_volumes
from reconciler.model.base import DEFAULT_RUNTIME
from reconciler.model.outlook import ConsentOutlook, Outlook, WayBack
from reconciler.model.plan import Change, ChangeKind, Move, Plan, Step, StepKind
from reconciler.model.saving import PlannedCapture
from reconciler.model.spec import Cutover, DesiredState, MigrationPolicySpec, Spec, Strategy, Workload
from reconciler.model.world import ContainerFacts, HostFacts, World


def make_plan(
    spec: Spec,
    world: World,
    unfinished: Collection[str] = (),
    earlier: Sequence[Measured] = (),
    stock: Restorable = Restorable(),  # noqa: B008  it is frozen
) -> Plan:
    """The plan that brings the world to the specs, as far as the rules allow it. `unfinished` names workloads of
    earlier runs that have not ended: those are resumed first. `earlier` moves make the predictions better.
    `stock`: what those may come back from that were on failed hosts."""
    index = Index.of(world)
    difference = diff(spec, world, unfinished, index)
    builder = _Builder(spec, world, index, earlier)
    findings = list(difference.findings)
    changes: list[Change] = []
    for change in difference.changes:
        if change.kind is ChangeKind.RESTORE:
            back = coming_back(change, spec, index, stock)
            change, more = back.change, back.findings
        else:
            back, more = None, ()
        found = [*more, *check_change(change, spec, world, index), *too_long(change, spec, world, index, earlier)]
        findings.extend(found)
        if any(f.severity == "refuse" for f in found):
            continue
        changes.append(builder.bring_back(change, back.plan) if back and back.plan else builder.add(change))
    touched = {change.workload for change in changes}
    return Plan(
        changes=in_turn(changes),
        steps=tuple(builder.steps),
        moves=builder.moves,
        captures=builder.captures,
        findings=tuple(findings),
        unknown_hosts=dict(index.unknown),
        hosts=spec.hosts,
        workloads={name: w for name, w in spec.workloads.items() if name in touched},
        networks=spec.networks,
        policies={
            name: builder.policies.get(name) or spec.policy_of(w)
            for name, w in spec.workloads.items()
            if name in touched and (w.spec.migration or name in builder.policies)
        },
        epochs={change.workload: builder.epoch(change) for change in changes},
        commit=spec.commit,
        dirty=spec.dirty,
        spec_digest=spec_digest(spec),
        world_digest=world_digest(world),
    )


@dataclass
class _Builder:
    spec: Spec
    world: World
    index: Index
    earlier: Sequence[Measured] = ()
    steps: list[Step] = field(default_factory=list)
    moves: dict[str, Move] = field(default_factory=dict)
    policies: dict[str, MigrationPolicySpec] = field(default_factory=dict)
    captures: dict[str, PlannedCapture] = field(default_factory=dict)

    def add(self, change: Change) -> Change:
        """Append the steps of a change; returns the change with its rows for the reviewer."""
        match change.kind:
            case ChangeKind.CREATE | ChangeKind.RECREATE:
                return self._create(change)
            case ChangeKind.REMOVE:
                assert change.source
                here = next(c for c in self.index.copies[change.workload] if c.host == change.source)
                by = here.instance.runtime
                stop = self._step(StepKind.STOP, change.workload, change.source, runtime=by)
                self._step(StepKind.REMOVE, change.workload, change.source, needs=(stop,), runtime=by)
                stays = seen_ahead.left_behind(change, self.index)
                return self._told(change, Outlook(loss=seen_ahead.loss(change, self.index), left_behind=stays))
            case ChangeKind.START:
                assert change.source
                start = self._step(StepKind.START, change.workload, change.source)
                self._confirm(change.workload, change.source, (start,))
                return change
            case ChangeKind.STOP:
                assert change.source
                self._step(StepKind.STOP, change.workload, change.source)
                lost = seen_ahead.loss(change, self.index)
                return self._told(change, Outlook(loss=lost, consent=self._consent(change)))
            case ChangeKind.UPDATE:
                assert change.source
                update = self._step(StepKind.UPDATE, change.workload, change.source)
                self._confirm(change.workload, change.source, (update,))
                becomes = seen_ahead.becomes(change, self.spec)
                return self._told(change, Outlook(becomes=becomes, way_back=WayBack.VALUES_BEFORE))
            case ChangeKind.MOVE:
                return self._move(change)
            case ChangeKind.RESTORE | ChangeKind.CHECKPOINT:
                raise AssertionError("core.returning and core.saving plan these")

    def bring_back(self, change: Change, plan: Plan) -> Change:
        """A workload that comes back from a checkpoint, by a plan of its own."""
        self.steps += plan.steps
        self.moves.update(plan.moves)
        self.policies.update(plan.policies)
        return self._told(change, change.outlook)

    def epoch(self, change: Change) -> int:
        """The epoch a change acts under: a new container is a new ownership, also where an old one was fenced."""
        if change.kind is ChangeKind.RESTORE:
            return self.moves[change.workload].epoch
        made = change.kind in (ChangeKind.CREATE, ChangeKind.RECREATE)
        return self._known(change.workload) + (1 if made else 0)

    def _known(self, workload: str) -> int:
        """The last epoch before the change: of the checkpoint that is taken first, if any."""
        return self.index.epoch(workload) + (AHEAD if workload in self.captures else 0)

    def _saved(self, change: Change, needs: list[str]) -> list[str]:
        """What has to be done before it is interrupted: these steps, and a checkpoint where its policy says so."""
        first = saved_before(change, self.spec)
        if first is None:
            return needs
        assert change.source
        workload = self.spec.workloads[change.workload]
        copy = current_copy(change.workload, self.index)
        assert copy and copy.host == change.source, change
        at, facts = first.place(self.spec, change.source), self._facts(change.source)
        about = (workload, copy, facts, at, first.freeze_limit, self.spec, self.index)
        capture = planned(*about, goes_back=first.goes_back, beside=first.beside)
        self.captures[change.workload] = capture
        self.steps.append(capture_step(capture, workload, tuple(needs)))
        return [self.steps[-1].id]

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
        runtime: str = "",
    ) -> str:
        step_id = "/".join(filter(None, (workload, kind.value, host, subject[:24])))
        self.steps.append(
            Step(
                id=step_id,
                kind=kind,
                workload=workload,
                host=host,
                peer=peer,
                runtime=runtime or self._runtime(workload, host),
                peer_runtime=self._runtime(workload, peer) if peer else "",
                subject=subject,
                needs=tuple(needs),
                expected_bytes=expected_bytes,
            )
        )
        return step_id

    def _runtime(self, workload: str, host: str) -> str:
        """Of the workload on a host: that of its copy where it comes from, else the one that specs say."""
        current, wanted = current_copy(workload, self.index), self.spec.workloads.get(workload)
        there = current.instance.runtime if current and current.host == host else ""
        return there or (wanted.spec.runtime if wanted else DEFAULT_RUNTIME)

    def _facts(self, host: str) -> HostFacts:
        return self.index.seen[host]

    def _networks(self, workload: Workload, host: str) -> list[str]:
        have = {network.name for network in self._facts(host).of(workload.spec.runtime).networks}
        return [
            self._step(StepKind.CREATE_NETWORK, workload.metadata.name, host, subject=n.name)
            for n in workload.spec.networks
            if n.name not in have and n.name in self.spec.networks
        ]

    def _told(self, change: Change, outlook: Outlook) -> Change:
        called, capture = self.spec.called.get(change.workload, ""), self.captures.get(change.workload)
        earlier = named(capture.beside.name, self.index) if capture and capture.beside else ()
        known_as = next((found.of or found.name for found in earlier), "")
        also = {"called": called, "saved": saved_outlook(capture, known_as) if capture else None}
        return change.model_copy(update={"outlook": outlook.model_copy(update=also)})

    def _consent(self, change: Change) -> ConsentOutlook | None:
        if not change.interrupts:
            return None
        agreed = allows(self.spec.workloads[change.workload], change)
        return ConsentOutlook.BY_SPEC if agreed else ConsentOutlook.NEEDED

    def _create(self, change: Change) -> Change:
        """Make a container, with its volumes from wherever they are. An old one is set aside, and removed when
        its successor is healthy, as are volumes that came from another host."""
        assert change.destination
        name, host = change.workload, change.destination
        workload = self.spec.workloads[name]
        current = current_copy(name, self.index) if change.source else None
        found = wanted_volumes(workload, self.index, current)
        first = [
            *self._image(workload, host),
            *self._networks(workload, host),
            *self._new_volumes(name, found, host),
        ]
        if change.source:
            first = self._saved(change, first)
            first = [self._step(StepKind.SET_ASIDE, name, change.source, needs=first)]
        coming = [volume for volume in found if volume.at not in (None, host)]
        first += [
            self._step(StepKind.COPY_VOLUME, name, host, peer=volume.at, subject=volume.name, needs=first)
            for volume in coming
        ]
        last = self._step(StepKind.CREATE, name, host, needs=first)
        if workload.spec.state is DesiredState.RUNNING:
            last = self._step(StepKind.START, name, host, needs=(last,))
            if workload.spec.health or coming or goes_back(change, self.spec):
                last = self._step(StepKind.CONFIRM, name, host, needs=(last,))
        if change.source:
            last = self._step(StepKind.REMOVE, name, change.source, needs=(last,), subject="aside")
        for volume in coming:
            if volume.at and not self._still_used(volume, current):
                self._step(StepKind.REMOVE_VOLUME, name, volume.at, peer=host, subject=volume.name, needs=(last,))
        stay = {v.name for v in coming if self._still_used(v, current)}
        return self._told(
            change,
            Outlook(
                image=workload.spec.image or "",
                volumes=seen_ahead.volumes(found, host, stay),
                left_behind=seen_ahead.left_behind(change, self.index, found),
                loss=seen_ahead.loss(change, self.index) if change.source else None,
                way_back=seen_ahead.way_back(change, goes_back(change, self.spec)),
                consent=self._consent(change),
            ),
        )

    def _new_volumes(self, name: str, found: Iterable[FoundVolume], host: str) -> list[str]:
        return [
            self._step(StepKind.CREATE_VOLUME, name, host, subject=volume.name)
            for volume in found
            if volume.at != host
        ]

    def _still_used(self, volume: FoundVolume, current: Copy | None) -> bool:
        """Whether a container that stays mounts the volume where it comes from."""
        users = self.index.volumes.get((volume.at or "", volume.name), ())
        return any(current is None or copy.instance.id != current.instance.id for copy in users)

    def _image(self, workload: Workload, host: str) -> list[str]:
        way = (
            image_way(workload, host, self.index.seen)
            if can(self.world, workload.spec.runtime, "images")
            else None
        )
        if way is None:
            return []
        kind = StepKind.COPY_IMAGE if way.source else StepKind.PULL_IMAGE
        name, size = workload.metadata.name, way.bytes
        return [self._step(kind, name, host, peer=way.source, subject=way.image, expected_bytes=size)]

    def _confirm(self, workload: str, host: str, needs: Iterable[str]) -> None:
        if self.spec.workloads[workload].spec.health is not None:
            self._step(StepKind.CONFIRM, workload, host, needs=needs)

    def _move(self, change: Change) -> Change:
        assert change.source and change.destination
        name, source, host = change.workload, change.source, change.destination
        workload = self.spec.workloads[name]
        if moves_by_itself(self.world, workload.spec.runtime):
            return self._move_by_runtime(change, workload, source, host)
        forecast = forecast_of(change, self.spec, self.index, self.earlier)
        instance, choice = forecast.copy.instance, forecast.choice
        expected = instance.memory_bytes + instance.rootfs_bytes
        first = self._networks(workload, host)
        if instance.image_id and all(image.id != instance.image_id for image in self._facts(host).images):
            size = next((i.size_bytes for i in self._facts(source).images if i.id == instance.image_id), 0)
            first.append(
                self._step(
                    StepKind.COPY_IMAGE,
                    name,
                    host,
                    peer=source,
                    subject=instance.image_id,
                    expected_bytes=size,
                )
            )
        first = self._saved(change, first)
        self.moves[name] = Move(
            workload=name,
            source=source,
            destination=host,
            container_id=instance.id,
            image_id=instance.image_id,
            epoch=self._known(name) + 2,  # going back has the next one, which no later hand-over may have
            cutover=choice.cutover,
            strategy=choice.strategy,
            oci_runtime=instance.oci_runtime if isinstance(instance, ContainerFacts) else "",
            network_lock=network_lock(self._facts(source), self._facts(host)),
            carried=carried(workload, instance, self._facts(source), self._facts(host)),
            memory_bytes=instance.memory_bytes,
            expected_bytes=expected,
            predicted_downtime_s=forecast.prediction.downtime,
            predicted_most_s=forecast.most.downtime,
        )
        last: tuple[str, ...] = tuple(first)
        in_rounds, follows = choice.strategy is Strategy.PRECOPY, choice.strategy is Strategy.POSTCOPY
        in_freeze = min(expected, LAST_ROUND) if in_rounds else expected
        in_freeze = instance.rootfs_bytes if follows else in_freeze
        for kind, where, peer, size in (
            (StepKind.RESERVE, host, source, 0),
            (StepKind.STAGE, host, source, 0),
            *([(StepKind.PRECOPY, source, host, instance.memory_bytes)] if in_rounds else []),
            (StepKind.HOLD, source, host, 0),
            (StepKind.TRANSFER, host, source, in_freeze),
            (StepKind.COMMIT, host, source, 0),
            (StepKind.RESTORE, host, source, 0),
            *([(StepKind.DRAIN, host, source, instance.memory_bytes)] if follows else []),
            (StepKind.CONFIRM, host, source, 0),
            (StepKind.RETIRE, source, host, 0),
        ):
            last = (self._step(kind, name, where, peer=peer, needs=last, expected_bytes=size),)
        hosts = (self._facts(source), self._facts(host))
        policy = self.spec.policy_of(workload)
        network = network_outlook(workload, instance, hosts[1], self.spec.networks, policy.tcp)
        found = wanted_volumes(workload, self.index, forecast.copy)
        held = choice.cutover is Cutover.TRANSACTIONAL
        return self._told(
            change,
            Outlook(
                held_move=seen_ahead.held_move(forecast, policy, hosts, network),
                volumes=seen_ahead.volumes(found, host),
                left_behind=seen_ahead.left_behind(change, self.index, found),
                way_back=WayBack.SOURCE_RESUMES if held else WayBack.IMAGES_RESTORED,
                actions=seen_ahead.actions(workload, source, host),
            ),
        )

    def _move_by_runtime(self, change: Change, workload: Workload, source: str, host: str) -> Change:
        """The runtime moves it: three steps, of which it makes the middle one."""
        name, policy = change.workload, self.spec.policy_of(workload)
        instance = next(c for c in self.index.copies[name] if c.host == source).instance
        outlook = live_outlook(policy.live, instance.memory_bytes, rates(self.earlier, source, host))
        self.moves[name] = Move(
            workload=name,
            source=source,
            destination=host,
            container_id=instance.id,
            image_id=instance.image_id,
            epoch=self.index.epoch(name) + 2,  # what comes after it, either way, has the next one
            cutover=None,
            memory_bytes=instance.memory_bytes,
            expected_bytes=instance.memory_bytes,
            predicted_downtime_s=outlook.downtime,
            predicted_most_s=outlook.downtime,
        )
        last: tuple[str, ...] = ()
        for kind in (StepKind.RESERVE, StepKind.MIGRATE, StepKind.SETTLE):
            size = instance.memory_bytes if kind is StepKind.MIGRATE else 0
            last = (self._step(kind, name, host, peer=source, needs=last, expected_bytes=size),)
        move = seen_ahead.live_move(workload.spec.runtime, policy, instance, outlook)
        cluster = seen_ahead.cluster_move(instance)
        return self._told(change, Outlook(live_move=move, cluster_move=cluster, way_back=WayBack.UNTIL_SWITCHED))
