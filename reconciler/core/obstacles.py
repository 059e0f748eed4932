"""What keeps a workload from being moved in one way or another, as values, and the words for them."""

from __future__ import annotations

from reconciler.core.versions import version_tuple
from reconciler.model.base import DEFAULT_RUNTIME
from reconciler.model.outlook import MoveObstacle, ObstacleCode
from reconciler.model.world import ContainerFacts, HostFacts, Instance

_TRACKS = "mem_dirty_track"
"""As `criu check --feature` calls it."""
KEEPER = "perl"
"""Runs templates/criu/keeper.pl. Every Debian has it; without it a page daemon that dies would leave zeros."""
SERVER = "python3"
"""Runs templates/criu/serve.py, and what feeds it; its core is enough."""
SERVER_PACKAGE = "python3-minimal"
"""What Debian calls its core."""
_CRUN_READS = (1, 26)
_ARCHITECTURE = "x86_64"
_OCI_RUNTIME = "runc"
"""Where pre-copy is known to work."""


def can_hold(instance: Instance, source: HostFacts) -> MoveObstacle | None:
    """Why the source cannot be kept frozen until the destination runs; None when it can. A container's
    engine has to pass CRIU's configuration on; what runs under CRIU alone always can."""
    if not isinstance(instance, ContainerFacts):
        return None
    if not any(key == "org.criu.config" for key in instance.annotations):
        return MoveObstacle(code=ObstacleCode.NO_CRIU_CONFIG, needed="org.criu.config")
    return reads_config(instance, source)


def reads_config(container: ContainerFacts, host: HostFacts) -> MoveObstacle | None:
    """Why a container's own CRIU config has no effect there; None when it has."""
    crun = host.version("crun", container.runtime)
    if container.oci_runtime == "crun" and version_tuple(crun) < _CRUN_READS:
        needed = ".".join(map(str, _CRUN_READS))
        return MoveObstacle(code=ObstacleCode.CONFIG_NOT_READ, host=host.name, found=crun, needed=needed)
    return None


def can_follow(instance: Instance, destination: HostFacts) -> MoveObstacle | None:
    """Why memory cannot follow a restore there; None when it can."""
    if isinstance(instance, ContainerFacts) and (obstacle := reads_config(instance, destination)):
        return obstacle
    if "uffd" not in destination.features:
        return MoveObstacle(code=ObstacleCode.NO_USERFAULTFD, host=destination.name)
    if KEEPER not in destination.tools:
        return MoveObstacle(code=ObstacleCode.NO_KEEPER, host=destination.name, needed=KEEPER)
    return None


def is_alone(instance: Instance) -> MoveObstacle | None:
    """Why memory that follows a restore is not surely right; None when it is.

    The keeper stands in for a page daemon that dies with one process only: of several some would read zeros until
    `confirm` finds out and the source goes on. And what they share by copy-on-write is multiplied."""
    if instance.processes > 1:
        return MoveObstacle(code=ObstacleCode.SEVERAL_PROCESSES, found=str(instance.processes))
    return None


def can_postcopy(instance: Instance, source: HostFacts, destination: HostFacts) -> MoveObstacle | None:
    """Why memory cannot follow from the source after the commit, or not surely right; None when it can."""
    if obstacle := can_follow(instance, destination):
        return obstacle.model_copy(update={"keeps_from_lazy": True})
    for host in (source, destination):
        if SERVER not in host.tools:
            return MoveObstacle(code=ObstacleCode.NO_SERVER, host=host.name, needed=SERVER)
    if not isinstance(instance, ContainerFacts) or instance.runtime != DEFAULT_RUNTIME:
        return MoveObstacle(code=ObstacleCode.RUNTIME, found=instance.runtime)
    return is_alone(instance) or can_hold(instance, source)


def can_precopy(instance: Instance, source: HostFacts, destination: HostFacts) -> MoveObstacle | None:
    """Why memory cannot be copied in rounds before the freeze; None when it can."""
    if _TRACKS not in source.features:
        return MoveObstacle(code=ObstacleCode.MEMORY_NOT_TRACKED, host=source.name)
    if obstacle := can_follow(instance, destination):
        return obstacle.model_copy(update={"keeps_from_lazy": True})
    if source.arch != _ARCHITECTURE:
        return MoveObstacle(
            code=ObstacleCode.ARCHITECTURE, host=source.name, found=source.arch, needed=_ARCHITECTURE
        )
    if not isinstance(instance, ContainerFacts) or instance.runtime != DEFAULT_RUNTIME:
        return MoveObstacle(code=ObstacleCode.RUNTIME, found=instance.runtime)
    if instance.oci_runtime != _OCI_RUNTIME:
        return MoveObstacle(code=ObstacleCode.OCI_RUNTIME, found=instance.oci_runtime, needed=_OCI_RUNTIME)
    return can_hold(instance, source)


def in_words(obstacle: MoveObstacle) -> str:
    """A clause, for findings and for what shows plans."""
    head = "there is no lazy restore: " if obstacle.keeps_from_lazy else ""
    return head + _words(obstacle)


_DOES = {
    ObstacleCode.NO_KEEPER: "keeps processes off memory that is missing",
    ObstacleCode.NO_SERVER: "sends and serves memory that follows from the source",
}


def _words(obstacle: MoveObstacle) -> str:
    host, found, needed = obstacle.host, obstacle.found, obstacle.needed
    match obstacle.code:
        case ObstacleCode.NO_CRIU_CONFIG:
            return f"it was not made with its own CRIU config (annotation {needed})"
        case ObstacleCode.CONFIG_NOT_READ:
            return f"crun {found} does not read the CRIU config file (needs {needed})"
        case ObstacleCode.NO_USERFAULTFD:
            return f"{host} has no userfaultfd"
        case ObstacleCode.NO_KEEPER | ObstacleCode.NO_SERVER:
            return f"{host} has no {needed}, which {_DOES[obstacle.code]}"
        case ObstacleCode.SEVERAL_PROCESSES:
            return f"it has {found} processes"
        case ObstacleCode.MEMORY_NOT_TRACKED:
            return f"the kernel of {host} does not track changed memory (CONFIG_MEM_SOFT_DIRTY)"
        case ObstacleCode.ARCHITECTURE:
            return f"{host} is {found}; it is known to work on {needed}"
        case ObstacleCode.RUNTIME:
            return f"the runtime {found} cannot"
        case ObstacleCode.OCI_RUNTIME:
            return f"it runs under {found}, and needs {needed}"
