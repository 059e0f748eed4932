"""Pods of containerd, asked through CRI."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.rules.base import Case, Said, rule
from reconciler.model.labels import ANNOTATION_CRIU
from reconciler.model.world import HostFacts
from reconciler.runtimes.cri.looking import NAME as ENGINE


def _arrival(case: Case) -> Iterator[tuple[HostFacts, tuple[str, ...]]]:
    """The host that a pod is to be made on, and how containerd is set up there."""
    host = case.destination
    if case.arrives and host and case.workload and case.workload.spec.runtime == ENGINE:
        if (known := host.settings.get(ENGINE)) is not None:
            yield host, known


def _owned(host: HostFacts) -> Iterator[Said]:
    if "kubelet" in host.settings.get(ENGINE, ()):
        yield Said(
            f"a kubelet owns the pods of {host.name}, and ends those that it does not know",
            "use the runtime cri on hosts without a kubelet; machines of KubeVirt move by the runtime kubevirt",
            warn=True,
        )


@rule("cri.kubelet", alone=_owned)
def kubelet(case: Case) -> Iterator[Said]:
    """A kubelet ends pods that its cluster does not know, and counts what they use for its own. So nothing is made
    beside one, and nothing leaves from there, whether it runs at the moment or is only set up
    (/var/lib/kubelet/config.yaml)."""
    hosts = [host for host, _ in _arrival(case)]
    if case.moves and case.source and case.workload and case.workload.spec.runtime == ENGINE:
        hosts.append(case.source)
    for host in hosts:
        yield from (Said(said.message, said.fix, host=host.name) for said in _owned(host))


@rule("cri.not-ready")
def not_ready(case: Case) -> Iterator[Said]:
    """containerd says of itself whether it can run pods, and whether CNI gives them a network."""
    for host, known in _arrival(case):
        if "not-ready" in known:
            yield Said(f"containerd of {host.name} is not ready", "journalctl -u containerd", host=host.name)
        if "no-network" in known:
            fix = "put a configuration of CNI into /etc/cni/net.d there, and its plugins where containerd looks"
            yield Said(f"pods of {host.name} would have no network", fix, host=host.name)


def _not_handed_on(host: HostFacts) -> Iterator[Said]:
    known = host.settings.get(ENGINE)
    if known is not None and "criu-annotation" not in known:
        yield Said(
            f"containerd of {host.name} does not hand on {ANNOTATION_CRIU}: pods there cannot be saved or moved",
            f'container_annotations = ["{ANNOTATION_CRIU}"] in the table of its runtime runc in config.toml, then '
            "restart containerd",
        )


@rule("cri.annotation", warns=True, alone=_not_handed_on)
def not_handed_on(case: Case) -> Iterator[Said]:
    """A pod is saved and moved by CRIU under a configuration of its own, which an annotation of its container
    names. containerd hands on only annotations that its configuration lists; without that, pods run, and can be
    neither saved nor moved (`cri.not-told`)."""
    for host, _ in _arrival(case):
        yield from () if case.moves else _not_handed_on(host)
