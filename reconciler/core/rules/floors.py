"""Releases that closed holes which matter to moving containers. Data only; the newest on top of each program.
Runtimes add their own.

Sources are the projects' own advisories, named here. `fixed` lists the first good release of each series that
was mended; `series` says how many numbers make a series.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Floor:
    """One hole. `since`: the first release that has it."""

    program: str
    advisory: str
    what: str
    fixed: tuple[str, ...]
    since: str = "0"
    series: int = 2

    @property
    def closed_in(self) -> str:
        return " / ".join(self.fixed)


FLOORS = [
    Floor(
        "runc",
        "CVE-2025-31133, CVE-2025-52565, CVE-2025-52881",
        "a container writes to /proc of the host and escapes",
        ("1.2.8", "1.3.3", "1.4.0"),
    ),
    Floor("runc", "CVE-2024-21626", "a leaked file descriptor lets a container escape", ("1.1.12",), series=1),
    Floor("crun", "CVE-2026-47766", "an image with a /dev link changes files of the host", ("1.28",), series=1),
    Floor("crun", "CVE-2026-30892", "exec --user 1 runs as root", ("1.27",), since="1.19", series=1),
    Floor("crun", "CVE-2025-24965", "an image writes outside its root filesystem", ("1.20",), series=1),
    Floor(
        "containerd",
        "CVE-2026-50195, CVE-2026-53489, CVE-2026-53492",
        "crafted checkpoints read files of the host and bring devices along",
        ("2.1.9", "2.2.5", "2.3.2"),
    ),
    Floor(
        "crio",
        "CVE-2024-8676",
        "a checkpoint archive mounts any folder of the host",
        ("1.29.8", "1.30.6", "1.31.1"),
    ),
    Floor(
        "kubelet",
        "CVE-2025-0426",
        "anybody who reaches the read-only port fills the disk with checkpoints",
        ("1.29.14", "1.30.10", "1.31.6", "1.32.2"),
    ),
    Floor(
        "sudo", "CVE-2025-32463", "any user becomes root through --chroot", ("1.9.17p1",), since="1.9.14", series=1
    ),
]
