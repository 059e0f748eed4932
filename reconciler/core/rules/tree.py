"""Trees of processes that run without a container engine, on their hosts' own files."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.carrying import cannot_be, unlike
from reconciler.core.rules.base import Case, Said, rule, together
from reconciler.model.spec import TcpHandling
from reconciler.model.world import TreeFacts

BOOTS_NOTHING = "boots-nothing"
"""What a host says of itself on which nothing could start a tree at boot."""


@rule("tree.files")
def files(case: Case) -> Iterator[Said]:
    """The executables and libraries that it has mapped must be the same on both hosts, byte by byte: its memory
    refers to places in them, and CRIU compares no more than their sizes. With `files: carry` they go along."""
    if not case.moves or not isinstance(case.instance, TreeFacts) or not case.source or not case.ahead:
        return
    assert case.destination
    missing, other = unlike(case.instance, case.source, case.destination)
    process = case.workload.spec.process if case.workload else None
    if process and process.files == "carry":
        missing, other = cannot_be(missing), cannot_be(other)
    if missing:
        yield Said(
            f"not on {case.where}, and mapped by it: {together(missing)}", f"install the same on {case.where}"
        )
    if other:
        fix = f"bring both hosts to the same release, e.g. install on {case.where} what {case.origin} has"
        yield Said(f"another one on {case.where}: {together(other)}", fix)


@rule("tree.mounts")
def mounts(case: Case) -> Iterator[Said]:
    """What it mounts must be on its new host; only volumes move along."""
    wanted = case.workload.spec.process if case.workload else None
    if wanted is None or case.ahead is None:
        return
    for mount in wanted.mounts:
        if case.ahead.paths.get(mount.source, "?") == "":
            yield Said(f"{mount.source} is not on {case.where}", f"make it there: mkdir -p {mount.source}")


@rule("tree.boot")
def boot(case: Case) -> Iterator[Said]:
    """Its new host is to start it at boot, and has neither systemd nor cron, which would do that."""
    wanted = case.workload.spec.process if case.workload else None
    known = case.destination.settings.get("process", ()) if case.arrives and case.destination else ()
    if wanted and wanted.start_at_boot and BOOTS_NOTHING in known:
        yield Said(
            f"{case.where} has neither systemd nor cron, so nothing could start it at boot",
            f"install cron on {case.where}, or leave `startAtBoot` out",
        )


@rule("tree.host-network")
def host_network(case: Case) -> Iterator[Said]:
    """Who shares the host's network has the host's address, and connections to that cannot move."""
    wanted = case.workload.spec.process if case.workload else None
    if case.moves and wanted and wanted.host_network and case.policy.tcp is TcpHandling.ESTABLISHED:
        yield Said(
            f"it shares the network of {case.origin}, so its connections cannot move along",
            "give it `networks`, or a migration policy with tcp: close",
        )
