"""The lab as its users see it: bring it up, look at it, run things in it, break it on purpose, take it down.

Synchronous on purpose: the command line, the demo and tests call it, nothing in a reconciliation does.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from reconciler.errors import CommandFailed, LabError
from reconciler.lab import cache, files
from reconciler.lab.backend import Backend, named
from reconciler.lab.spec import (
    DEFAULT_MEMORY_MIB,
    LabPaths,
    LabSpec,
    check_host_count,
    check_memory,
    check_rate,
    lab_names,
)
from reconciler.lab.tools import Report, locked, require_packages, silent, tail

DEFAULT_HOSTS = 2
DEFAULT_BACKEND = "namespace"
SSHD_PROCESSES = "sshd sshd-session sshd-auth"
"""Listener and sessions: OpenSSH has one program for each."""


@dataclass(frozen=True)
class LabHost:
    """One host as it is at the moment. `pid` is its first process, seen from this machine."""

    name: str
    address: str
    pid: int | None

    @property
    def state(self) -> str:
        """`up` or `down`."""
        return "down" if self.pid is None else "up"


class Lab:
    """A handle on a lab that exists. It holds no state of its own beyond the spec: `hosts` looks each time."""

    def __init__(self, paths: LabPaths, spec: LabSpec, backend: Backend) -> None:
        self._paths = paths
        self._spec = spec
        self._backend = backend

    @classmethod
    def up(
        cls,
        name: str = "default",
        hosts: int | None = None,
        rate: str | None = None,
        report: Report = silent,
        backend: str | None = None,
        memory_mib: int | None = None,
    ) -> Lab:
        """Make the lab, or what is missing of it: hosts that run stay, hosts that died boot from their disk.

        `hosts` (2 for a new lab) never removes hosts. `rate` like `1gbit`; None leaves it, "" takes it away.
        `backend`: `namespace` (a new lab's default) or `vm`. `memory_mib`: of a `vm` host, from its next boot on.
        """
        check_rate(rate or None)
        check_host_count(hosts or 1)
        check_memory(memory_mib or DEFAULT_MEMORY_MIB)
        paths = LabPaths.of(name)
        with locked(paths.lock):
            old = paths.load()
            maker = named(backend or (old.backend if old else DEFAULT_BACKEND))
            maker.check()
            if old is None:
                _sweep(paths, maker)
            elif old.backend != maker.name:
                raise LabError(f"the lab {name} has the backend {old.backend}", fix="take it down first")
            octet = old.octet if old else None
            if old and Path(old.rootfs).is_dir() and Path(old.images).is_dir():
                # A lab keeps the root filesystem its disks were made over.
                prepared = cache.PreparedRoot(Path(old.rootfs), Path(old.images))
            else:
                prepared = maker.prepare(report)
            spec = LabSpec(
                name=name,
                backend=maker.name,
                octet=maker.connect(paths, octet, _octets_of_others(name)),
                hosts=max(hosts or 0, old.hosts) if old else hosts or DEFAULT_HOSTS,
                rate=(rate or None) if rate is not None or old is None else old.rate,
                memory_mib=memory_mib or (old.memory_mib if old else DEFAULT_MEMORY_MIB),
                rootfs=str(prepared.rootfs),
                images=str(prepared.images),
            )
            paths.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            paths.save(spec)
            files.write_all(paths, spec)
            lab = cls(paths, spec, maker)
            down = [host.name for host in lab.hosts if host.pid is None]
            running = [host.name for host in lab.hosts if host.pid is not None]
            if down:
                report(f"starting {', '.join(down)}")
                maker.start(paths, spec, down)
            for host in running:
                maker.reconnect(paths, spec, host)
            return lab

    @classmethod
    def load(cls, name: str = "default") -> Lab:
        """The lab with this name; LabError when there is none."""
        paths = LabPaths.of(name)
        spec = paths.load()
        if spec is None:
            raise LabError(f"there is no lab {name!r}", code="L703", fix=f"reconcile lab up --name {name}")
        return cls(paths, spec, named(spec.backend))

    @property
    def name(self) -> str:
        return self._spec.name

    @property
    def spec(self) -> LabSpec:
        """What the lab is made of."""
        return self._spec

    @property
    def folder(self) -> Path:
        """The lab's state; `hosts/NAME/boot.log` in it is a host's console."""
        return self._paths.folder

    @property
    def subnet(self) -> IPv4Network:
        """The segment. .1 to .8 hosts, .100 to .127 for tests to give to containers, .254 this machine."""
        return self._spec.subnet

    @property
    def controller_address(self) -> IPv4Address:
        """This machine's address on the segment."""
        return self._spec.controller_address

    @property
    def hosts(self) -> tuple[LabHost, ...]:
        """All hosts, as they are now."""
        return tuple(
            LabHost(name, str(self._spec.address(name)), self._backend.pid(self._paths, name))
            for name in self._spec.host_names
        )

    @property
    def inventory_path(self) -> Path:
        """`Host` documents for `reconcile plan`."""
        return self._paths.inventory

    @property
    def ssh_config_path(self) -> Path:
        """For `ssh -F`."""
        return self._paths.ssh_config

    @property
    def image_archive(self) -> Path:
        """The demo image as a docker-archive."""
        return cache.image_archive(Path(self._spec.images))

    @property
    def versions(self) -> dict[str, str]:
        """Debian package versions on the hosts."""
        return cache.installed_versions(Path(self._spec.rootfs))

    def exec_argv(self, host: str, argv: Sequence[str], terminal: bool = False) -> list[str]:
        """The command of this machine that runs `argv` on a host, as root, whatever became of its SSH server."""
        return self._backend.argv(self._paths, self._known(host), argv, terminal)

    def exec(
        self,
        host: str,
        argv: Sequence[str],
        input: str | None = None,
        check: bool = True,
        timeout_seconds: float | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a host and wait; CommandFailed when it fails and `check` is set."""
        done = subprocess.run(
            self.exec_argv(host, argv),
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_seconds,
            check=False,
        )
        if check and done.returncode != 0:
            raise CommandFailed(
                f"`{' '.join(argv)}` failed with status {done.returncode}",
                argv=argv,
                exit_code=done.returncode,
                stderr=done.stderr,
                where=host,
                why=tail(done.stderr),
            )
        return done

    def start_sshd(self, host: str) -> None:
        """Start the SSH server that `kill_sshd` ended. One that listens stays."""
        listening = self.exec(host, ["ss", "-Hltn", "sport = :22"]).stdout.strip()
        if not listening:
            self.exec(host, self._backend.sshd_start)

    def kill_sshd(self, host: str) -> None:
        """Kill the SSH server and all its sessions; commands they started go on. It stays dead."""
        script = f"for name in {SSHD_PROCESSES}; do pkill -KILL -x $name; done; true"
        self.exec(host, ["sh", "-c", script])

    def set_link(self, host: str, up: bool) -> None:
        """Pull a host's network cable, or plug it in again."""
        self._backend.set_link(self._paths, self._known(host), up)

    def kill_host(self, host: str) -> None:
        """Cut a host's power. `boot` or `Lab.up` starts it again from its disk."""
        self._backend.stop(self._paths, self._known(host))

    def boot(self, host: str) -> None:
        """Start a host that is down; one that runs stays."""
        with locked(self._paths.lock):
            if self._backend.pid(self._paths, self._known(host)) is None:
                self._backend.start(self._paths, self._spec, [host])

    def reboot(self, host: str) -> None:
        """Cut the power and boot again: the disk is kept, /run, /tmp and all processes are gone."""
        self.kill_host(host)
        self.boot(host)

    def down(self) -> None:
        """Remove the lab."""
        remove(self.name)

    def _known(self, host: str) -> str:
        if host not in self._spec.host_names:
            raise LabError(
                f"the lab {self.name} has no host {host!r}", fix=f"hosts: {', '.join(self._spec.host_names)}"
            )
        return host


def remove(name: str = "default") -> bool:
    """Take a lab down, whatever is left of it. False: there was nothing."""
    paths = LabPaths.of(name)
    spec = paths.load_or_none()
    maker = named(spec.backend if spec else DEFAULT_BACKEND)
    maker.check()
    with locked(paths.lock):
        existed = paths.folder.exists()
        _sweep(paths, maker)
        paths.lock.unlink(missing_ok=True)
    return existed


def unusable(backend: str = DEFAULT_BACKEND) -> str:
    """Why this machine cannot build and run a lab of this kind; empty: it can, as far as can be seen."""
    try:
        named(backend).check()
        require_packages(backend, build=True)
    except LabError as error:
        return ": ".join(part for part in (error.what, error.why) if part)
    return ""


def _sweep(paths: LabPaths, maker: Backend) -> None:
    maker.remove(paths)
    if paths.folder.exists():
        shutil.rmtree(paths.folder)


def _octets_of_others(name: str) -> set[int]:
    specs = (LabPaths.of(other).load_or_none() for other in lab_names() if other != name)
    return {spec.octet for spec in specs if spec is not None}
