"""The table behind `core.criu_errors`: patterns of one log line each, what they mean, and what helps.

The first entry that matches wins, so particular ones stand before general ones.
"""

from __future__ import annotations

from reconciler.core.criu_dumps import DUMPS, known
from reconciler.core.criu_dumps import Known as Known

KNOWN = (
    *DUMPS,
    known(
        "thread-timer",
        r"Can't (?:create|restore) posix timers?",
        "a program has a timer that signals one of its threads",
        "let it use a timerfd or SIGEV_SIGNAL; switch off profilers that sample by such timers",
        "process.timers",
    ),
    known(
        "deadline",
        r"Inconsistent sched params received",
        "a thread is scheduled by deadline (SCHED_DEADLINE)",
        "give it another class for the move: chrt --other --pid 0 PID, on its host",
        "process.deadline",
    ),
    known(
        "descriptors",
        r"Can't chose service_fd_base",
        "a process has a descriptor so near the limit of open files that CRIU has no room for its own above it",
        "raise the hard limit of open files of what starts the runtime there (LimitNOFILE=, ulimit -Hn), or"
        " let the program close some",
    ),
    known(
        "tcp-kernel",
        r"sockets: Can't get 1:(?:16|34)(?:\(\d+\))? opt: Operation not supported",
        "this CRIU is older than the kernel: Linux 6.16 refuses a socket option that CRIU before 4.2 reads",
        "upgrade criu to 4.2 or newer",
        "criu.tcp-kernel",
    ),
    known(
        "network-lock",
        r"net: Locking network failed|iptables-restore: not found|Running iptables.*failed"
        r"|execvp\(\"?ip6?tables-restore|iptables-restore.*No such file",
        "CRIU could not lock the network while it saves TCP connections",
        "apt-get install iptables; see that iptables-restore works in the container's network namespace",
        "criu.network-lock",
    ),
    known(
        "tcp-established",
        r"Connected TCP socket,? (?:consider using|in image)|inet: Connected TCP socket",
        "there are established TCP connections and the runtime was not told to keep them",
        "set migration tcp: established with an address that moves along, or tcp: close",
        "tcp.address-stays",
    ),
    known(
        "address-missing",
        r"Can't (?:bind|connect) inet socket back(?: \([^)]*\))?: Cannot assign requested address",
        "a connection's address does not exist on the destination",
        "give the workload a static ip on a network that both hosts share, or set migration tcp: close",
        "tcp.address-stays",
    ),
    known(
        "loopback-down",
        r"Can't connect inet socket back: Network is unreachable",
        "the network of the restored container is not up, not even its loopback interface",
        "give the container a network instead of `none`",
    ),
    known(
        "port-in-use",
        r"Can't bind inet socket.*Address already in use",
        "an address and port of the workload is in use on the destination",
        "find its owner: ss -lpn; stop it or publish another port",
        "port.taken",
    ),
    known(
        "cpu",
        r"cpu: (?:FPU|CPU|INS)? ?feature.* (?:required by image )?(?:is )?not supported on host"
        r"|CPU instruction capabilities do not match run time|cpu: (?:Unsupported|CPU capabilities do not match)",
        "the destination's CPU lacks a feature that the processes may use",
        "choose a host with the same CPU features",
        "cpu.features",
    ),
    known(
        "file-differs",
        r"File \S+ has bad (?:size|mode) \S+ \(expect \S+\)",
        "a file that a process has open is not the same on the destination",
        "use the same image ID on both hosts; put files that change on a named volume, not in a bind mount",
        "mount.stays",
    ),
    known(
        "file-missing",
        r"Can't open file \S+ on restore: No such file|Can't fixup VMA's fd",
        "a file that a process has open or mapped is not there on the destination",
        "use the same image ID on both hosts, and have bind-mounted folders with the same contents",
        "mount.source-missing",
    ),
    known(
        "mount-sharing",
        r"has unreachable sharing\. Try --enable-external-masters|doesn't have a proper root mount"
        r"|No mapping for \S+ mountpoint|Failed to copy sharing",
        "CRIU cannot make a mount of the container again",
        "mount volumes without :shared or :slave propagation, and nothing inside the running container",
        "process.mounts",
    ),
    known(
        "cgroup-cpuset",
        r"cg: Failed closing \S*cpuset\.\S+|error writing to cpuset|Restoring special cpuset props failed",
        "the control group of the restored container may not use the CPUs or memory nodes of the old one",
        "see that the parent group on the destination has cpuset.cpus and cpuset.mems set and inherits them",
        "cgroup.mode",
    ),
    known(
        "cgroup",
        r"cg(?:-prop)?: .*(?:Can't|Failed|Unable)|Unable to freeze|Can't write cgroup|freeze_processes failed",
        "CRIU could not save or make the container's control groups",
        "use the same control group version (v1 or v2) on both hosts",
        "cgroup.mode",
    ),
    known(
        "freeze-timeout",
        r"Timeout reached\. Try to interrupt|Unable to freeze|Can't stop all tasks",
        "the processes did not stop in ten seconds: one waits in the kernel, as for a dead network file system",
        "find it: ps -eo pid,stat,wchan,comm | grep ' D'; free it and try again",
    ),
    known(
        "lsm",
        r"mismatched lsm types|can't write lsm profile|Invalid selinux context|lsm\.c:\d+\): err scanfing"
        r"|lsm\.c:\d+\): Can't|write AA policy failed",
        "the security module of the two hosts differs, or its profile is not loaded on the destination",
        "enable the same module (AppArmor, SELinux) on both hosts and load the profile there",
        "security.module",
    ),
    known(
        "capabilities",
        r"Unable to restore capabil",
        "the workload holds capabilities that nobody has on the destination",
        "drop them in the spec (capDrop), or choose a host that has them",
        "security.capabilities",
    ),
    known(
        "pid-taken",
        r"Pid \d+ do not match expected|Can't fork for \d+: (?:File exists|Read-only)|clone3? failed.*File exists",
        "a process ID of the workload is taken on the destination",
        "make the container without --pid=host",
        "container.host-namespaces",
    ),
    known(
        "terminal",
        r"tty: (?:Found dangling tty|Unable to find a master|Don't have tty to inherit|No task found with sid"
        r"|ctty inheritance detected)|Can't lookup mount=\d+ for fd=\d+ path=/dev/pts/",
        "a terminal from outside the container is open",
        "end sessions of `exec -it` and `attach`; make the container without --tty",
        "process.terminal",
    ),
    known(
        "session",
        r"A session leader of \d+\(\d+\) is outside of its pid namespace|Task \d+ with SID",
        "a process belongs to a session that was started outside the container",
        "let the container's own program start it instead of the engine's `exec`",
        "process.exec-session",
    ),
    known(
        "dirty-tracking",
        r"CRIU is missing features|Dirty tracking is OFF|mem_dirty_track|Pre-dumping is not supported",
        "this kernel cannot tell which memory was written since the last round",
        "set migration strategy: lazy or cold; pre-copy needs CONFIG_MEM_SOFT_DIRTY",
        "strategy.lazy",
    ),
    known(
        "userfaultfd",
        r"uffd: (?:Lazy pages are not available|Failed to get uffd)|UFFD is not supported",
        "lazy restore needs userfaultfd, which this kernel does not give",
        "set migration strategy: cold",
        "strategy.lazy",
    ),
    known(
        "rseq",
        r"killed by signal 11|rseq.*(?:unsupported|not supported|kernel lacks)",
        "a restored process crashed at once: CRIU older than the C library or the kernel, or another CPU",
        "upgrade criu on both hosts to the same, newest release",
        "criu.known-bad",
    ),
    known(
        "vdso",
        r"vdso: .*(?:Can't|Failed|Unexpected|not found)|Error .*vdso",
        "CRIU does not know the vDSO of this kernel",
        "upgrade criu",
        "criu.known-bad",
    ),
    known(
        "libcriu",
        r"could not load `?libcriu\.so",
        "crun cannot load CRIU's library",
        "apt-get install libcriu2",
        "criu.library",
    ),
    known(
        "no-space",
        r"No space left on device|ENOSPC",
        "no room is left for the images",
        "free memory and disk: remove images and volumes that nothing uses",
        "room.disk",
    ),
    known(
        "no-memory",
        r"Cannot allocate memory|Can't allocate|killed by signal 9",
        "the kernel gave no more memory, or ended a process to get some",
        "free memory on the host, or raise the workload's memory limit",
        "room.memory",
    ),
    known(
        "open-files",
        r"page-pipe: Can't make pipe.*Too many open files|Too many open files",
        "CRIU ran out of file descriptors",
        "raise the limit for the runtime: prlimit --nofile=1048576, or LimitNOFILE= in its unit",
    ),
    known(
        "images-broken",
        r"Unexpected EOF on|Magic doesn't match|Can't open dir .*images|pagemap.*(?:corrupted|Can't read)",
        "the images are not complete",
        "check the disk of both hosts; plan and apply again",
    ),
    known(
        "image-unknown",
        r"image not known",
        "the container's image is not on the destination under the same ID",
        "plan again: it is copied from the source",
        "image.gone",
    ),
    known(
        "seccomp",
        r"seccomp: .*(?:Can't|Failed|Unable)|Unable to (?:set|restore) seccomp",
        "the seccomp filter could not be saved or set again",
        "choose a host whose kernel has CONFIG_SECCOMP_FILTER and CONFIG_CHECKPOINT_RESTORE",
        "security.seccomp",
    ),
    known(
        "permission",
        r"Operation not permitted|CRIU needs to have the CAP_SYS_ADMIN|you need to be root",
        "CRIU lacks a right it needs",
        "run as root (spec.user: root, or spec.sudo: true), not rootless and not inside another container",
        "criu.check",
    ),
)
