"""Types of single fields: what is allowed in them, and the one spelling each value is kept in.

What means the same is kept the same, so that a respelling is never a change: addresses as Python writes them, MACs
in small letters, paths without detours, capabilities without `CAP_`. Sizes and durations: `reconciler.model.base`.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, Strict, WithJsonSchema

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
HOST_NAME = r"^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?$"
SYSCTL = r"^[a-z0-9_]+([./][A-Za-z0-9_-]+)+$"
FILE_MODE = r"^0?[0-7]{3,4}$"
GROUP = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"
PROFILE = r"^[A-Za-z0-9_/][A-Za-z0-9_./-]*$"
CDI = r"^[a-z0-9.-]+/[A-Za-z0-9_.-]+=[A-Za-z0-9_.:-]+$"
PLATFORM = r"^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9.]+)?$"
RESOLVER = r"^[a-z0-9-]+(:[0-9]+)?$"
CONTAINER_LABEL = r"^[^\s=\x00-\x1f\x7f]+$"

TRANSPORTS = (
    *("atomic", "containers-storage", "dir", "docker", "docker-archive", "docker-daemon"),
    *("oci", "oci-archive", "ostree", "sif", "tarball"),
)
"""Words before a `:` that make an engine read an image from somewhere else than a registry or its own storage."""
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
"""How keys begin by which engines, OCI runtimes and hooks let an annotation decide privileges or files."""
KERNELS = ("/proc", "/sys")
OUR_LABELS = ("io.reconciler.", "io.podman.", "io.containers.", "io.buildah.", "PODMAN_SYSTEMD_UNIT")
"""How labels begin that decide who keeps a container: ours, and those that auto-update and units read."""
NAMESPACED = (
    "net.",
    "fs.mqueue.",
    "kernel.domainname",
    "kernel.hostname",
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shm",
)
"""How sysctls begin that a container has of its own; all others are the host's."""


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


def _container_label(text: str) -> str:
    for start in OUR_LABELS:
        if text.startswith(start):
            raise ValueError(f"is refused: what begins with `{start}` decides who keeps a container")
    return text


def _sysctl(text: str) -> str:
    """With dots, as `sysctl` prints them; a slash in its place may be a dot of an interface's name."""
    name = text if "." in text.partition("/")[0] else text.replace(".", "\0").replace("/", ".").replace("\0", "/")
    if not name.startswith(NAMESPACED):
        raise ValueError("is the whole host's, not the container's; set it on the hosts")
    if name in ("kernel.hostname", "kernel.domainname"):
        raise ValueError("is given otherwise: `hostname`")
    return name


def _one_value(value: object) -> object:
    """Numbers as text, and one space between words."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return " ".join(value.split()) if isinstance(value, str) else value


def _mode(text: str) -> str:
    return f"{int(text, 8):04o}"


def _small(text: str) -> str:
    return text.lower()


def _signal(value: object) -> object:
    """`SIGTERM`, whether a number or without `SIG`."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str):
        return value
    if text.isascii() and text.isdigit():
        number = int(text)
        if number in _SIGNALS.values():
            return next(name for name, one in _SIGNALS.items() if one == number)
        if _SIGRTMIN < number <= _SIGRTMAX:
            return f"SIGRTMIN+{number - _SIGRTMIN}"
    name = f"SIG{text.upper().removeprefix('SIG')}"
    if name in _SIGNALS or re.fullmatch(r"SIGRTM(IN\+|AX-)[0-9]{1,2}", name):
        return name
    raise ValueError(f"must be a signal, such as SIGTERM, SIGINT or SIGRTMIN+3, not `{text}`")


_SIGRTMIN, _SIGRTMAX = 34, 64
_SIGNALS = {
    name: number
    for number, name in enumerate(
        (
            *("SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL"),
            *("SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD"),
            *("SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ"),
            *("SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS"),
        ),
        1,
    )
}
"""Linux's numbers; this table and not Python's, for the controller may be another system."""


def _ports(value: object) -> object:
    """A port, or a range of them; a range of one is a port."""
    if isinstance(value, int) and not isinstance(value, bool):
        ends = (value, value)
    elif isinstance(value, str) and (match := re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", value.strip())):
        ends = (int(match[1]), int(match[2]))
    else:
        ends = (0, 0)
    first, last = ends
    if not 1 <= first <= last <= 65535:
        raise ValueError("must be a port between 1 and 65535, or a range such as `8000-8010`")
    return first if first == last else f"{first}-{last}"


def _seccomp(text: str) -> str:
    if text == "unconfined":
        return text
    if not re.match(ABSOLUTE_PATH, text):
        raise ValueError("must be `unconfined`, or the absolute path of a profile on the hosts")
    return _path(text)


def _to_host(text: str) -> str:
    return text if text == "host-gateway" else _ip(text)


LabelKey = Annotated[str, Field(pattern=LABEL_KEY)]
AnnotationKey = Annotated[str, Field(pattern=LABEL_KEY), AfterValidator(_annotation)]
Labels = dict[LabelKey, str]
OneLine = Annotated[str, Field(pattern=ONE_LINE, min_length=1, max_length=200)]
EnvName = Annotated[str, Field(pattern=ENV_NAME)]
Image = Annotated[str, Field(pattern=IMAGE, max_length=512), AfterValidator(_image)]
Path = Annotated[str, Field(pattern=ABSOLUTE_PATH, max_length=4096), AfterValidator(_path)]
Target = Annotated[str, Field(pattern=ABSOLUTE_PATH, max_length=4096), AfterValidator(_target)]
Port = Annotated[int, Strict(), Field(ge=1, le=65535)]
Ports = Annotated[
    int | str,
    BeforeValidator(_ports),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 65535},
                {"type": "string", "pattern": "^[0-9]{1,5}-[0-9]{1,5}$"},
            ]
        }
    ),
]
FileMode = Annotated[str, Field(pattern=FILE_MODE), AfterValidator(_mode)]
HostName = Annotated[str, Field(pattern=HOST_NAME), AfterValidator(_small)]
ToHost = Annotated[str, AfterValidator(_to_host)]
"""An address, or `host-gateway`: the host that the container runs on."""
SysctlName = Annotated[str, Field(pattern=SYSCTL), AfterValidator(_sysctl)]
SysctlValue = Annotated[str, BeforeValidator(_one_value), Field(min_length=1, pattern=r"^[ -~]+$")]
Signal = Annotated[str, BeforeValidator(_signal)]
Group = Annotated[str, BeforeValidator(_one_value), Field(pattern=GROUP)]
Seccomp = Annotated[str, AfterValidator(_seccomp)]
Platform = Annotated[str, Field(pattern=PLATFORM)]
Resolver = Annotated[str, Field(pattern=RESOLVER)]
ContainerLabel = Annotated[str, Field(pattern=CONTAINER_LABEL, max_length=256), AfterValidator(_container_label)]
Flag = Annotated[bool, Strict()]
"""Only `true` and `false`: text such as `no` or `on` is not a flag in YAML 1.2."""
IPAddress = Annotated[str, AfterValidator(_ip)]
StaticAddress = Annotated[str, AfterValidator(_static_ip)]
Subnet = Annotated[str, AfterValidator(_subnet)]
Mac = Annotated[str, Field(pattern=MAC), AfterValidator(_mac)]
Capability = Annotated[str, Field(pattern=CAPABILITY), AfterValidator(_capability)]
HostAddress = Annotated[str, Field(pattern=ADDRESS, max_length=253), AfterValidator(_host_address)]
