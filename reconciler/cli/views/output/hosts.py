"""`doctor --json`, `runtimes --json` and `hosts add --json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from reconciler.cli.views.output.base import Document, Finding, Part, of_rule, rounded
from reconciler.commands.doctor import Examination, Examined, Health
from reconciler.core.rules import Answer, MoveVerdict
from reconciler.model.world import HostFacts, HostView, World
from reconciler.runtimes.registry import FoundRuntime


class Program(Part):
    """A program or runtime on a host."""

    name: str
    version: str = Field(description="Empty where it does not say")


class ExaminedHost(Part):
    """One host, as it is."""

    name: str
    health: Health
    programs: tuple[Program, ...]
    kernel: str | None
    features: tuple[str, ...] = Field(description="What its CRIU can do, as `criu check` names it")
    memory_free_bytes: int | None
    disk_free_bytes: int | None
    clock_offset_s: float | None
    findings: tuple[Finding, ...] = Field(description="What to mend, and releases with known holes")


class PossibleMove(Part):
    """Whether a running workload could go to a host."""

    workload: str
    destination: str
    verdict: Answer
    findings: tuple[Finding, ...]


class RuntimeRow(Part):
    """A runtime that specs may name."""

    name: str
    package: str
    takes: str | None = Field(description="The section of specs that it takes; null when it is not known")
    abilities: tuple[str, ...]
    problem: str | None = Field(description="Why it cannot be used; else null")


class DoctorDocument(Document):
    """`reconcile doctor --json`"""

    command: Literal["doctor"] = "doctor"
    usable: bool = Field(description="Whether all of them can be used")
    hosts: tuple[ExaminedHost, ...]
    moves: tuple[PossibleMove, ...] = Field(description="With `--moves`")
    unusable_runtimes: tuple[RuntimeRow, ...]


class SudoersDocument(Document):
    """`reconcile doctor --sudoers --json`"""

    command: Literal["doctor"] = "doctor"
    sudoers: str = Field(description="The text of the file")


class HostRuntimes(Part):
    """What is installed on a host."""

    host: str
    seen: bool
    runtimes: tuple[Program, ...]


class RuntimesDocument(Document):
    """`reconcile runtimes --json`"""

    command: Literal["runtimes"] = "runtimes"
    runtimes: tuple[RuntimeRow, ...]
    hosts: tuple[HostRuntimes, ...] = Field(description="Those that were asked")


class HostsAddDocument(Document):
    """`reconcile hosts add --json`"""

    command: Literal["hosts add"] = "hosts add"
    host: str
    address: str
    port: int
    fingerprint: str
    file: str = Field(description="The spec file that has its key now")


def doctor_document(found: Examination) -> DoctorDocument:
    return DoctorDocument(
        exit_code=found.exit_code,
        usable=found.exit_code == 0,
        hosts=tuple(_host(host) for host in found.hosts),
        moves=tuple(_verdict(verdict) for verdict in found.moves),
        unusable_runtimes=tuple(_runtime(one) for one in found.unusable),
    )


def _host(host: Examined) -> ExaminedHost:
    view = host.view
    facts = view if isinstance(view, HostFacts) else None
    return ExaminedHost(
        name=host.name,
        health=host.health,
        programs=_programs(facts) if facts else (),
        kernel=facts.version("kernel") if facts else None,
        features=facts.features if facts else (),
        memory_free_bytes=facts.memory_free_bytes if facts else None,
        disk_free_bytes=facts.least_disk_bytes if facts else None,
        clock_offset_s=rounded(facts.clock_offset_s) if facts else None,
        findings=tuple(of_rule(finding) for finding in (*host.problems, *host.floors)),
    )


def _programs(facts: HostFacts) -> tuple[Program, ...]:
    return tuple(Program(name=name, version=version) for name, version in facts.installed)


def _verdict(verdict: MoveVerdict) -> PossibleMove:
    return PossibleMove(
        workload=verdict.workload,
        destination=verdict.destination,
        verdict=verdict.answer,
        findings=tuple(of_rule(finding) for finding in verdict.findings),
    )


def _runtime(one: FoundRuntime) -> RuntimeRow:
    return RuntimeRow(
        name=one.name,
        package=one.package,
        takes=one.takes.section if one.takes else None,
        abilities=one.abilities,
        problem=one.problem or None,
    )


def runtimes_document(found: Sequence[FoundRuntime], world: World | None, exit_code: int) -> RuntimesDocument:
    hosts = world.hosts.items() if world else ()
    return RuntimesDocument(
        exit_code=exit_code,
        runtimes=tuple(_runtime(one) for one in found),
        hosts=tuple(_installed(name, view) for name, view in hosts),
    )


def _installed(name: str, view: HostView) -> HostRuntimes:
    seen = isinstance(view, HostFacts)
    have = view.runtimes.items() if isinstance(view, HostFacts) else ()
    return HostRuntimes(host=name, seen=seen, runtimes=tuple(Program(name=n, version=v) for n, v in have))
