"""Known errors of CRIU and the runtimes, by lines of real logs."""
# ruff: noqa: E501

import pytest

from reconciler.core.criu_errors import translate
from reconciler.core.criu_known import KNOWN
from reconciler.runtimes import registry

LINES = [
    # Seen on lab hosts (CRIU 4.2.1, Linux 6.18).
    ("io-uring", "pie: 1: Error (criu/pie/parasite.c:588): send_fds failed (-22)"),
    (
        "ghost-limit",
        "(00.128486) Error (criu/files-reg.c:1031): Can't dump ghost file /gone of 2097152 size, increase limit",
    ),
    ("inotify", "(00.111920) Error (criu/fsnotify.c:284): fsnotify: \tCan't dump that handle"),
    ("unix-socket", "(00.118949) Error (criu/sk-unix.c:479): unix: Dangling connection 911918"),
    (
        "unix-socket",
        "(00.146611) Error (criu/sk-unix.c:874): unix: External socket is used. Consider using --ext-unix-sk option.",
    ),
    ("device", "(00.022680) Error (criu/files-ext.c:94): Can't dump file 3 of that type [20600] (chr 10:229)"),
    (
        "kernel-object",
        "(00.114498) Error (criu/files-ext.c:94): Can't dump file 3 of that type [600] (anon anon_inode:[userfaultfd])",
    ),
    ("traced", "(09.983003) Error (criu/seize.c:335): zombie 1861 (comm odd) found while seizing"),
    ("freeze-timeout", "(10.001868) Error (criu/cr-dump.c:1655): Timeout reached. Try to interrupt: 0"),
    (
        "network-lock",
        "(00.071189) Error (criu/net.c:3131): net: Locking network failed: iptables-restore returned 255",
    ),
    ("loopback-down", "Error (soccr/soccr.c:517): Can't connect inet socket back: Network is unreachable"),
    ("libcriu", "could not load `libcriu.so.2`"),
    ("image-unknown", "Error: localhost/app:1: image not known"),
    ("descriptors", "(00.051) 1: Error (criu/servicefd.c:168): Can't chose service_fd_base: 1024 1024"),
    ("shared-code", "php could not be held on h1; it runs on (POKEDATA failed: Input/output error)"),
    ("foreign-queue", "(00.111) Error (criu/files-reg.c:1790): Can't lookup mount=545 for fd=3 path=/compat"),
    ("address-space", "(00.2) 1: Error (criu/mem.c:964): Unable to map ANON_VMA: Cannot allocate memory"),
    ("netlink-unread", "(00.1) Error (criu/sk-netlink.c:77): netlink: The socket has data to read"),
    ("thread-timer", "(00.188835) pie: 1: Error (criu/pie/restorer.c:1293): Can't create posix timer - 0: -22"),
    ("deadline", "(00.181207) 1: Error (criu/cr-restore.c:2639): Inconsistent sched params received (6.0.0)"),
    ("leaderless", "(00.117203) Error (criu/seize.c:882): Zombies with threads are not supported"),
    ("shares", "(00.109904) Error (criu/cr-dump.c:676): Can't make FS id for 66374"),
    # As CRIU's sources print them.
    ("mptcp", "(00.1) Error (criu/sk-inet.c:137): inet: Unsupported proto 262 for socket 5e0f"),
    ("in-flight", "(00.1) Error (criu/sk-inet.c:185): inet: In-flight connection (l) for 5e0f"),
    ("in-flight", "(00.1) Error (criu/sk-unix.c:506): unix: Non-empty write queue on an in-flight socket 0x5e0f"),
    (
        "descriptors-in-flight",
        "(00.1) Error (criu/sk-queue.c:144): skqueue: Control messages in queue, not supported",
    ),
    ("bpf", "(00.1) Error (criu/bpfmap.c:90): CRIU does not currently support dumping BPF map type 27!"),
    ("uprobes", "(00.1) Error (criu/proc_parse.c:700): PID 12 has uprobes vma. Consider using --allow-uprobes."),
    ("nested", "(00.1) Error (criu/namespaces.c:40): Can't dump nested user namespace for 12"),
    ("thirty-two-bit", "(00.1) Error (criu/parasite-syscall.c:9): Can't dump task 12 running in 32-bit mode"),
    ("stopped", "(00.1) Error (criu/seize.c:900): SEIZE 12: unsupported stop signal 22"),
    ("inner-mount", "(00.1) Error (criu/mount.c:700): mnt: ./tmp/b is a fuse mount but not external"),
    # From threads of the projects.
    ("io-uring", "(00.006990) Error (criu/proc_parse.c:457): Unknown shit f000 600 (anon_inode:[io_uring])"),
    ("gpu", "Error (criu/files-ext.c:94): Can't dump file 17 of that type [20666] (chr 195:255)"),
    ("gpu", "Error (criu/proc_parse.c:118): handle_device_vma plugin failed: No such file or directory"),
    (
        "device",
        "(00.082202) Error (criu/proc_parse.c:553): Can't handle non-regular mapping on 4582's map 86aaa000",
    ),
    ("unix-socket", "Error (criu/sk-unix.c:815): unix: Can't dump half of stream unix connection."),
    ("unix-socket", "3589: Error (criu/sk-unix.c:1401): sk unix: External socket found in image."),
    (
        "inotify",
        "(02.332716) Error (fsnotify.c:214): fsnotify: Can't open file handle for 0x0000002b: Stale file handle",
    ),
    ("tcp-kernel", "(00.118198) Error (criu/sockets.c:628): sockets: Can't get 1:16 opt: Operation not supported"),
    ("tcp-kernel", "Error (criu/sockets.c:640): sockets: Can't get 1:16(34) opt: Operation not supported"),
    ("tcp-established", "(00.123498)   1374: Error (criu/sk-inet.c:654): Connected TCP socket in image"),
    (
        "address-missing",
        "(00.001127)   2232: Error (soccr/soccr.c:529): Can't connect inet socket back: Cannot assign requested address",
    ),
    (
        "address-missing",
        "718: Error (soccr/soccr.c:501): Can't bind inet socket back (0.0.0.0): Cannot assign requested address",
    ),
    (
        "cpu",
        "Error (criu/arch/x86/cpu.c:247): cpu: FPU feature required by image is not supported on host (expected:0xff)",
    ),
    (
        "file-differs",
        "Error (criu/files-reg.c:1748): File tmp/openair.msc.4.log has bad size 252 (expect 253)",
    ),
    (
        "file-differs",
        " 565: Error (criu/files-reg.c:1680): File home/user1/tcp-howto has bad mode 0100755 (expect 0100775)",
    ),
    (
        "mount-sharing",
        "Error (criu/mount.c:938): mnt: Mount 718 ./dump (master_id: 200 shared_id: 0) has unreachable sharing. Try"
        " --enable-external-masters.",
    ),
    ("mount-sharing", "Error (criu/mount.c:660): mnt: 554:./etc/hosts doesn't have a proper root mount"),
    (
        "cgroup-cpuset",
        "(00.024384) Error (cgroup.c:1201): cg: Failed closing cpuset//newroot/cpuset.cpu_exclusive: Invalid argument",
    ),
    ("lsm", "(14.068759) 47748: Error (criu/lsm.c:279): mismatched lsm types and lsm profile specified"),
    ("lsm", "(00.015880) Error (criu/lsm.c:90): Invalid selinux context kernel"),
    ("lsm", "(00.042309) Error (criu/apparmor.c:460): write AA policy failed: Protocol error"),
    ("capabilities", "(00.189574)pie: 1: Error (criu/pie/restorer.c:273): Unable to restore capabilities: -1"),
    ("terminal", "127514: Error (criu/tty.c:1453): tty: No task found with sid 124454"),
    (
        "terminal",
        "Error (criu/tty.c:2324): tty: ctty inheritance detected sid/pgrp 20120, no PTY peer with sid/pgrp needed",
    ),
    (
        "session",
        "(00.015293) Error (criu/cr-dump.c:1332): A session leader of 1(1) is outside of its pid namespace",
    ),
    ("traced", "(05.275088) Error (criu/cr-restore.c:1736): Can't attach to 507010: Operation not permitted"),
    ("rseq", "Error (criu/cr-restore.c:1480): 56 killed by signal 11: Segmentation fault"),
    ("no-memory", "(01.328117) Error (cr-restore.c:978): 3127 killed by signal 9: Killed"),
    ("open-files", "Error (page-pipe.c:49): page-pipe: Can't make pipe for page-pipe: Too many open files"),
    ("images-broken", "(00.000137) Error (criu/protobuf.c:72): Unexpected EOF on (empty-image)"),
    ("userfaultfd", "Error (criu/uffd.c:231): uffd: Lazy pages are not available: Function not implemented"),
    ("dirty-tracking", "Error: configured runtime does not support it: CRIU is missing features"),
    ("no-space", "Error (criu/image.c:512): Can't write to pages-1.img: No space left on device"),
]


@pytest.mark.parametrize(("name", "line"), LINES)
def test_a_known_line_is_explained(name, line):
    found = translate(line)
    assert found is not None and found.known.id == f"log.{name}"
    assert found.cause and found.fix and found.line == line.strip()


def test_the_cause_wins_over_the_last_lines_and_over_harmless_ones():
    log = """
(00.000649) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted
(00.128486) Error (criu/files-reg.c:1031): Can't dump ghost file /gone of 2097152 size, increase limit
(00.128497) Error (criu/cr-dump.c:1545): Dump files (pid: 497) failed with -1
(00.182553) Error (criu/cr-dump.c:1975): Dumping FAILED.
"""
    found = translate(log)
    assert found is not None and found.known.id == "log.ghost-limit" and "/gone" in found.line


@pytest.mark.parametrize(
    "log",
    [
        "",
        "Error (criu/cr-dump.c:1975): Dumping FAILED.",
        "Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted",
    ],
)
def test_what_is_not_known_is_not_guessed(log):
    assert translate(log) is None


def test_entries_are_unique_and_name_rules_that_exist():
    ids = [known.id for known in KNOWN]
    assert len(ids) == len(set(ids))
    assert {known.rule for known in KNOWN if known.rule} <= registry.rules().keys()
