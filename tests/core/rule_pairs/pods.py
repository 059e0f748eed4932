"""Pods of containerd."""

from dataclasses import replace

from reconciler.model.plan import ChangeKind
from reconciler.model.world import NetworkFacts
from tests.core.rule_scene import Scene


def scene(*settings: str) -> Scene:
    """A host with containerd, on which a pod is to be made."""
    there = {"runtimes": {"cri": "2.1.9"}, "settings": {"cri": settings}}
    return Scene(there=there, has={"runtime": "cri"}, runtime="cri")


SET_UP = ("runtime=containerd", "criu-annotation")

LAB = {"name": "lab", "runtime": "cri", "driver": "macvlan", "subnets": ("10.77.0.0/24",), "parent": "e0"}
OWN = {"networks": [{"name": "lab", "ip": "10.77.0.100", "mac": "02:00:00:00:01:00"}]}


def moved(*settings: str, version: str = "2.1.9", wants: dict | None = None, driver: str = "macvlan") -> Scene:
    """A pod that moves between two hosts with containerd. `settings`: of its new host."""
    here = {
        "cgroup_version": 2,
        "runtimes": {"cri": "2.1.9"},
        "settings": {"cri": SET_UP},
        "networks": (NetworkFacts(**LAB),),
    }
    network = NetworkFacts(**{**LAB, "driver": driver})
    there = {
        "cgroup_version": 2,
        "runtimes": {"cri": version},
        "settings": {"cri": (*SET_UP, *settings)},
        "networks": (network,),
    }
    return Scene(here=here, there=there, has={"runtime": "cri"}, runtime="cri", wants=wants or {})


untold = moved()
untold.there["settings"] = {"cri": ("runtime=containerd",)}

PAIRS: dict[str, tuple[Scene, Scene]] = {
    "cri.kubelet": (scene(*SET_UP, "kubelet"), scene(*SET_UP)),
    "cri.not-ready": (scene(*SET_UP, "no-network"), scene(*SET_UP)),
    "cri.restores": (moved("restore-off", version="2.3.4"), moved(version="2.3.3")),
    "cri.control-groups": (moved("systemd-cgroup"), moved()),
    "cri.own-address": (moved(wants=OWN, driver="bridge"), moved(wants=OWN)),
    "cri.not-told": (untold, moved()),
    "cri.annotation": (replace(scene("runtime=containerd"), kind=ChangeKind.CREATE), scene(*SET_UP)),
}
