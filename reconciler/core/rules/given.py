"""What a spec asks of the host its container is made on: profiles, devices, images, names."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.images import image_id
from reconciler.core.rules.base import Case, Said, rule, together

MACHINES = {
    "amd64": ("x86_64",),
    "386": ("i686", "i386", "x86_64"),
    "arm64": ("aarch64",),
    "arm": ("armv6l", "armv7l", "armv8l"),
    "ppc64le": ("ppc64le",),
    "riscv64": ("riscv64",),
    "s390x": ("s390x",),
}
"""By the architecture of an image's platform: how the kernel calls machines that run it by themselves."""


@rule("security.profile")
def profile(case: Case) -> Iterator[Said]:
    """The spec names a seccomp or AppArmor profile that the host does not have. The container could not
    be made there, or would run without."""
    if not (case.ahead and case.wanted):
        return
    security = case.wanted.security_opt
    if security.seccomp and case.ahead.paths.get(security.seccomp) == "":
        yield Said(
            f"the seccomp profile {security.seccomp} is not on {case.where}",
            f"copy it there: scp {security.seccomp} {case.where}:{security.seccomp}",
        )
    name = security.apparmor
    if name in (None, "unconfined"):
        return
    if "apparmor" not in case.ahead.confinement:
        yield Said(
            f"the spec asks for the AppArmor profile {name}, and {case.where} has no AppArmor",
            f"enable AppArmor on {case.where}, or choose a host that has it",
        )
    elif name not in case.ahead.profiles:
        yield Said(
            f"the AppArmor profile {name} is not loaded on {case.where}",
            f"load it there: apparmor_parser -r /etc/apparmor.d/{name}",
        )


@rule("device.missing")
def device_missing(case: Case) -> Iterator[Said]:
    """A device that the spec gives to the container is not on the host it is made on."""
    if not (case.ahead and case.wanted):
        return
    for device in case.wanted.devices:
        if device.path and case.ahead.paths.get(device.path) == "":
            yield Said(
                f"the device {device.path} is not on {case.where}",
                "load the kernel module that makes it there, or choose a host that has it",
            )


@rule("image.platform")
def platform(case: Case) -> Iterator[Said]:
    """The spec asks for an image of another architecture than the host's. It would run emulated, which CRIU cannot
    save, if at all."""
    if not (case.arrives and case.wanted and case.wanted.platform and case.destination and case.destination.arch):
        return
    machines = MACHINES.get(case.wanted.platform.split("/")[1], ())
    if case.destination.arch not in machines:
        yield Said(
            f"the image is for {case.wanted.platform}, and {case.where} is {case.destination.arch}",
            "choose a host of that architecture, or leave `platform` out",
        )


@rule("image.never")
def never(case: Case) -> Iterator[Said]:
    """The spec says `pull: never`, and no host that was seen has the image."""
    if not (case.arrives and case.wanted and case.destination) or case.wanted.pull != "never":
        return
    if not any(image_id(host, case.wanted.image) for host in case.index.seen.values()):
        yield Said(
            f"no host has the image {case.wanted.image}, and the spec says `pull: never`",
            f"load it on {case.where} ({case.engine} load), or set pull: missing",
        )


@rule("container.host-gateway", warns=True)
def host_gateway(case: Case) -> Iterator[Said]:
    """A name in /etc/hosts means the host that the container runs on. After a move that is the destination, and
    what the workload talked to there stays behind."""
    names = [n for n, to in case.wanted.extra_hosts.items() if to == "host-gateway"] if case.wanted else []
    if case.moves and names:
        yield Said(
            f"{together(names)} means {case.where} from then on, no longer {case.origin}",
            "see that what it is used for is on both hosts, or give it an address instead of host-gateway",
        )


@rule("health.timer", warns=True)
def health_timer(case: Case) -> Iterator[Said]:
    """A container's periodic health check is run by a timer of systemd, which its engine makes when it starts it
    and not when it restores it: after a move nobody runs the check until the container is started again."""
    if case.moves and case.wanted and case.wanted.healthcheck and not case.wanted.healthcheck.disabled:
        yield Said(
            f"its periodic health check is not run on {case.where} after the move: its timer is made by a start",
            f"run it there by a timer of your own: {case.engine} healthcheck run {case.change.workload}",
        )
