"""What a runtime can be asked for, by ability. Third parties add one by the entry point `reconciler.runtimes`.

A runtime is a set of generator functions (`Program`): they yield `Command`s for one host, receive `Result`s
and return a typed outcome. It has an ability when it has all methods of its protocol (`isinstance`); whoever needs
one asks for it, and says in words where it is missing (`reconciler.runtimes.registry`). Every method is
idempotent: it looks at what is there first, so that a step whose reply was lost can be done again. Commands that
start, restore, resume or remove a workload go through the host-side guard with the workload's fence
(`reconciler.guard.guard`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from reconciler.model.command import Archive, Fence, Program, Tree
from reconciler.model.handover import Handover as Handover
from reconciler.model.handover import Held as Held
from reconciler.model.handover import Located as Located
from reconciler.model.handover import Round as Round
from reconciler.model.handover import Underway as Underway
from reconciler.model.health import HealthCheck
from reconciler.model.network import NetworkDefinition
from reconciler.model.question import Question
from reconciler.model.spec import Workload
from reconciler.model.world import Alive as Alive
from reconciler.model.world import HostFacts, RuntimeFacts
from reconciler.runtimes.following import PostCopies as PostCopies
from reconciler.runtimes.people import Attends as Attends
from reconciler.runtimes.people import LogWish as LogWish
from reconciler.runtimes.people import Secludes as Secludes


@runtime_checkable
class Runtime(Protocol):
    """What every runtime is asked for. A third party's may also have `PAYLOAD`: the section of `spec` that says
    what runs (`container` unless told otherwise), or a pydantic model of its own that `spec.custom` has to fit."""

    NAME: str

    def observe(self, host: HostFacts) -> Program[RuntimeFacts]:
        """What plans need to know of what it has on a host, of which the host's own facts are known. Changes
        nothing. Without a `version` it is not installed there; an error makes the whole host unknown."""
        ...

    def alive(self, workload: str) -> Program[Alive]:
        """Whether a copy of the workload exists and runs on this host; read from the runtime and /proc."""
        ...

    def prepare_host(self) -> Program[None]:
        """Install the host-side scripts under their digests. Changes nothing else."""
        ...


@runtime_checkable
class InClusters(Protocol):
    """Has its workloads in clusters: it is asked once for a whole cluster."""

    def observe_cluster(self, nodes: Mapping[str, HostFacts]) -> Program[dict[str, HostFacts]]:
        """What it has there, on each of the nodes, which are known by the names of their places, and on the
        cluster's own place; markers too. Changes nothing."""
        ...


@dataclass(frozen=True)
class Running:
    """Containers that run and the images they were made of, as they are inspected; `segments`: networks on which
    an address is a container's own."""

    containers: Sequence[Mapping[str, Any]]
    images: Sequence[Mapping[str, Any]]
    segments: Sequence[str] = ()


@runtime_checkable
class LooksCloser(Protocol):
    """Can answer a plan's questions about a host, in one round trip. Rules that need the answers say nothing about
    hosts where no runtime can."""

    def preflight(self, host: HostFacts, question: Question) -> Program[HostFacts]:
        """The host's facts with `preflight`, and `held` of the containers asked about. Changes nothing."""
        ...


@runtime_checkable
class ShowsRunning(Protocol):
    """Shows what runs on a host, whoever made it, for an import."""

    def running(self) -> Program[Running]: ...


@runtime_checkable
class Lifecycle(Protocol):
    """Makes, starts, stops and removes instances."""

    def create(
        self, workload: Workload, fence: Fence, *, oci_runtime: str, secrets: Mapping[str, bytes]
    ) -> Program[str]:
        """Create the container from the spec, not started; returns its ID."""
        ...

    def start(self, workload: Workload, fence: Fence) -> Program[None]: ...

    def stop(self, workload: str, fence: Fence) -> Program[None]: ...

    def remove(self, workload: str, fence: Fence) -> Program[None]:
        """Stop and remove the container that carries our label. Volumes stay."""
        ...

    def set_aside(self, workload: str, fence: Fence) -> Program[None]:
        """Stop the container and rename it to `NAME_aside`, so that its successor can take the name."""
        ...

    def bring_back(self, workload: str, fence: Fence) -> Program[None]:
        """Undo `set_aside`: the name, and running again if it ran."""
        ...

    def remove_aside(self, workload: str, fence: Fence) -> Program[None]:
        """Remove what `set_aside` left."""
        ...


@runtime_checkable
class Updates(Protocol):
    """Changes some values of an instance while it runs."""

    def update(self, workload: Workload, fence: Fence, run: str) -> Program[None]:
        """Give the running container the values of its spec that can change while it runs, and remember that it
        has them."""
        ...

    def update_back(self, workload: str, fence: Fence, run: str) -> Program[None]:
        """Undo `update` of this run, as far as it went."""
        ...


@runtime_checkable
class Checks(Protocol):
    """Can ask an instance whether it is well."""

    def health(self, workload: str, check: HealthCheck, address: str) -> Program[None]:
        """Wait until the check passes, at most its `within`; CommandFailed says what it answered last."""
        ...


@dataclass(frozen=True)
class Pull:
    """How an image is fetched, where a spec says more than its name. `login`: user and password, for a registry
    that wants them; `newest`: also where an image of that name is there."""

    newest: bool = False
    platform: str = ""
    login: tuple[str, bytes] | None = field(default=None, repr=False)


@runtime_checkable
class Images(Protocol):
    """Instances are made from images that hosts keep."""

    def pull_image(self, image: str, how: Pull = Pull()) -> Program[str]:
        """Make an image present; returns its ID."""
        ...

    def has_image(self, image_id: str) -> Program[bool]: ...

    def pack_image(self, image_id: str) -> Program[Archive]:
        """How an image leaves this host, so that it keeps its ID; CommandFailed where it is not there."""
        ...

    def take_image(self, archive: Archive, known_as: str) -> Program[None]:
        """After it was unpacked, or was there: this is the very image (else CommandFailed), and known here by the
        name that specs use, unless another one has that; by no other, whatever the source calls it."""
        ...


@runtime_checkable
class Networks(Protocol):
    """Instances join networks that can be made."""

    def create_network(self, name: str, network: NetworkDefinition) -> Program[None]: ...


@runtime_checkable
class Volumes(Protocol):
    """Instances have volumes that outlive and follow them."""

    def create_volume(self, name: str, fence: Fence, run: str) -> Program[None]:
        """An empty volume that carries the labels of workload, epoch and run. One that this run has made is taken
        as it is; any other of that name is refused, for it may hold data."""
        ...

    def locate_volume(self, name: str, workload: str) -> Program[Tree]:
        """Where a volume of the workload is; another's is refused."""
        ...

    def keep_volume(self, tree: Tree) -> Program[None]:
        """What was copied into a volume outlives a power cut from here on."""
        ...

    def remove_volume(self, name: str, fence: Fence, made_by: str = "") -> Program[None]:
        """Remove a volume that carries the workload's label; another's is refused. `made_by`: only one that this
        run has made; any other stays."""
        ...


@runtime_checkable
class Transactional(Protocol):
    """Moves what runs: frozen at the source, committed once, restored at the destination or gone on with."""

    def stage(self, handover: Handover, *, secrets: Mapping[str, bytes]) -> Program[Located]:
        """On the destination: everything a restore needs, made from the spec; no user code runs."""
        ...

    def unstage(self, handover: Handover) -> Program[None]:
        """On the destination: remove what `stage` made; proves that nothing of it runs."""
        ...

    def locate(self, handover: Handover) -> Program[Located]:
        """On the source: where its state is and will be dumped to; makes room for the images."""
        ...

    def hold(self, handover: Handover) -> Program[Held]:
        """On the source: dump and keep frozen (transactional) or stopped (restore-back)."""
        ...

    def resume(self, handover: Handover, fence: Fence) -> Program[str]:
        """On the source: make it run again, from the freeze or from its images. Idempotent. Returns what became of
        it where that is not simply so, e.g. that it has ended by itself; else an empty text."""
        ...

    def commit_source(self, handover: Handover) -> Program[None]:
        """On the source: from here on it never resumes by itself. Fails when it already has resumed."""
        ...

    def commit_destination(self, handover: Handover) -> Program[None]:
        """On the destination: durable permission to restore."""
        ...

    def restore(self, handover: Handover) -> Program[None]:
        """On the destination: restore from the images; idempotent when it already runs."""
        ...

    def verify(self, handover: Handover) -> Program[None]:
        """On the destination: what runs is what the spec says (I4), read from the runtime and /proc."""
        ...

    def confirm(self, handover: Handover) -> Program[None]:
        """On the destination: it is the owner now; restart policy as the spec says."""
        ...

    def retire(self, handover: Handover) -> Program[None]:
        """On the source: let go of the frozen copy, remove container and moved volumes."""
        ...

    def finish(self, handover: Handover) -> Program[None]:
        """On the destination: wait until all memory is there, and free what only the move needed (images, page
        daemon). Nothing where a later hand-over has the workload."""
        ...

    def fence_off(self, handover: Handover, epoch: int) -> Program[bool]:
        """Raise the epoch here, and prove that no copy runs and none can come up: CommandFailed otherwise. Answers
        whether clients may have heard of a copy here."""
        ...

    def hang_up(self, handover: Handover) -> Program[None]:
        """On the source, before it goes back from a destination that clients may have heard: their connections
        end as it does, for they are ahead of it."""
        ...


@runtime_checkable
class PreCopies(Protocol):
    """Writes memory down in rounds while it runs."""

    def pre_dump(self, handover: Handover, number: int) -> Program[Round]:
        """On the source, while it runs: all memory (round 1), anew, or what changed since the round before."""
        ...

    def take_round(self, handover: Handover, number: int) -> Program[Tree]:
        """On the destination: an empty folder for a round of a pre-copy."""
        ...

    def build_on(self, handover: Handover, number: int) -> Program[None]:
        """On the source: `hold` will dump what changed since that round, its last one."""
        ...


@runtime_checkable
class SelfMoving(Protocol):
    """Moves what runs by itself: we begin, watch and cancel, and find out where it runs afterwards (`alive`, which
    tells that a copy that only receives does not run). `begin` goes through the guard, under the move's epoch: one
    that arrives late is refused once the source has a higher one."""

    def receive(self, handover: Handover) -> Program[None]:
        """On the destination: what has to be there before the runtime can send to it."""
        ...

    def begin(self, handover: Handover) -> Program[None]:
        """On the source: begin to move it to `handover.address`, and return; it goes on whatever becomes of who
        asked. Nothing where it is under way."""
        ...

    def progress(self, handover: Handover) -> Program[Underway]:
        """On the source: how it stands, by the runtime's own state."""
        ...

    def cancel(self, handover: Handover) -> Program[None]:
        """On the source: end a move that is under way. It may have ended at the destination before."""
        ...

    def keep(self, handover: Handover, fence: Fence) -> Program[None]:
        """On the host that has it now: it is this host's for good, over a reboot too."""
        ...

    def drop(self, handover: Handover, fence: Fence) -> Program[None]:
        """On the other host: what is left of it there goes; CommandFailed where it runs."""
        ...


@runtime_checkable
class Captures(Protocol):
    """Saves what runs, memory and files of one instant, and lets it run on."""

    def shadow(self, handover: Handover, folder: str) -> Program[Located]:
        """While it runs: room for images, and in the folder a copy of the files that will hardly change."""
        ...

    def capture(self, handover: Handover, folder: str) -> Program[Held]:
        """Freeze it, write its memory down, copy what changed of its files, and let it run on. After it, whatever
        came of it and when the images were read: `resume`."""
        ...


class Driver(
    Runtime, Lifecycle, Updates, Checks, Images, Networks, Volumes, Transactional, PreCopies, PostCopies, Protocol
):
    """All that plans may ask for of a runtime that moves by a cut-over of ours."""


class SelfMover(Runtime, Lifecycle, Checks, SelfMoving, Protocol):
    """All that plans may ask a runtime for that moves by itself."""


class CapturingDriver(Driver, Captures, Protocol):
    """What can also be saved while it runs."""


ABILITIES: Mapping[str, type] = {
    "lifecycle": Lifecycle,
    "updates": Updates,
    "checks": Checks,
    "images": Images,
    "networks": Networks,
    "volumes": Volumes,
    "moves": Transactional,
    "precopies": PreCopies,
    "postcopies": PostCopies,
    "captures": Captures,
    "attends": Attends,
    "secludes": Secludes,
    "looks": LooksCloser,
    "self-moves": SelfMoving,
    "clusters": InClusters,
}
"""By the name that plans and tables have for it."""


def abilities(runtime: Runtime) -> tuple[str, ...]:
    """The names of what it can do."""
    return tuple(name for name, protocol in ABILITIES.items() if isinstance(runtime, protocol))
