"""What engines of OCI containers differ in. Everything else in this package asks it of the engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reconciler.criu.tasks import Tasks
from reconciler.guard import guard
from reconciler.model.command import Command, Fence, Program, Seconds
from reconciler.model.plan import Phase
from reconciler.model.spec import Workload
from reconciler.model.world import ContainerFacts, NetworkFacts
from reconciler.resources import host_script

Phases = tuple[Phase | str, ...]

ASIDE = "_aside"
"""Ends the name of a container that waits for its successor to be healthy; workloads' names have no underscore."""
INSPECTION = "container.json"


@dataclass(frozen=True)
class Making:
    """The command that makes a container, not started, and prints its ID last. `secret`: its stdin has secrets."""

    argv: tuple[str, ...]
    stdin: bytes = b""
    secret: bool = False


class Engine(ABC):
    """An engine's words, and what it is asked for in its own way. Holds no state."""

    NAME: str
    """Its command, the name of the runtime, and the folder of its scripts."""
    TITLE: str
    """What people call it."""
    LOOK_LIMIT: Seconds
    """Longest it may take to say what a container is."""
    WHEN_ENDED: Seconds
    """How long it is waited for when the kernel has proved already that nothing runs; the source stays frozen
    meanwhile."""
    RESTORERS: str
    """Who may hang when a restore does."""
    WAIT: tuple[str, ...] = ()
    """Options that make `wait` end when a container has ended."""
    FORCE_KILLS = False
    """Whether `rm --force` kills at once, where others stop it as `stop` does."""

    def command(self, verb: str, *names: str, options: Sequence[str] = ()) -> tuple[str, ...]:
        """One of its commands. Names come after `--`, so that none can be an option."""
        return (self.NAME, *verb.split(), *options, "--", *names)

    def shell(self, name: str, *arguments: str) -> tuple[str, ...]:
        """The argument list that runs a script of this engine with these arguments."""
        return ("/bin/sh", "-c", host_script(self.NAME, name), name, *arguments)

    # --- looking ---

    @abstractmethod
    def looked(self, name: str, within: Seconds) -> Program[str]:
        """What is to be known of a container by name or ID, as `read` reads it. CommandFailed or ReplyLost where
        the engine does not answer."""

    @abstractmethod
    def read(self, text: str) -> ContainerFacts | None:
        """None when there is none."""

    def inspect(self, name: str, within: Seconds = 0) -> Program[ContainerFacts | None]:
        """A container by name or ID; None when there is none. `within`: LOOK_LIMIT unless told."""
        return self.read((yield from self.looked(name, within or self.LOOK_LIMIT)))

    def as_made(self, facts: ContainerFacts) -> Program[ContainerFacts]:
        """With the spec that it has by now, where it changed since it was made."""
        yield from ()
        return facts

    @abstractmethod
    def tasks(self, container_id: str, home: str) -> Tasks: ...

    def tasks_of(self, facts: ContainerFacts) -> Tasks:
        return self.tasks(facts.id, facts.userdata)

    @abstractmethod
    def oci_config(self, facts: ContainerFacts) -> Program[str]:
        """Where the OCI config of a container that runs is on its host."""

    # --- images, networks ---

    @abstractmethod
    def image_id(self, image: str) -> Program[str | None]:
        """The ID of an image by name, digest or ID; None when it is not there."""

    @abstractmethod
    def pull_as(self, image: str, user: str, password: bytes, options: Sequence[str]) -> Command:
        """Pull an image from a registry that wants to know who does."""

    @abstractmethod
    def network(self, name: str) -> Program[NetworkFacts | None]: ...

    @abstractmethod
    def mtu(self, size: int) -> str:
        """The option of a network's driver."""

    # --- containers ---

    @abstractmethod
    def making(
        self, workload: Workload, *, oci_runtime: str, restart: str, secrets: Mapping[str, bytes]
    ) -> Program[Making]:
        """How a container is made from the image that its spec names; what that needs on the host is made."""

    @abstractmethod
    def discard(self, found: ContainerFacts, fence: Fence, phases: Phases, *, whole: bool) -> Program[None]:
        """Remove it with its room for images, all under the fence. Named volumes stay; those without a name go,
        too, with `whole`."""

    def drop_secrets(self, workload: str, facts: ContainerFacts) -> Program[None]:
        """Remove what the engine keeps for this workload's container of its secrets."""
        yield from ()

    def switches_restart(self) -> Program[bool]:
        """Whether restart policies change without making a container anew."""
        yield from ()
        return True

    def settle(self, facts: ContainerFacts, fence: Fence) -> Program[None]:
        """Wait until the engine knows that a container runs which was dumped; mend what it takes it for."""
        yield from ()

    def wait_argv(self, container: str) -> tuple[str, ...]:
        return self.command("wait", container, options=self.WAIT)


def saved_inspection(workload: str) -> str:
    """What the engine said of a container when its hand-over began."""
    return f"{guard.workload_dir(workload)}/{INSPECTION}"


def at_once(engine: Engine, container: str, seconds: Seconds) -> Command:
    """Wait a moment, shorter where the container ends."""
    argv = ("timeout", str(seconds), *engine.wait_argv(container))
    return Command(argv, timeout=seconds + 20, ok=tuple(range(256)))
