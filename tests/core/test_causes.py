"""The line that says why, out of what programs really print when they fail."""
# ruff: noqa: E501

import pytest

from reconciler.core.causes import END, LONGEST, criu_cause, criu_errors, last_lines, telling

CRIU_LOG = """(00.000762) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: not permitted
(00.002137)      1: Error (criu/image.c:96): Unexpected EOF on core.img
(00.007631) Error (criu/cr-restore.c:1831): Restoring FAILED.
(00.007912) Error (criu/cgroup.c:2055): cg: cgroupd: recv req error: No such file or directory
"""
PANIC = """time="2026-11-25T18:00:01Z" level=warning msg="Failed to read cgroup limits"
panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x18 pc=0x55d0a8]

goroutine 1 [running]:
github.com/containers/podman/v5/libpod.(*Container).checkpoint(0xc0003a2000, {0x0, 0x0})
	github.com/containers/podman/v5/libpod/container_internal_common.go:1021 +0x5a
main.main()
	github.com/containers/podman/v5/cmd/podman/main.go:62 +0x4c
"""
EXHAUSTED = """runtime: failed to create new OS thread (have 11 already; errno=11)
runtime: may need to increase max user processes (ulimit -u)
fatal error: newosproc

runtime stack:
runtime.throw({0x55c1a7, 0x9})
	/usr/lib/go-1.24/src/runtime/panic.go:1101 +0x4d
"""
TRACEBACK = """starting
Traceback (most recent call last):
  File "/app/serve.py", line 12, in <module>
    connect()
ConnectionRefusedError: [Errno 111] Connection refused

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/serve.py", line 14, in <module>
    raise SystemError("no database") from None
SystemError: no database
"""
RUNC = """time="2026-11-25T18:00:01Z" level=warning msg="lsm is not supported"
time="2026-11-25T18:00:01Z" level=error msg="criu failed: type NOTIFY errno 0\\nlog file: /x/userdata/dump.log"
Error: runc: "criu failed": OCI runtime error
"""
CRUN = "WARN[0000] Old conmon\nError: crun: CRIU checkpointing failed -52. Please check CRIU logfile /x/dump.log: OCI runtime error\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("\n \n", ""),
        ("one thing went wrong\n", "one thing went wrong"),
        (PANIC, "panic: runtime error: invalid memory address or nil pointer dereference"),
        (EXHAUSTED, "runtime: failed to create new OS thread (have 11 already; errno=11)"),
        (TRACEBACK, "SystemError: no database"),
        (RUNC, 'runc: "criu failed": OCI runtime error'),
        (RUNC.rpartition("Error:")[0], "criu failed: type NOTIFY errno 0; log file: /x/userdata/dump.log"),
        (CRUN, "crun: CRIU checkpointing failed -52. Please check CRIU logfile /x/dump.log: OCI runtime error"),
        (CRIU_LOG, "Unexpected EOF on core.img"),
        ("pie: 1: Error (criu/pie/parasite.c:588): send_fds failed (-22)", "send_fds failed (-22)"),
        ("sh: 1: criu: not found\nnothing to clean up\n", "sh: 1: criu: not found"),
        (
            "tar: /data: Cannot open: Permission denied\ntar: Exiting with failure status due to previous errors\n",
            "tar: /data: Cannot open: Permission denied",
        ),
        (
            "thread 'main' panicked at src/main.rs:4:5:\nindex out of bounds\n",
            "thread 'main' panicked at src/main.rs:4:5:",
        ),
        ("Error: " + "x" * 1000 + "y" * END, "x" * (LONGEST - END - 5) + " ... " + "y" * END),
    ],
)
def test_the_line_that_says_why(text, line):
    assert telling(text) == line


def test_the_cause_in_a_criu_log_is_the_first_error_that_is_not_noise():
    errors = criu_errors(CRIU_LOG)
    assert errors.count("\n") == 1
    assert criu_cause(errors) == criu_cause(CRIU_LOG) == "Unexpected EOF on core.img"
    assert criu_errors("one\n\ntwo\n") == "one\ntwo" and criu_cause("one\n\ntwo\n") == ""


def test_last_lines_are_few_and_short():
    assert last_lines("a\nb\nc\n\n", 2) == "b\nc"
    assert last_lines("x" * 1000, 2) == "x" * (LONGEST - END - 5) + " ... " + "x" * END
    assert last_lines("", 5) == ""
