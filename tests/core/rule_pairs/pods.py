"""Pods of containerd."""

from tests.core.rule_scene import Scene


def scene(*settings: str) -> Scene:
    """A host with containerd, on which a pod is to be made."""
    there = {"runtimes": {"cri": "2.1.9"}, "settings": {"cri": settings}}
    return Scene(there=there, has={"runtime": "cri"}, runtime="cri")


SET_UP = ("runtime=containerd", "criu-annotation")

PAIRS: dict[str, tuple[Scene, Scene]] = {
    "cri.kubelet": (scene(*SET_UP, "kubelet"), scene(*SET_UP)),
    "cri.not-ready": (scene(*SET_UP, "no-network"), scene(*SET_UP)),
    "cri.annotation": (scene("runtime=containerd"), scene(*SET_UP)),
}
