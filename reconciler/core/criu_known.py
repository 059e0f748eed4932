"""The table behind `core.criu_errors`: patterns of one log line each, what they mean, and what helps.

The first entry that matches wins, so particular ones stand before general ones.
"""

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


def _k(name: str, pattern: str, cause: str, fix: str, rule: str = "") -> Known:
    return Known(f"log.{name}", pattern, cause, fix, rule)


KNOWN = (
    _k(
        "io-uring",
        r"anon_inode:\[io_uring\]|parasite\.c:\d+\): send_fds failed \(-22\)",
        "a process uses io_uring, which CRIU cannot save",
        "switch it off in the program, or on the host: sysctl kernel.io_uring_disabled=2; restart the workload",
        "process.io-uring",
    ),
    _k(
        "ghost-limit",
        r"Can't dump ghost file \S+ of \d+ size",
        "a deleted file of more than 1 MiB is still open",
        "let the program reopen its files (often SIGHUP), or restart it",
        "process.deleted-files",
    ),
    _k(
        "gpu",
        r"\(chr 195:\d+\)|cuda_plugin|/dev/nvidia|handle_device_vma plugin failed|amdgpu_plugin",
        "a process uses a GPU, whose state is in the device",
        "end the GPU work first, or use the program's own checkpoints",
        "process.gpu",
    ),
    _k(
        "shared-code",
        r"POKEDATA failed|Can't inject syscall blob",
        "CRIU cannot start its code in a process whose executable memory is shared with others, as a JIT's may be",
        "PHP: opcache.jit_buffer_size=0; else tell the JIT to use private memory, and restart the workload",
    ),
    _k(
        "mptcp",
        r"Unsupported proto 262 for socket|GODEBUG=multipathtcp=0",
        "a process uses MPTCP, which CRIU cannot save",
        "Go programs: GODEBUG=multipathtcp=0 in the spec's env; others: sysctl net.mptcp.enabled=0 on the host",
        "process.sockets",
    ),
    _k(
        "socket-kind",
        r"Unknown socket collected \(family|Unsupported (?:proto|type) \d+ (?:for|on) socket",
        "a process has a socket of a kind that CRIU does not know, such as vsock or XDP",
        "let the program close it before the move, or use TCP, UDP or unix sockets",
        "process.sockets",
    ),
    _k(
        "corked",
        r"Can't dump corked dgram socket",
        "a UDP socket is corked, and CRIU cannot read what it has collected",
        "try again: most programs cork for an instant",
        "process.corked",
    ),
    _k(
        "in-flight",
        r"In-flight connection|Non-empty write queue on an in-flight socket|closed in-flight socket",
        "a connection waits to be accepted; CRIU saves only those a process has taken",
        "try again: that lasts for an instant, unless the program has stopped accepting",
        "process.backlog",
    ),
    _k(
        "netlink-unread",
        r"The socket has data to read",
        "a process has unread messages of the kernel's (netlink); CRIU cannot save them",
        "try again: most programs read them soon",
    ),
    _k(
        "descriptors-in-flight",
        r"Control messages in queue|More than 1 SCM is not possible|Unexpected 2nd SCM_RIGHTS",
        "descriptors or credentials are under way over a unix socket",
        "try again, when the program is less busy",
    ),
    _k(
        "bpf",
        r"does not currently support dumping BPF map|anon_inode:bpf",
        "a process holds BPF programs or maps that CRIU cannot save",
        "switch off the program's use of BPF, or end the tool that put it there",
        "process.bpf-maps",
    ),
    _k(
        "uprobes",
        r"has uprobes vma",
        "a tool on the host traces functions of the process (uprobes: perf, bpftrace, a profiler)",
        "end that tool, then try again",
    ),
    _k(
        "nested",
        r"Can't dump nested \S+ namespace|Nested mount namespaces are not supported"
        r"|Can't dump a pid namespace without|Time namespaces are not supported|nested time namespace"
        r"|Unable to dump more than one netns|No NS ID with kid|socket from an external network namespace"
        r"|One or more namespaces doesn't belong to the target user namespace",
        "a process made namespaces of its own, as sandboxes and containers in containers do",
        "switch off the program's sandbox, or run the inner containers as workloads of their own",
        "process.nested-namespaces",
    ),
    _k(
        "thirty-two-bit",
        r"running in 32-bit mode|Only 64 bit tasks are supported|with LDT descriptors",
        "a process runs 32-bit code, which this CRIU cannot save",
        "use a 64-bit build of the program",
    ),
    _k(
        "stopped",
        r"unsupported stop signal|Individually stopped threads not supported|with a pending SIGTRAP",
        "a process is stopped by a debugger or half-way into being stopped",
        "end the debugger, or let it go on: kill -CONT PID; then try again",
        "process.traced",
    ),
    _k(
        "foreign-queue",
        r"Can't lookup mount=\d+ for fd=\d+ path=(?!/dev/pts/)|mqueue isn't empty",
        "a file is open that lies in none of the container's mounts, such as a POSIX message queue (mq_open)",
        "use another kind of queue (System V queues move), or let the program close it before the move",
        "process.message-queues",
    ),
    _k(
        "inner-mount",
        r"is a fuse mount but not external|FS mnt \S+ dev \S+ root \S+ unsupported id"
        r"|Open files on overmounted mounts are not supported",
        "a file system was mounted inside the container that CRIU cannot save",
        "mount it on the host and give it to the container as a volume or bind mount",
        "process.mounts",
    ),
    _k(
        "address-space",
        r"Unable to map ANON_VMA: Cannot allocate memory",
        "a process reserves more addresses than the destination's kernel lets it have",
        "sysctl vm.overcommit_memory=1 on the destination, or reserve less (MariaDB: innodb-buffer-pool-size-max)",
    ),
    _k(
        "kernel-object",
        r"Can't dump file \d+ of that type \[\d+\] \(anon anon_inode:\S+?\)?$",
        "a process holds a kernel object that CRIU does not know",
        "switch off the program's feature that uses it",
        "process.kernel-objects",
    ),
    _k(
        "device",
        r"Can't dump file \d+ of that type \[\d+\] \((?:chr|blk) \d+:\d+\)|Can't handle non-regular mapping",
        "a process has a device open or mapped",
        "let the program close the device before the move; ls -l /proc/PID/fd shows which",
        "process.devices",
    ),
    _k(
        "unix-socket",
        r"External socket is used|Can't dump half of stream unix connection|unix: Dangling connection"
        r"|External socket found in image",
        "a unix socket leads out of the container",
        "let the program close it before the move, or reach that service over TCP",
        "process.unix-sockets",
    ),
    _k(
        "inotify",
        r"fsnotify:\s+Can't dump that handle|fsnotify: Can't open file handle",
        "CRIU cannot find the path of a file that is watched through inotify",
        "watch a folder on a named volume instead, or use CRIU newer than 4.2",
        "process.inotify",
    ),
    _k(
        "traced",
        r"zombie \d+ \(comm .*\) found while seizing|Can't attach to \d+: Operation not permitted"
        r"|SEIZE \d+: task not found|Unable to seize|ptrace.*Operation not permitted",
        "a process is being traced by a debugger or sandbox, or may not be traced",
        "end strace, gdb or the tracer; see that kernel.yama.ptrace_scope is below 3",
        "process.traced",
    ),
    _k(
        "tcp-kernel",
        r"sockets: Can't get 1:(?:16|34)(?:\(\d+\))? opt: Operation not supported",
        "this CRIU is older than the kernel: Linux 6.16 refuses a socket option that CRIU before 4.2 reads",
        "upgrade criu to 4.2 or newer",
        "criu.tcp-kernel",
    ),
    _k(
        "network-lock",
        r"net: Locking network failed|iptables-restore: not found|Running iptables.*failed"
        r"|execvp\(\"?ip6?tables-restore|iptables-restore.*No such file",
        "CRIU could not lock the network while it saves TCP connections",
        "apt-get install iptables; see that iptables-restore works in the container's network namespace",
        "criu.network-lock",
    ),
    _k(
        "tcp-established",
        r"Connected TCP socket,? (?:consider using|in image)|inet: Connected TCP socket",
        "there are established TCP connections and the runtime was not told to keep them",
        "set migration tcp: established with an address that moves along, or tcp: close",
        "tcp.address-stays",
    ),
    _k(
        "address-missing",
        r"Can't (?:bind|connect) inet socket back(?: \([^)]*\))?: Cannot assign requested address",
        "a connection's address does not exist on the destination",
        "give the workload a static ip on a network that both hosts share, or set migration tcp: close",
        "tcp.address-stays",
    ),
    _k(
        "loopback-down",
        r"Can't connect inet socket back: Network is unreachable",
        "the network of the restored container is not up, not even its loopback interface",
        "give the container a network instead of `none`",
    ),
    _k(
        "port-in-use",
        r"Can't bind inet socket.*Address already in use",
        "an address and port of the workload is in use on the destination",
        "find its owner: ss -lpn; stop it or publish another port",
        "port.taken",
    ),
    _k(
        "cpu",
        r"cpu: (?:FPU|CPU|INS)? ?feature.* (?:required by image )?(?:is )?not supported on host"
        r"|CPU instruction capabilities do not match run time|cpu: (?:Unsupported|CPU capabilities do not match)",
        "the destination's CPU lacks a feature that the processes may use",
        "choose a host with the same CPU features",
        "cpu.features",
    ),
    _k(
        "file-differs",
        r"File \S+ has bad (?:size|mode) \S+ \(expect \S+\)",
        "a file that a process has open is not the same on the destination",
        "use the same image ID on both hosts; put files that change on a named volume, not in a bind mount",
        "mount.stays",
    ),
    _k(
        "file-missing",
        r"Can't open file \S+ on restore: No such file|Can't fixup VMA's fd",
        "a file that a process has open or mapped is not there on the destination",
        "use the same image ID on both hosts, and have bind-mounted folders with the same contents",
        "mount.source-missing",
    ),
    _k(
        "mount-sharing",
        r"has unreachable sharing\. Try --enable-external-masters|doesn't have a proper root mount"
        r"|No mapping for \S+ mountpoint|Failed to copy sharing",
        "CRIU cannot make a mount of the container again",
        "mount volumes without :shared or :slave propagation, and nothing inside the running container",
        "process.mounts",
    ),
    _k(
        "cgroup-cpuset",
        r"cg: Failed closing \S*cpuset\.\S+|error writing to cpuset|Restoring special cpuset props failed",
        "the control group of the restored container may not use the CPUs or memory nodes of the old one",
        "see that the parent group on the destination has cpuset.cpus and cpuset.mems set and inherits them",
        "cgroup.mode",
    ),
    _k(
        "cgroup",
        r"cg(?:-prop)?: .*(?:Can't|Failed|Unable)|Unable to freeze|Can't write cgroup|freeze_processes failed",
        "CRIU could not save or make the container's control groups",
        "use the same control group version (v1 or v2) on both hosts",
        "cgroup.mode",
    ),
    _k(
        "freeze-timeout",
        r"Timeout reached\. Try to interrupt|Unable to freeze|Can't stop all tasks",
        "the processes did not stop in ten seconds: one waits in the kernel, as for a dead network file system",
        "find it: ps -eo pid,stat,wchan,comm | grep ' D'; free it and try again",
    ),
    _k(
        "lsm",
        r"mismatched lsm types|can't write lsm profile|Invalid selinux context|lsm\.c:\d+\): err scanfing"
        r"|lsm\.c:\d+\): Can't|write AA policy failed",
        "the security module of the two hosts differs, or its profile is not loaded on the destination",
        "enable the same module (AppArmor, SELinux) on both hosts and load the profile there",
        "security.module",
    ),
    _k(
        "capabilities",
        r"Unable to restore capabil",
        "the workload holds capabilities that nobody has on the destination",
        "drop them in the spec (capDrop), or choose a host that has them",
        "security.capabilities",
    ),
    _k(
        "pid-taken",
        r"Pid \d+ do not match expected|Can't fork for \d+: (?:File exists|Read-only)|clone3? failed.*File exists",
        "a process ID of the workload is taken on the destination",
        "make the container without --pid=host",
        "container.host-namespaces",
    ),
    _k(
        "terminal",
        r"tty: (?:Found dangling tty|Unable to find a master|Don't have tty to inherit|No task found with sid"
        r"|ctty inheritance detected)|Can't lookup mount=\d+ for fd=\d+ path=/dev/pts/",
        "a terminal from outside the container is open",
        "end sessions of podman exec -it and podman attach; make the container without --tty",
        "process.terminal",
    ),
    _k(
        "session",
        r"A session leader of \d+\(\d+\) is outside of its pid namespace|Task \d+ with SID",
        "a process belongs to a session that was started outside the container",
        "let the container's own program start it instead of podman exec",
        "process.exec-session",
    ),
    _k(
        "dirty-tracking",
        r"CRIU is missing features|Dirty tracking is OFF|mem_dirty_track|Pre-dumping is not supported",
        "this kernel cannot tell which memory was written since the last round",
        "set migration strategy: lazy or cold; pre-copy needs CONFIG_MEM_SOFT_DIRTY",
        "strategy.lazy",
    ),
    _k(
        "userfaultfd",
        r"uffd: (?:Lazy pages are not available|Failed to get uffd)|UFFD is not supported",
        "lazy restore needs userfaultfd, which this kernel does not give",
        "set migration strategy: cold",
        "strategy.lazy",
    ),
    _k(
        "rseq",
        r"killed by signal 11|rseq.*(?:unsupported|not supported|kernel lacks)",
        "a restored process crashed at once: CRIU older than the C library or the kernel, or another CPU",
        "upgrade criu on both hosts to the same, newest release",
        "criu.known-bad",
    ),
    _k(
        "vdso",
        r"vdso: .*(?:Can't|Failed|Unexpected|not found)|Error .*vdso",
        "CRIU does not know the vDSO of this kernel",
        "upgrade criu",
        "criu.known-bad",
    ),
    _k(
        "libcriu",
        r"could not load `?libcriu\.so",
        "crun cannot load CRIU's library",
        "apt-get install libcriu2",
        "criu.library",
    ),
    _k(
        "no-space",
        r"No space left on device|ENOSPC",
        "no room is left for the images",
        "free memory and disk: podman image prune; podman volume prune",
        "room.disk",
    ),
    _k(
        "no-memory",
        r"Cannot allocate memory|Can't allocate|killed by signal 9",
        "the kernel gave no more memory, or ended a process to get some",
        "free memory on the host, or raise the workload's memory limit",
        "room.memory",
    ),
    _k(
        "open-files",
        r"page-pipe: Can't make pipe.*Too many open files|Too many open files",
        "CRIU ran out of file descriptors",
        "raise the limit for the runtime: prlimit --nofile=1048576, or LimitNOFILE= in its unit",
    ),
    _k(
        "images-broken",
        r"Unexpected EOF on|Magic doesn't match|Can't open dir .*images|pagemap.*(?:corrupted|Can't read)",
        "the images are not complete",
        "check the disk of both hosts; plan and apply again",
    ),
    _k(
        "image-unknown",
        r"image not known",
        "the container's image is not on the destination under the same ID",
        "plan again: it is copied from the source",
        "image.gone",
    ),
    _k(
        "seccomp",
        r"seccomp: .*(?:Can't|Failed|Unable)|Unable to (?:set|restore) seccomp",
        "the seccomp filter could not be saved or set again",
        "choose a host whose kernel has CONFIG_SECCOMP_FILTER and CONFIG_CHECKPOINT_RESTORE",
        "security.seccomp",
    ),
    _k(
        "permission",
        r"Operation not permitted|CRIU needs to have the CAP_SYS_ADMIN|you need to be root",
        "CRIU lacks a right it needs",
        "run as root (spec.user: root, or spec.sudo: true), not rootless and not inside another container",
        "criu.check",
    ),
)
