"""Specs and worlds in a few words, for tests of the core."""

from typing import Any

from reconciler.model.base import canonical_json
from reconciler.model.labels import ANNOTATION_CRIU, LABEL_EPOCH, LABEL_RUN, LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.spec import Host, Network, Spec, Workload
from reconciler.model.world import (
    ContainerFacts,
    ContainerMount,
    HostFacts,
    HostUnknown,
    ImageFacts,
    InstanceNetwork,
    InstanceState,
    MachineFacts,
    Marker,
    NetworkFacts,
    TreeFacts,
    VolumeFacts,
    World,
)

API = "reconciler/v1alpha1"
GIB = 2**30
IMAGE = "sha256:" + "a" * 64


def host(name, labels=None, **spec):
    return Host(
        api_version=API,
        kind="Host",
        metadata={"name": name, "labels": labels or {}},
        spec={"address": "192.0.2.1", **spec},
    )


def workload(name="web", on="h1", labels=None, state="running", health=None, update=None, **container):
    container.setdefault("image", "localhost/app:1")
    placement = {"labels": labels} if labels else {"host": on}
    spec = {"container": container, "placement": placement, "state": state}
    if health:
        spec["health"] = health
    if update:
        spec["update"] = update
    return Workload(api_version=API, kind="Workload", metadata={"name": name}, spec=spec)


def network(name, **spec):
    return Network(api_version=API, kind="Network", metadata={"name": name}, spec=spec)


def spec(*objects):
    by_kind: dict[str, dict[str, Any]] = {"Host": {}, "Workload": {}, "Network": {}}
    for item in objects:
        by_kind[item.kind][item.metadata.name] = item
    return Spec(hosts=by_kind["Host"], workloads=by_kind["Workload"], networks=by_kind["Network"])


def container(of, state=InstanceState.RUNNING, **more):
    """The container that a workload's spec makes."""
    wanted = of.container
    more.setdefault("labels", {LABEL_WORKLOAD: of.metadata.name, LABEL_SPEC: canonical_json(wanted)})
    more.setdefault("annotations", {ANNOTATION_CRIU: "/x/criu.conf"})
    more.setdefault("networks", tuple(InstanceNetwork(name=n.name, ip=n.ip, mac=n.mac) for n in wanted.networks))
    mounts = (ContainerMount(kind="volume", name=v.name, target=v.target) for v in wanted.volumes)
    more.setdefault("mounts", tuple(mounts))
    more.setdefault("name", of.metadata.name)
    more.setdefault("oci_runtime", "runc")
    more.setdefault("restart", wanted.restart.value)
    return ContainerFacts(id="c" * 64, image_id=IMAGE, state=state, **more)


def domain(of: Workload, state: str = "running", **more) -> MachineFacts:
    """A domain of libvirt as its driver reports it."""
    wanted = of.spec.virtual_machine
    assert wanted is not None
    labels = {LABEL_WORKLOAD: of.metadata.name, LABEL_SPEC: canonical_json(wanted)}
    return MachineFacts(id="u1", name=of.metadata.name, runtime="libvirt", state=state, labels=labels, **more)


def tree(of, state=InstanceState.RUNNING, **more):
    """The tree of processes that a workload's spec makes."""
    wanted = of.spec.process
    more.setdefault("labels", {LABEL_WORKLOAD: of.metadata.name, LABEL_SPEC: canonical_json(wanted)})
    more.setdefault("networks", tuple(InstanceNetwork(name=n.name, ip=n.ip, mac=n.mac) for n in wanted.networks))
    more = {"name": of.metadata.name, "pid": 7, "processes": 2, **more}
    return TreeFacts(id="d" * 64, runtime="process", state=state, **more)


def volume(name, of="web", epoch=1):
    """A volume as Reconciler made it for a workload."""
    return VolumeFacts(name=name, labels={LABEL_WORKLOAD: of, LABEL_EPOCH: str(epoch), LABEL_RUN: "earlier"})


VERSIONS = {"podman": "5.4.2", "runc": "1.1.15", "crun": "1.21", "criu": "4.2", "kernel": "6.18.0"}
OWN = ("criu", "kernel")


def facts(name, *containers, **more):
    more.setdefault("images", (ImageFacts(id=IMAGE, names=("localhost/app:1",), size_bytes=5 * 2**20),))
    more.setdefault(
        "networks", (NetworkFacts(name="lab", driver="macvlan", subnets=("10.77.0.0/24",), parent="e0"),)
    )
    named = dict(more.pop("versions", VERSIONS))
    more["versions"] = {name: named.pop(name) for name in OWN}
    engine = named.pop("podman")
    more.setdefault("runtimes", {"podman": engine})
    more.setdefault("programs", dict.fromkeys(more["runtimes"], named))
    more.setdefault(
        "tools", ("iptables-restore", "nsenter", "flock", "setsid", "timeout", "tar", "ip", "perl", "python3")
    )
    more.setdefault("features", ("uffd",))
    more.setdefault("memory_free_bytes", 8 * GIB)
    more.setdefault("disk_free_bytes", 50 * GIB)
    more.setdefault("arch", "x86_64")
    return HostFacts(name=name, instances=containers, **more)


def unknown(name, reason="no route", code="H201"):
    return HostUnknown(name=name, reason=reason, code=code)


def marker(name, epoch, phase, role="owner", **more):
    return Marker(workload=name, epoch=epoch, phase=phase, role=role, **more)


def world(*hosts):
    return World(hosts={h.name: h for h in hosts})
