"""What both backends do alike: a host is a process in its own control groups with a card on the lab's bridge."""

from __future__ import annotations

from reconciler.errors import LabError
from reconciler.lab import cgroups, network, process
from reconciler.lab.spec import LabPaths
from reconciler.lab.tools import tail


def group(paths: LabPaths, host: str) -> str:
    """Name of the host's control group in each hierarchy."""
    return f"{paths.identity}-{host}"


def pid(paths: LabPaths, host: str) -> int | None:
    """The host's first process; None: it is down."""
    return process.read(paths.host(host) / "pid")


def require_pid(paths: LabPaths, host: str) -> int:
    """LabError when the host is down."""
    found = pid(paths, host)
    if found is None:
        fix = f"reconcile lab up --name {paths.name}"
        raise LabError(f"{host} is down", code="L704", where=paths.name, fix=fix)
    return found


def cut(paths: LabPaths, host: str) -> None:
    """Cut the power, also of a host of which a crash left only parts."""
    network.unplug(paths.identity, host)
    first = pid(paths, host)
    if first is not None:
        cgroups.thaw(group(paths, host))
        process.kill(first, host)
    cgroups.remove(group(paths, host))
    (paths.host(host) / "pid").unlink(missing_ok=True)


def remove(paths: LabPaths) -> None:
    """Cut the power of all hosts there may be, and remove the segment."""
    prefix = group(paths, "")
    known = {folder.name for folder in paths.host("").glob("*") if folder.is_dir()}
    for host in known | {name.removeprefix(prefix) for name in cgroups.named(prefix)}:
        cut(paths, host)
    network.remove(paths.identity)


def boot_error(paths: LabPaths, host: str) -> LabError:
    """What to raise for a host that does not come up: the end of its console."""
    log = paths.host(host) / "boot.log"
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return LabError(f"{host} did not boot", where=str(log), why=tail(text) or "it said nothing")
