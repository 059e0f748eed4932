"""What a lab is made of, as a value, and where its files are. No effects but reading and writing `lab.json`."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from pydantic import ValidationError

from reconciler.errors import LabError
from reconciler.lab.tools import write_private
from reconciler.model.base import Model
from reconciler.resources import state_folder, user_folder

POOL = IPv4Network("10.77.0.0/16")
"""Each lab takes one /24 out of this."""
CONTROLLER_INDEX = 254
MAX_HOSTS = 8
"""Each host hands out 16 addresses of its own from .128 on, so that two hosts never hand out the same one."""
DEFAULT_MEMORY_MIB = 2048
MIN_MEMORY_MIB = 512
NETWORK = "lab"
"""Name of the Podman network on each host whose containers are on the lab's segment."""
DEMO_IMAGE = "localhost/reconciler-demo:1"

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_RATE = re.compile(r"[1-9][0-9]*(kbit|mbit|gbit)")


class LabSpec(Model):
    """One lab: everything that is decided once, when it is made or changed by `up`."""

    name: str
    backend: str = "namespace"
    octet: int
    """Third octet of its addresses."""
    hosts: int
    rate: str | None = None
    """Limit of each host's link, in both directions, as `tc` writes it; None: none."""
    memory_mib: int = DEFAULT_MEMORY_MIB
    """Of each virtual machine; namespace hosts share this machine's."""
    rootfs: str
    images: str

    @property
    def subnet(self) -> IPv4Network:
        """The segment all hosts and containers are on."""
        return subnet(self.octet)

    @property
    def controller_address(self) -> IPv4Address:
        """This machine's own address on the segment."""
        return self.subnet[CONTROLLER_INDEX]

    @property
    def host_names(self) -> tuple[str, ...]:
        """h1, h2, ..."""
        return tuple(f"h{index}" for index in range(1, self.hosts + 1))

    def address(self, host: str) -> IPv4Address:
        """Address of a host."""
        return self.subnet[host_index(host)]

    def mac(self, host: str) -> str:
        """Hardware address of a host; the same after a reboot."""
        return f"02:4c:00:{self.octet:02x}:00:{host_index(host):02x}"

    def container_range(self, host: str) -> IPv4Network:
        """Where a host takes automatic container addresses from."""
        return IPv4Network((int(self.subnet[128 + 16 * (host_index(host) - 1)]), 28))


@dataclass(frozen=True)
class LabPaths:
    """Where a lab keeps its files; `identity` names all it makes in the kernel."""

    name: str
    folder: Path

    @classmethod
    def of(cls, name: str) -> LabPaths:
        """Paths of the lab with this name, whether it exists or not."""
        if not _NAME.fullmatch(name):
            raise LabError(f"{name!r} cannot name a lab", fix="use up to 32 lower-case letters, digits and dashes")
        return cls(name, labs_folder() / name)

    @property
    def identity(self) -> str:
        """Short and unique on this machine, also among users: at most 15 characters fit an interface name."""
        return "rl-" + hashlib.sha256(str(self.folder).encode()).hexdigest()[:6]

    @property
    def lock(self) -> Path:
        """Held while the lab is made or taken down. Outside the folder, which `down` removes."""
        return self.folder.parent / f".{self.name}.lock"

    @property
    def spec(self) -> Path:
        return self.folder / "lab.json"

    @property
    def key(self) -> Path:
        return self.folder / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def ssh_config(self) -> Path:
        return self.folder / "ssh_config"

    @property
    def inventory(self) -> Path:
        return self.folder / "inventory.yaml"

    def host(self, name: str) -> Path:
        """Folder of one host: its disk, its keys, its boot log."""
        return self.folder / "hosts" / name

    def load(self) -> LabSpec | None:
        """The lab's spec; None when there is no such lab, or only leftovers of one."""
        try:
            return LabSpec.model_validate_json(self.spec.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise LabError(
                f"the lab {self.name} was made by another version of reconciler",
                where=str(self.spec),
                fix=f"reconcile lab down --name {self.name}",
            ) from error

    def load_or_none(self) -> LabSpec | None:
        """Like `load`, for whoever only wants to clean up: an unreadable spec counts as none."""
        try:
            return self.load()
        except LabError:
            return None

    def save(self, spec: LabSpec) -> None:
        """Write the spec."""
        write_private(self.spec, spec.model_dump_json(by_alias=True, indent=2) + "\n")


def labs_folder() -> Path:
    """Where all labs of this user are."""
    return state_folder().absolute() / "labs"


def cache_folder() -> Path:
    """Where built root filesystems and images are kept."""
    return user_folder("XDG_CACHE_HOME", ".cache").absolute()


def lab_names() -> tuple[str, ...]:
    """All labs of this user, up or not."""
    folder = labs_folder()
    if not folder.is_dir():
        return ()
    return tuple(sorted(p.name for p in folder.iterdir() if p.is_dir() and _NAME.fullmatch(p.name)))


def subnet(octet: int) -> IPv4Network:
    """The /24 with this third octet."""
    return IPv4Network((int(POOL.network_address) + (octet << 8), 24))


def host_index(host: str) -> int:
    """1 for `h1`."""
    match = re.fullmatch(r"h([1-9])", host)
    if not match or int(match[1]) > MAX_HOSTS:
        raise LabError(f"there is no host {host!r} in a lab", fix=f"hosts are h1 to h{MAX_HOSTS}")
    return int(match[1])


def check_rate(rate: str | None) -> str | None:
    """The rate as given; LabError when `tc` would not take it."""
    if rate is not None and not _RATE.fullmatch(rate):
        raise LabError(f"{rate!r} is no rate", fix="write it like 1gbit, 500mbit or 64kbit")
    return rate


def check_host_count(hosts: int) -> int:
    """The number as given; LabError when a lab cannot have as many."""
    if not 1 <= hosts <= MAX_HOSTS:
        raise LabError(f"a lab has 1 to {MAX_HOSTS} hosts, not {hosts}")
    return hosts


def check_memory(mib: int) -> int:
    """The size as given; LabError when a virtual machine could not boot in it."""
    if mib < MIN_MEMORY_MIB:
        raise LabError(f"a virtual machine needs at least {MIN_MEMORY_MIB} MiB of memory, not {mib}")
    return mib
