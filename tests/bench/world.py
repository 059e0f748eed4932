"""Specs and worlds of any size, made by code: the ground on which the planner is timed."""

from __future__ import annotations

from reconciler.core.rules.runtime import NEEDED_TOOLS
from reconciler.model.base import canonical_json
from reconciler.model.labels import ANNOTATION_CRIU, LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.spec import Host, Spec, Workload
from reconciler.model.world import (
    ContainerFacts,
    HostFacts,
    ImageFacts,
    InstanceNetwork,
    InstanceState,
    Marker,
    NetworkFacts,
    Preflight,
    ProcessFacts,
    World,
)

API = "reconciler/v1alpha1"
IMAGE = "localhost/app:1"
IMAGE_ID = "sha256:" + "a" * 64
NETWORK = "lan"
MIB = 2**20


def _address(n: int) -> str:
    return f"10.{n // 62500}.{n // 250 % 250}.{n % 250 + 1}"


def _mac(n: int) -> str:
    return ":".join(f"{byte:02x}" for byte in (2, 0, *n.to_bytes(4, "big")))


def _host(name: str) -> Host:
    return Host.model_validate(
        {"apiVersion": API, "kind": "Host", "metadata": {"name": name}, "spec": {"address": "192.0.2.1"}}
    )


def _workload(n: int, host: str) -> Workload:
    network = {"name": NETWORK, "ip": _address(n), "mac": _mac(n)}
    container = {
        "image": IMAGE,
        "command": ["/bin/app", "--shard", str(n)],
        "env": {"MODE": "fast", "LEVEL": "3"},
        "networks": [network],
        "limits": {"memory": "512MiB"},
    }
    spec = {"container": container, "placement": {"host": host}, "health": {"tcp": {"port": 6379}, "within": "5s"}}
    return Workload.model_validate(
        {"apiVersion": API, "kind": "Workload", "metadata": {"name": f"w{n}"}, "spec": spec}
    )


def _container(workload: Workload, n: int) -> ContainerFacts:
    name = workload.metadata.name
    wanted = workload.container
    return ContainerFacts(
        id=f"{n:064x}",
        name=name,
        image_id=IMAGE_ID,
        image_name=IMAGE,
        state=InstanceState.RUNNING,
        labels={LABEL_WORKLOAD: name, LABEL_SPEC: canonical_json(wanted)},
        annotations={ANNOTATION_CRIU: f"/var/lib/reconciler/workloads/{name}/criu.conf"},
        oci_runtime="runc",
        pid=1000 + n,
        networks=tuple(InstanceNetwork(name=w.name, ip=w.ip, mac=w.mac) for w in wanted.networks),
        memory_bytes=256 * MIB,
        rootfs_bytes=MIB,
        processes=1,
        userdata=f"/var/lib/containers/storage/overlay-containers/{n:064x}/userdata",
        upper_dir=f"/var/lib/containers/storage/overlay/{n:064x}/diff",
        held=ProcessFacts(programs=("/bin/app",)),
    )


def fleet(hosts: int, workloads: int, moving: int) -> tuple[Spec, World]:
    """So many running workloads, spread evenly; the first `moving` of them belong on the next host."""
    names = [f"h{n}" for n in range(hosts)]
    wanted: dict[str, Workload] = {}
    running: dict[str, list[ContainerFacts]] = {name: [] for name in names}
    for n in range(workloads):
        here = names[n % hosts]
        there = names[(n + 1) % hosts] if n < moving else here
        workload = _workload(n, there)
        wanted[workload.metadata.name] = workload
        running[here].append(_container(workload, n))
    spec = Spec(hosts={name: _host(name) for name in names}, workloads=wanted)
    return spec, World(hosts={name: _facts(name, containers) for name, containers in running.items()})


def _facts(name: str, containers: list[ContainerFacts]) -> HostFacts:
    return HostFacts(
        name=name,
        arch="x86_64",
        versions={"criu": "4.2", "kernel": "6.18.0"},
        programs={"podman": {"runc": "1.1.15", "crun": "1.21"}},
        runtimes={"podman": "5.4.2"},
        features=("uffd",),
        tools=("iptables-restore", "perl", *NEEDED_TOOLS),
        memory_free_bytes=2**40,
        disk_free_bytes=2**42,
        instances=tuple(containers),
        images=(ImageFacts(id=IMAGE_ID, names=(IMAGE,), size_bytes=5 * MIB),),
        networks=(NetworkFacts(name=NETWORK, driver="macvlan", subnets=("10.0.0.0/8",), parent="e0"),),
        markers=tuple(Marker(workload=c.name, epoch=1, phase="running", role="owner") for c in containers),
        preflight=Preflight(),
    )
