"""Types of single fields: what is allowed in them, and the one spelling each value is kept in.

What means the same is kept the same, so that a respelling is never a change: addresses as Python writes them, MACs
in small letters, paths without detours, capabilities without `CAP_`. Sizes and durations: `reconciler.model.base`.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, Field, Strict

LABEL_KEY = r"^[A-Za-z0-9]([A-Za-z0-9._/-]{0,126}[A-Za-z0-9])?$"
ENV_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
MAC = r"^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$"
IMAGE = (
    r"^([a-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@[a-z0-9]+:[0-9a-fA-F]+)?$"
)
"""Registry, name, tag and digest; no transport."""
ABSOLUTE_PATH = r"^/[^\x00-\x1f\x7f:,\\]*$"
"""Without `:` and `,`: runtimes take mounts as text in which these would add options."""
ADDRESS = r"^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$"
USER = r"^[a-z_][a-z0-9_-]{0,31}$"
CONTAINER_USER = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?$"
ONE_LINE = r"^[^\x00-\x1f\x7f-]([^\x00-\x1f\x7f]*)$"
PUBLIC_KEY = r"^[a-z0-9@.-]+ [A-Za-z0-9+/=]+( [ -~]*)?$"
CAPABILITY = r"^[A-Za-z_]+$"
INTERFACE = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$"

TRANSPORTS = (
    *("atomic", "containers-storage", "dir", "docker", "docker-archive", "docker-daemon"),
    *("oci", "oci-archive", "ostree", "sif", "tarball"),
)
"""Words before a `:` that make Podman read an image from somewhere else than a registry or its own storage."""
STEERING = (
    "cdi.k8s.io/",  # devices
    "io.container.",
    "io.containers.",  # of OCI hooks: io.containers.trace-syscall writes a file on the host
    "io.katacontainers.",
    "io.kubernetes.",
    "io.podman.",  # io.podman.annotations.*: privileged, seccomp, userns, volumes-from, autoremove
    "io.reconciler.",
    "module.wasm.",  # crun: another handler
    "org.criu.",  # runc, crun: CRIU's configuration, which is ours
    "org.systemd.property.",  # runc, crun: any property of the container's unit
    "run.oci.",  # crun: files of hooks, seccomp profiles, groups, handlers
)
"""How keys begin by which Podman, OCI runtimes and hooks let an annotation decide privileges, files or devices."""
KERNELS = ("/proc", "/sys")


def _one_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        if "%" in text:  # Python takes any text as a zone
            raise ValueError(text)
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError("must be an IPv4 or IPv6 address") from None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        raise ValueError(f"must be written as the IPv4 address it is: {address.ipv4_mapped}")
    if address.is_multicast:
        raise ValueError("must be the address of one host, not of a group (multicast)")
    return address


def _ip(text: str) -> str:
    return str(_one_address(text))


def _static_ip(text: str) -> str:
    """An address that a container can have on a network it shares with others."""
    address = _one_address(text)
    kinds = {
        "no address at all": address.is_unspecified,
        "a loopback address, which nobody else reaches": address.is_loopback,
        "a link-local address, which hosts give themselves": address.is_link_local,
        "of a range that is reserved": address.is_reserved and address.version == 4,
    }
    for kind, found in kinds.items():
        if found:
            raise ValueError(f"must be an address on the network; {address} is {kind}")
    return str(address)


def _subnet(text: str) -> str:
    try:
        if "%" in text:
            raise ValueError(text)
        subnet = ipaddress.ip_network(text)
    except ValueError:
        raise ValueError("must be a subnet, such as 10.20.0.0/24, without host bits") from None
    if not subnet.prefixlen or subnet.is_multicast or subnet.is_loopback or subnet.is_unspecified:
        raise ValueError(f"must be a subnet for hosts, such as 10.20.0.0/24; {subnet} is none")
    return str(subnet)


def _mac(text: str) -> str:
    if int(text[:2], 16) & 1 or not text.strip("0:"):
        raise ValueError("must be the MAC address of one interface: its first byte even, and not all zero")
    return text.lower()


def _path(text: str) -> str:
    """Without empty and `.` parts. Where `..` leads depends on links, so it is refused."""
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ValueError("must not hold `..`")
    return "/" + "/".join(parts)


def _target(text: str) -> str:
    path = _path(text)
    if path in ("/", "/dev") or any(path == top or path.startswith(f"{top}/") for top in KERNELS):
        raise ValueError(f"must be a path of the container's own; nothing can be mounted on {path}")
    return path


def _capability(text: str) -> str:
    return text.upper().removeprefix("CAP_")


def _image(text: str) -> str:
    word = text.partition(":")[0]
    if ":" in text and word in TRANSPORTS:
        raise ValueError(f"must be an image; `{word}:` is a transport (docker.io/library/{word}:TAG is an image)")
    return text


def _host_address(text: str) -> str:
    """A name in small letters, or an address. Names that only look like addresses mean one to some resolvers."""
    last = text.rpartition(".")[2].lower()
    if ":" not in text and not re.fullmatch(r"[0-9]+|0x[0-9a-f]*", last):
        return text.lower()
    address = _one_address(text)
    if address.is_unspecified or address == ipaddress.ip_address("255.255.255.255"):
        raise ValueError(f"must be the address of one host; {address} is not")
    return str(address)


def _annotation(text: str) -> str:
    if text.startswith(STEERING):
        start = next(start for start in STEERING if text.startswith(start))
        raise ValueError(f"is refused: runtimes act on what begins with `{start}`")
    return text


LabelKey = Annotated[str, Field(pattern=LABEL_KEY)]
AnnotationKey = Annotated[str, Field(pattern=LABEL_KEY), AfterValidator(_annotation)]
Labels = dict[LabelKey, str]
EnvName = Annotated[str, Field(pattern=ENV_NAME)]
Image = Annotated[str, Field(pattern=IMAGE, max_length=512), AfterValidator(_image)]
Path = Annotated[str, Field(pattern=ABSOLUTE_PATH, max_length=4096), AfterValidator(_path)]
Target = Annotated[str, Field(pattern=ABSOLUTE_PATH, max_length=4096), AfterValidator(_target)]
Port = Annotated[int, Strict(), Field(ge=1, le=65535)]
Flag = Annotated[bool, Strict()]
"""Only `true` and `false`: text such as `no` or `on` is not a flag in YAML 1.2."""
IPAddress = Annotated[str, AfterValidator(_ip)]
StaticAddress = Annotated[str, AfterValidator(_static_ip)]
Subnet = Annotated[str, AfterValidator(_subnet)]
Mac = Annotated[str, Field(pattern=MAC), AfterValidator(_mac)]
Capability = Annotated[str, Field(pattern=CAPABILITY), AfterValidator(_capability)]
HostAddress = Annotated[str, Field(pattern=ADDRESS, max_length=253), AfterValidator(_host_address)]
