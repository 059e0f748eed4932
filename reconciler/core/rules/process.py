"""What the workload's processes hold that CRIU cannot save, or that would mean something else elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.rules.base import Case, Said, rule, together
from reconciler.core.versions import version_tuple
from reconciler.model.units import format_bytes

GHOST_LIMIT = 2**20
"""Bytes of a deleted file that CRIU puts into its images unless told otherwise (`ghost-limit`)."""
GPU = ("/dev/nvidia", "/dev/dri/", "/dev/kfd")
SAVED_OBJECTS = frozenset(
    (
        "eventfd",
        "eventpoll",
        "signalfd",
        "timerfd",
        "inotify",
        "fanotify",
        "pidfd",
        "io_uring",
        "mqueue",
    )
)
"""Anonymous inodes CRIU can save, and io_uring and mqueue, which have their own rules."""
BPF_MAP = "bpf-map"
MESSAGE_QUEUE = "mqueue"
PIDFD_SINCE = (4, 1)
DATABASES = {
    "postgres": "pg_basebackup",
    "mysqld": "mysqldump --single-transaction",
    "mariadbd": "mariadb-backup --backup",
    "mongod": "mongodump",
    "cockroach": "cockroach sql -e 'BACKUP'",
    "clickhouse-server": "clickhouse-client -q 'BACKUP'",
    "influxd": "influx backup",
    "etcd": "etcdctl snapshot save",
    "oracle": "rman target / cmdfile=backup.rman",
    "sqlservr": "sqlcmd -Q 'BACKUP DATABASE'",
    "cassandra": "nodetool snapshot",
}
"""Program, and its own way to back up."""


@rule("process.io-uring")
def io_uring(case: Case) -> Iterator[Said]:
    """A process uses io_uring, and CRIU has no way to save its queues. The dump fails after the freeze."""
    if case.held and "io_uring" in case.held.kernel_objects:
        yield Said(
            "a process uses io_uring, which CRIU cannot save",
            "switch it off in the program (node: UV_USE_IO_URING=0; mariadb: innodb_use_native_aio=OFF), or forbid"
            " it on the host: sysctl kernel.io_uring_disabled=2; then restart the workload",
            host=case.origin,
        )


@rule("process.devices")
def device_files(case: Case) -> Iterator[Said]:
    """A process has a device open or mapped whose state lives in the kernel or in hardware, so CRIU cannot
    dump it. /dev/null, zero, full, random, urandom, tty and pts are fine."""
    others = [d for d in case.held.devices if not d.startswith(GPU)] if case.held else []
    if others:
        yield Said(
            f"a process has {together(others)} open; CRIU cannot save devices",
            "let the program close it before the move, or make the workload anew on the destination",
            host=case.origin,
        )


@rule("process.gpu")
def gpu(case: Case) -> Iterator[Said]:
    """A process uses a GPU. Its memory and state are in the device; CRIU's plugins for that are not used here, and
    a GPU of another kind could not take them."""
    used = [d for d in case.held.devices if d.startswith(GPU)] if case.held else []
    if used:
        yield Said(
            f"a process uses a GPU ({together(used)}), whose state cannot move",
            "end the GPU work first, or let the program write its own checkpoint and start it on the destination",
            host=case.origin,
        )


@rule("process.deleted-files")
def deleted_files(case: Case) -> Iterator[Said]:
    """A file that was deleted and is still open exists nowhere but in the kernel; CRIU saves it up to 1 MiB and
    fails above that (\"Can't dump ghost file\"). Typical: rotated logs, temporary files, replaced libraries."""
    for file in case.held.deleted_files if case.held else ():
        if file.bytes > GHOST_LIMIT:
            yield Said(
                f"{file.path} was deleted and is still open, with {format_bytes(file.bytes)}"
                f" (CRIU saves up to {format_bytes(GHOST_LIMIT)})",
                "let the program reopen its files (often SIGHUP), or restart it; then plan again",
                host=case.origin,
            )


@rule("process.unix-sockets")
def unix_sockets(case: Case) -> Iterator[Said]:
    """A process is connected over a unix socket to something outside the container (a socket mounted from
    the host, such as /run/docker.sock or /dev/log). The other end stays, so CRIU refuses to dump half of a
    connection."""
    if case.held and case.held.unix_peers:
        yield Said(
            f"a unix socket leads out of the container: {together(case.held.unix_peers)}",
            "let the program close it before the move, or reach that service over TCP",
            host=case.origin,
        )


@rule("process.inotify")
def inotify(case: Case) -> Iterator[Said]:
    """A process watches files through inotify whose paths CRIU cannot find again: on overlay file systems the
    kernel tells it only a number, and CRIU up to 4.2 looks for it in a few folders such as /etc and /var/log."""
    if case.held and case.held.lost_watches:
        count = case.held.lost_watches
        yield Said(
            f"{count} inotify watch{'es' * (count > 1)} on the root filesystem cannot be saved",
            "watch a folder on a named volume instead of the image's own files",
            host=case.origin,
        )


@rule("process.terminal")
def process_terminal(case: Case) -> Iterator[Said]:
    """A process has a terminal open that does not belong to the container, as after `exec -it` or
    `attach` from a shell."""
    if case.held and case.held.terminals:
        yield Said(
            f"a terminal from outside the container is open: {together(case.held.terminals)}",
            "end that session" + (f": it was started with {case.engine} exec -it" if case.container else ""),
            host=case.origin,
        )


@rule("process.exec-session", warns=True)
def exec_session(case: Case) -> Iterator[Said]:
    """A process was put into the container with `exec`. It is no child of the container's first process, so
    it is in no checkpoint: it ends without a word when the workload moves."""
    if case.held and case.held.visitors:
        yield Said(
            f"put into it from outside, and will end: {together(case.held.visitors)}",
            "let it finish first, or let the container's own program start it",
            host=case.origin,
        )


@rule("process.traced")
def traced(case: Case) -> Iterator[Said]:
    """A process is being traced (strace, gdb, another debugger, or a sandbox that traces its children). CRIU needs
    that place itself: it would keep the workload frozen for ten seconds and then fail."""
    if case.held and case.held.traced:
        yield Said(
            f"{together(case.held.traced)} is being traced, which keeps CRIU out",
            "end the debugger or tracer, then plan again",
            host=case.origin,
        )


@rule("process.message-queues")
def message_queues(case: Case) -> Iterator[Said]:
    """A process has a POSIX message queue open (`mq_open`). CRIU cannot read the messages in it, and the dump
    fails with \"Can't lookup mount\" after the freeze. System V queues (`msgget`) are saved."""
    if case.held and MESSAGE_QUEUE in case.held.kernel_objects:
        yield Said(
            "a process has a POSIX message queue open, which CRIU cannot save",
            "let the program close its queues before the move, or use another way to talk (a unix socket, a pipe,"
            " System V message queues)",
            host=case.origin,
        )


@rule("process.kernel-objects")
def kernel_objects(case: Case) -> Iterator[Said]:
    """A process holds a kernel object that CRIU does not know, such as perf events, userfaultfd, KVM
    machines or BPF programs. The dump fails with \"Can't dump file ... anon_inode\"."""
    if not case.held:
        return
    saved = set(SAVED_OBJECTS)
    if case.source and version_tuple(case.source.version("criu")) < PIDFD_SINCE:
        saved.discard("pidfd")
    unknown = sorted(set(case.held.kernel_objects) - saved - {BPF_MAP})
    if unknown:
        yield Said(
            f"a process holds what CRIU cannot save: {together(unknown)}",
            "switch the feature off in the program that uses it, then plan again",
            host=case.origin,
        )


@rule("process.bpf-maps", acceptable=True)
def bpf_maps(case: Case) -> Iterator[Said]:
    """A process holds BPF maps. CRIU saves arrays and hashes, and only where it was built with libbpf, which
    distributions' are not: the dump fails with \"Can't dump file ... anon_inode:bpf-map\"."""
    if case.held and BPF_MAP in case.held.kernel_objects:
        yield Said(
            "a process holds BPF maps, which CRIU saves only when it was built for that",
            "switch off the program's use of BPF, or accept the rule where your CRIU has libbpf",
            host=case.origin,
        )


@rule("process.nested-namespaces")
def nested_namespaces(case: Case) -> Iterator[Said]:
    """A process made namespaces of its own, as sandboxes (of browsers) and containers in containers do, or
    keeps one open, or has a socket in one. CRIU saves one of each kind, and of mounts several: the dump fails
    (\"Can't dump nested ... namespace\", \"Unable to dump more than one netns\")."""
    kinds = set(case.held.nested) if case.held else set()
    if case.container and case.container.options.user_mode not in ("", "host"):
        kinds.discard("user")  # has its own rule
    modes = case.container.options.namespaces.values() if case.container else ()
    if case.joined or any(mode.startswith("container:") for mode in modes):
        return  # what is seen are the other container's, which have their own rule
    if kinds:
        yield Said(
            f"a process made namespaces of its own ({', '.join(sorted(kinds))}), and CRIU saves one of each kind",
            "switch off the program's sandbox, or run the inner containers as workloads of their own",
            host=case.origin,
        )


@rule("process.mounts")
def mounts(case: Case) -> Iterator[Said]:
    """The workload mounted a network, FUSE or overlay file system inside its container. CRIU can neither save the
    connection nor mount it again."""
    if not (case.held and case.container):
        return
    given = {mount.target for mount in case.container.mounts}
    made = [f"{target} ({kind})" for kind, target in case.held.foreign_mounts if target not in given]
    if made:
        yield Said(
            f"file systems were mounted inside the container: {together(made)}",
            "unmount them before the move, or mount them on the hosts and bind-mount the folder",
            host=case.origin,
        )


@rule("process.database", warns=True)
def database(case: Case) -> Iterator[Said]:
    """The workload is a database engine. Moving it works like any other process, but its own backup is the safer
    copy of its data, and replication of its own may be the faster way to move."""
    for program in sorted(set(case.held.programs) & DATABASES.keys()) if case.held else ():
        yield Said(
            f"{program} is a database: keep a backup of its own making before it moves",
            f"{case.engine} exec {case.change.workload} {DATABASES[program]} ..."
            if case.container
            else f"{DATABASES[program]} ...",
            host=case.origin,
        )
