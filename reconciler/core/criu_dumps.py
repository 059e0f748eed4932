"""Known errors of CRIU that say what of a workload cannot be dumped; the first part of `criu_known`'s table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """One kind of failure. `rule`: the preflight rule that finds it beforehand, where there is one."""

    id: str
    pattern: str
    cause: str
    fix: str
    rule: str = ""


def known(name: str, pattern: str, cause: str, fix: str, rule: str = "") -> Known:
    return Known(f"log.{name}", pattern, cause, fix, rule)


DUMPS = (
    known(
        "io-uring",
        r"anon_inode:\[io_uring\]|parasite\.c:\d+\): send_fds failed \(-22\)",
        "a process uses io_uring, which CRIU cannot save",
        "switch it off in the program, or on the host: sysctl kernel.io_uring_disabled=2; restart the workload",
        "process.io-uring",
    ),
    known(
        "ghost-limit",
        r"Can't dump ghost file \S+ of \d+ size",
        "a deleted file of more than 1 MiB is still open",
        "let the program reopen its files (often SIGHUP), or restart it",
        "process.deleted-files",
    ),
    known(
        "gpu",
        r"\(chr 195:\d+\)|cuda_plugin|/dev/nvidia|handle_device_vma plugin failed|amdgpu_plugin",
        "a process uses a GPU, whose state is in the device",
        "end the GPU work first, or use the program's own checkpoints",
        "process.gpu",
    ),
    known(
        "shared-code",
        r"POKEDATA failed|Can't inject syscall blob",
        "CRIU cannot start its code in a process whose executable memory is shared with others, as a JIT's may be",
        "PHP: opcache.jit_buffer_size=0; else tell the JIT to use private memory, and restart the workload",
    ),
    known(
        "mptcp",
        r"Unsupported proto 262 for socket|GODEBUG=multipathtcp=0",
        "a process uses MPTCP, which CRIU cannot save",
        "Go programs: GODEBUG=multipathtcp=0 in the spec's env; others: sysctl net.mptcp.enabled=0 on the host",
        "process.sockets",
    ),
    known(
        "socket-kind",
        r"Unknown socket collected \(family|Unsupported (?:proto|type) \d+ (?:for|on) socket",
        "a process has a socket of a kind that CRIU does not know, such as vsock or XDP",
        "let the program close it before the move, or use TCP, UDP or unix sockets",
        "process.sockets",
    ),
    known(
        "corked",
        r"Can't dump corked dgram socket",
        "a UDP socket is corked, and CRIU cannot read what it has collected",
        "try again: most programs cork for an instant",
        "process.corked",
    ),
    known(
        "in-flight",
        r"In-flight connection|Non-empty write queue on an in-flight socket|closed in-flight socket",
        "a connection waits to be accepted; CRIU saves only those a process has taken",
        "try again: that lasts for an instant, unless the program has stopped accepting",
        "process.backlog",
    ),
    known(
        "netlink-unread",
        r"The socket has data to read",
        "a process has unread messages of the kernel's (netlink); CRIU cannot save them",
        "try again: most programs read them soon",
        "process.waiting-messages",
    ),
    known(
        "descriptors-in-flight",
        r"Control messages in queue|More than 1 SCM is not possible|Unexpected 2nd SCM_RIGHTS",
        "descriptors or credentials are under way over a unix socket",
        "try again, when the program is less busy",
        "process.waiting-messages",
    ),
    known(
        "bpf",
        r"does not currently support dumping BPF map|anon_inode:bpf",
        "a process holds BPF programs or maps that CRIU cannot save",
        "switch off the program's use of BPF, or end the tool that put it there",
        "process.bpf-maps",
    ),
    known(
        "uprobes",
        r"has uprobes vma",
        "a tool on the host traces functions of the process (uprobes: perf, bpftrace, a profiler)",
        "end that tool, then try again",
    ),
    known(
        "nested",
        r"Can't dump nested \S+ namespace|Nested mount namespaces are not supported"
        r"|Can't dump a pid namespace without|Time namespaces are not supported|nested time namespace"
        r"|Unable to dump more than one netns|No NS ID with kid|socket from an external network namespace"
        r"|One or more namespaces doesn't belong to the target user namespace",
        "a process made namespaces of its own, as sandboxes and containers in containers do",
        "switch off the program's sandbox, or run the inner containers as workloads of their own",
        "process.nested-namespaces",
    ),
    known(
        "thirty-two-bit",
        r"running in 32-bit mode|Only 64 bit tasks are supported|with LDT descriptors",
        "a process runs 32-bit code, which this CRIU cannot save",
        "use a 64-bit build of the program",
    ),
    known(
        "stopped",
        r"unsupported stop signal|Individually stopped threads not supported|with a pending SIGTRAP",
        "a process is stopped by a debugger or half-way into being stopped",
        "end the debugger, or let it go on: kill -CONT PID; then try again",
        "process.traced",
    ),
    known(
        "foreign-queue",
        r"Can't lookup mount=\d+ for fd=\d+ path=(?!/dev/pts/)|mqueue isn't empty",
        "a file is open that lies in none of the container's mounts, such as a POSIX message queue (mq_open)",
        "use another kind of queue (System V queues move), or let the program close it before the move",
        "process.message-queues",
    ),
    known(
        "inner-mount",
        r"is a fuse mount but not external|FS mnt \S+ dev \S+ root \S+ unsupported id"
        r"|Open files on overmounted mounts are not supported",
        "a file system was mounted inside the container that CRIU cannot save",
        "mount it on the host and give it to the container as a volume or bind mount",
        "process.mounts",
    ),
    known(
        "address-space",
        r"Unable to map ANON_VMA: Cannot allocate memory",
        "a process reserves more addresses than the destination's kernel lets it have",
        "sysctl vm.overcommit_memory=1 on the destination, or reserve less (MariaDB: innodb-buffer-pool-size-max)",
    ),
    known(
        "kernel-object",
        r"Can't dump file \d+ of that type \[\d+\] \(anon anon_inode:\S+?\)?$",
        "a process holds a kernel object that CRIU does not know",
        "switch off the program's feature that uses it",
        "process.kernel-objects",
    ),
    known(
        "device",
        r"Can't dump file \d+ of that type \[\d+\] \((?:chr|blk) \d+:\d+\)|Can't handle non-regular mapping",
        "a process has a device open or mapped",
        "let the program close the device before the move; ls -l /proc/PID/fd shows which",
        "process.devices",
    ),
    known(
        "unix-socket",
        r"External socket is used|Can't dump half of stream unix connection|unix: Dangling connection"
        r"|External socket found in image",
        "a unix socket leads out of the container",
        "let the program close it before the move, or reach that service over TCP",
        "process.unix-sockets",
    ),
    known(
        "inotify",
        r"fsnotify:\s+Can't dump that handle|fsnotify: Can't open file handle",
        "CRIU cannot find the path of a file that is watched through inotify",
        "watch a folder on a named volume instead, or use CRIU newer than 4.2",
        "process.inotify",
    ),
    known(
        "traced",
        r"zombie \d+ \(comm .*\) found while seizing|Can't attach to \d+: Operation not permitted"
        r"|SEIZE \d+: task not found|Unable to seize|ptrace.*Operation not permitted",
        "a process is being traced by a debugger or sandbox, or may not be traced",
        "end strace, gdb or the tracer; see that kernel.yama.ptrace_scope is below 3",
        "process.traced",
    ),
    known(
        "leaderless",
        r"Zombies with threads are not supported",
        "the first thread of a process has ended while others live on",
        "let the program's main function wait for its threads, and restart the workload",
        "process.leaderless",
    ),
    known(
        "shares",
        r"Can't make (?:VM|FS) id for",
        "two processes share their memory, or their working folder and umask",
        "start them as threads, or as processes by themselves; programs do that with clone() only",
        "process.shares",
    ),
)
