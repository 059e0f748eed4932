"""Confinement that must be the same on both sides, and releases with known holes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from reconciler.core.rules.base import Case, Rule, Said, page, register, rule, together
from reconciler.core.rules.floors import FLOORS, Floor
from reconciler.core.versions import version_tuple
from reconciler.model.spec import FloorPolicy
from reconciler.model.world import HostFacts


@rule("security.module")
def module(case: Case) -> Iterator[Said]:
    """The workload is confined by AppArmor or SELinux and the destination does not have that module: a
    restore would either fail (\"mismatched lsm types\") or leave it unconfined. The other way round is a
    warning."""
    if not (case.held and case.source and case.source.preflight and case.ahead):
        return
    here, there = set(case.source.preflight.confinement), set(case.ahead.confinement)
    if case.held.confined_by and here - there:
        lacking = together(sorted(here - there))
        yield Said(
            f"the workload is confined by {case.held.confined_by}, and {case.where} has no {lacking}",
            f"enable {lacking} on {case.where}, or choose a host that has it",
        )
    elif there - here:
        yield Said(
            f"{case.where} confines containers with {together(sorted(there - here))}; {case.origin} does not",
            f"the workload stays unconfined until it is made anew on {case.where}",
            warn=True,
        )


@rule("security.seccomp")
def seccomp(case: Case) -> Iterator[Said]:
    """The workload runs under a seccomp filter and the destination's kernel has none to restore it with."""
    if case.held and case.held.seccomp and case.ahead and not case.ahead.seccomp:
        yield Said(
            f"the workload runs under a seccomp filter, which the kernel of {case.where} does not know",
            "choose a host whose kernel has CONFIG_SECCOMP_FILTER",
        )


@rule("security.capabilities")
def capabilities(case: Case) -> Iterator[Said]:
    """The workload holds capabilities that even root does not have on the destination (a host inside a container,
    or one with a reduced bounding set): the restore fails at the end, when they are set."""
    if not (case.held and case.ahead and case.ahead.capabilities):
        return
    lacking = sorted(set(case.held.capabilities) - set(case.ahead.capabilities))
    if lacking:
        yield Said(
            f"the workload holds {together(lacking)}, which nobody has on {case.where}",
            "drop them in the spec (capDrop), or choose a host that has them",
        )


def floors(host: HostFacts) -> Iterator[Said]:
    """A program on the host is older than the release that closed a known hole. Distributions mend holes
    without changing the number that `--version` shows: look at the package's changelog before you worry.
    `reconcile doctor` always knows; the policy's `securityFloor` says whether a plan ignores it, warns or
    refuses."""
    sudo = [("sudo", host.preflight.sudo)] if host.preflight and host.preflight.sudo else []
    for item in FLOORS:
        for have in (its for name, its in (*host.installed, *sudo) if name == item.program and below(its, item)):
            yield Said(
                f"{item.program} {have} is older than {item.closed_in} ({item.advisory}: {item.what})",
                f"upgrade {item.program} on {host.name}",
                host=host.name,
            )


def _floors_of_move(case: Case) -> Iterator[Said]:
    if not case.moves or case.policy.security_floor is FloorPolicy.IGNORE:
        return
    for host in (case.source, case.destination):
        for said in floors(host) if host else ():
            yield replace(said, warn=case.policy.security_floor is FloorPolicy.WARN)


register(Rule("security.floor", page(floors.__doc__), _floors_of_move, warns=True, host_check=floors))


def below(have: str, floor: Floor) -> bool:
    """Whether a release has the hole: older than its own series' first good release, or than all series."""
    version = _numbers(have)
    if version < _numbers(floor.since):
        return False
    for good in map(_numbers, floor.fixed):
        if version[: floor.series] == good[: floor.series]:
            return version < good
    return version < max(map(_numbers, floor.fixed))


def _numbers(text: str) -> tuple[int, ...]:
    """`1.9.17p1` counts as 1.9.17.1."""
    return version_tuple(text.replace("p", "."))
