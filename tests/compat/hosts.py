"""What the lab's hosts need beyond what they have, on this machine and for these programs."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path

from reconciler.lab import Lab
from reconciler.lab.tools import Report, run

SHIM_SOURCE = Path(__file__).with_name("rlimits.c")
SHIM = "/usr/local/lib/rlimits.so"
CAP_SYS_RESOURCE = 24
FILTER_OFF = '[containers]\npids_limit = 0\nseccomp_profile = "unconfined"\n'
FILTER_FILE = "/etc/containers/containers.conf.d/compat.conf"


def prepare(lab: Lab, report: Report) -> None:
    """Hosts without containers, and with a CRIU that can save processes of other users than root."""
    for host in lab.hosts:
        lab.exec(host.name, ["podman", "rm", "--all", "--force", "--time", "0"])
        lab.exec(host.name, ["podman", "volume", "rm", "--all", "--force"], check=False)
        unmount = "awk '/userdata.checkpoint/{print $2}' /proc/mounts | xargs -r umount"
        lab.exec(host.name, ["sh", "-c", f"{unmount}; rm -rf /var/lib/reconciler/*"])
    if not _has(CAP_SYS_RESOURCE):
        report("this machine's root lacks CAP_SYS_RESOURCE: CRIU reads limits of processes from /proc")
        _shim(lab)


def _has(capability: int) -> bool:
    status = Path("/proc/self/status").read_text()
    (mask,) = (line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(mask, 16) >> capability & 1)


def _shim(lab: Lab) -> None:
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "rlimits.so")
        run(["gcc", "-shared", "-fPIC", "-O2", "-o", library, SHIM_SOURCE])
        content = base64.b64encode(library.read_bytes()).decode()
    wrapper = f'#!/bin/sh\nLD_PRELOAD={SHIM} exec /usr/sbin/criu.real "$@"\n'
    script = f"""
        base64 -d > {SHIM}
        [ -e /usr/sbin/criu.real ] || mv /usr/sbin/criu /usr/sbin/criu.real
        printf %s "$1" > /usr/sbin/criu
        chmod 755 /usr/sbin/criu
    """
    for host in lab.hosts:
        lab.exec(host.name, ["sh", "-ec", script, "sh", wrapper], input=content)


def filter_syscalls(lab: Lab, *, off: bool) -> None:
    """Take the seccomp filter of containers that are made from now on away, or put it back."""
    folder = Path(FILTER_FILE).parent
    script = f"mkdir -p {folder}; cat > {FILTER_FILE}" if off else f"rm -f {FILTER_FILE}"
    for host in lab.hosts:
        lab.exec(host.name, ["sh", "-c", script], input=FILTER_OFF if off else None)
