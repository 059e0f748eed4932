"""What doctor found, as people read it and as JSON."""

from __future__ import annotations

from reconciler.cli.views.layout import labelled
from reconciler.cli.views.style import paint
from reconciler.cli.views.verdicts import verdict_table
from reconciler.commands.doctor import Examination, Examined, Health
from reconciler.model.plan import Finding
from reconciler.model.units import format_bytes
from reconciler.model.world import HostFacts

_STYLE = {Health.READY: "green", Health.WARNINGS: "yellow", Health.UNUSABLE: "red"}
_WORDS = {Health.READY: "ready", Health.WARNINGS: "ready, with warnings", Health.UNUSABLE: "cannot be used"}


def render_examination(found: Examination, color: bool, *, security: bool) -> str:
    """One line for each host that is well; details above the line of one that is not."""
    width = max((len(host.name) for host in found.hosts), default=0)
    lines: list[str] = []
    for host in found.hosts:
        lines += _host(host, width, color, security)
    for runtime in found.unusable:
        lines += [
            "",
            f"{paint('yellow', '!', color)} the runtime {runtime.name} of {runtime.package}: {runtime.problem}",
        ]
    if found.moves:
        lines += ["", *verdict_table(found.moves, color)]
    bad = sum(host.health is Health.UNUSABLE for host in found.hosts)
    if bad and len(found.hosts) > 1:
        lines += ["", paint("red", f"{bad} of {len(found.hosts)} hosts cannot be used.", color)]
    return "\n".join(lines)


def _host(host: Examined, width: int, color: bool, security: bool) -> list[str]:
    shown = [*host.problems, *(host.floors if security else ())]
    lines = [line for finding in shown for line in _finding(finding, color)]
    verdict = paint(_STYLE[host.health], _WORDS[host.health], color)
    return [*lines, f"{host.name:<{width}}  {verdict}{_facts(host, security)}"]


def _finding(finding: Finding, color: bool) -> list[str]:
    mark = paint("red" if finding.severity == "refuse" else "yellow", "!", color)
    return [
        f"  {mark} {labelled(finding.rule, finding.message, indent=0, column=23)}",
        labelled("fix", finding.fix, indent=4, column=23),
    ]


def _facts(host: Examined, security: bool) -> str:
    if not isinstance(host.view, HostFacts):
        return ""
    parts = [
        *(f"{name} {version}".strip() for name, version in host.view.installed),
        f"Linux {host.view.version('kernel')}",
        f"{format_bytes(host.view.memory_free_bytes)} of memory and"
        f" {format_bytes(host.view.least_disk_bytes)} of disk free",
    ]
    if host.floors and not security:
        parts.append(f"{len(host.floors)} security notes (--security)")
    return " · " + ", ".join(parts)
