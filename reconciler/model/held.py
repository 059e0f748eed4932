"""What is found of a running container: how it was made beyond its spec, and what its processes hold."""

from __future__ import annotations

from pydantic import Field

from reconciler.model.base import Model


class ContainerOptions(Model):
    """How the runtime was asked to make a container, as far as specs cannot say it. Empty: the default."""

    privileged: bool = False
    terminal: bool = False
    pid_mode: str = ""
    ipc_mode: str = ""
    uts_mode: str = ""
    user_mode: str = ""
    network_mode: str = ""
    devices: tuple[str, ...] = ()
    pod: str = ""
    memory: int = Field(0, description="Its limit in bytes; 0: none")
    cpus: float = Field(0.0, description="The same of processors")
    cpu_shares: int = 0
    cpuset: str = ""
    pids: int = Field(0, description="0: the engine's default, or none")
    health: tuple[str, ...] = Field((), description="What its health check runs, after how it is run")
    log_driver: str = Field("", description="Where its output goes, in the engine's word")
    log_goes_along: bool = Field(False, description="Whether a move takes the end of what it has printed along")

    @property
    def namespaces(self) -> dict[str, str]:
        """By the option of engines that names it, whose namespace it was given; empty: its own."""
        return {"pid": self.pid_mode, "ipc": self.ipc_mode, "uts": self.uts_mode, "network": self.network_mode}

    def joins(self, container_id: str, name: str) -> tuple[str, ...]:
        """The namespaces of that container which it shares, by option."""
        of = {f"container:{container_id}", f"container:{name}"}
        return tuple(option for option, mode in self.namespaces.items() if mode in of)


class DeletedFile(Model):
    """A file that has no name any more and is still open or mapped."""

    path: str
    bytes: int


class ProcessFacts(Model):
    """What the processes of one running container hold, as far as a dump or a restore may stumble over it.

    `kernel_objects`: names of anonymous inodes, such as `eventfd` or `io_uring`, and `mqueue`. `devices`: opened
    or mapped, without those every container may use. `lost_watches`: inotify watches CRIU cannot find a path for.
    `unix_peers`: connections over unix sockets whose other end is outside the container. `foreign_mounts`:
    (type, target) of network and FUSE file systems. `visitors`: programs that `exec` put in. `nested`:
    kinds of namespaces of its own making. `backlog`: where connections wait to be accepted. `strange_sockets`:
    families and protocols. `corked`: UDP sockets that collect. `unread`: queues with events in them.
    `socket_options`: set, and not put back by a restore; `dropped`: other properties that are not. `multicast`:
    groups that somebody has joined. `made`: open files that the engine makes anew on each host. `sqlite`:
    databases with a rollback journal that are open to write. `shm_holes`: whether files in /dev/shm have holes.
    `long_paths`: of files, too long to be named as a whole, and where they are. `leaderless`: programs whose
    first thread has ended while others live on. `shares`: what processes have in common that each should have for
    itself, and `apart`: what threads have for themselves, as `WHAT PROGRAM`.
    `thread_timers`: programs with timers that signal one thread; `deadlines`: those scheduled by deadline;
    `leases`: those that have files leased for writing.
    `forgotten`: what no restore puts back, as `WHAT [PROGRAM]`. `waiting`: messages that no dump takes.
    `cards`: network cards that no engine has given, as `NAME (KIND)`; `network`: what else its network has that
    nobody can make again.
    """

    programs: tuple[str, ...] = ()
    kernel_objects: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    deleted_files: tuple[DeletedFile, ...] = ()
    unix_peers: tuple[str, ...] = ()
    lost_watches: int = 0
    terminals: tuple[str, ...] = ()
    traced: tuple[str, ...] = ()
    visitors: tuple[str, ...] = ()
    foreign_mounts: tuple[tuple[str, str], ...] = ()
    seccomp: bool = False
    confined_by: str = Field("", description="AppArmor profile or SELinux label; empty when not confined")
    capabilities: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()
    backlog: tuple[str, ...] = ()
    strange_sockets: tuple[str, ...] = ()
    corked: bool = False
    unread: tuple[str, ...] = ()
    socket_options: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    shm_holes: bool = False
    multicast: tuple[str, ...] = ()
    sqlite: tuple[str, ...] = ()
    leaderless: tuple[str, ...] = ()
    shares: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    thread_timers: tuple[str, ...] = ()
    deadlines: tuple[str, ...] = ()
    leases: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    cards: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    written: tuple[str, ...] = Field((), description="Files that are open to write, by their names inside")
    translates: bool = Field(False, description="Rules of its own translate addresses of connections")
    long_paths: tuple[str, ...] = ()
    other_health: bool = Field(False, description="Its health check is not its image's")
