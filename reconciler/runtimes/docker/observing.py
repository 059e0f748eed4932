"""What Docker has on a host: its lists and containers, then measurements of those that run."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core import answers
from reconciler.errors import HostError
from reconciler.guard.guard import ROOT
from reconciler.model.command import Command, Program, Seconds
from reconciler.model.labels import LABEL_WORKLOAD
from reconciler.model.world import HostFacts, InstanceState, RuntimeFacts
from reconciler.runtimes.docker import parse, places
from reconciler.runtimes.oci.measuring import by_id, measured

LISTS_LIMIT: Seconds = 120.0
_UNWANTED = f"where nothing of Reconciler's is in it any more: rmdir {ROOT}/docker"


def observe(host: HostFacts) -> Program[RuntimeFacts]:
    listed = yield Command(places.shell("observe"), timeout=LISTS_LIMIT, secret=True)
    parts = answers.whole(listed.stdout, "what Docker has there")
    if "gone" in parts:
        return _gone(host.name, parts)
    if "silent" in parts:
        raise HostError(
            "Docker does not answer",
            code="H215",
            where=host.name,
            why=answers.shown(parts["silent"].strip(), "what Docker says"),
            fix=f"start it there: systemctl start docker; its socket must be at /var/run/docker.sock; {_UNWANTED}",
        )
    version = parse.engine_version(parts.get("server", ""))
    if not version:  # another engine that answers by that name
        return RuntimeFacts()
    info = answers.mapping(answers.parsed(parts.get("info") or "null", "docker info"), "docker info")
    driver = answers.word(info.get("CgroupDriver"), "who makes control groups for Docker")
    found = parse.containers(parts.get("containers", ""), driver)
    found = tuple(
        facts.model_copy(update={"state": InstanceState.HELD})
        if facts.state.has_processes and facts.labels.get(LABEL_WORKLOAD) in host.holds
        else facts
        for facts in sorted(found, key=lambda facts: (facts.name, facts.id))
    )
    return RuntimeFacts(
        version=version,
        versions={"runc": parse.component(parts.get("server", ""), "runc")},
        settings=parse.settings(info),
        disk_free_bytes=answers.number(parts.get("disk", "").strip(), "the free disk of Docker"),
        instances=(yield from measured(found, by_id(), LISTS_LIMIT)),
        images=parse.images(parts.get("images", "")),
        networks=parse.networks(parts.get("networks", "")),
        volumes=parse.volumes(parts.get("volumes", "")),
    )


def _gone(host: str, parts: Mapping[str, str]) -> RuntimeFacts:
    """A host without Docker has none of its containers, unless it had it before: nobody can be asked."""
    if not parts.get("gone", "").strip():
        return RuntimeFacts()
    raise HostError(
        "Docker is not there, but was",
        code="H210",
        where=host,
        why="its folder has containers",
        fix=f"install it again, or move its folder away: mv /var/lib/docker /root/; {_UNWANTED}",
    )
