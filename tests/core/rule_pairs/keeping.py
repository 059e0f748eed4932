"""What a move would not keep as it is."""

from reconciler.model.world import InstanceNetwork
from tests.core.rule_scene import LAN, Scene, held

RO = {"mounts": [{"source": "/srv/conf", "target": "/conf", "readOnly": True}]}
DATA = {"mounts": [{"source": "/srv/data", "target": "/data"}]}
LAB = InstanceNetwork(name="lab", ip="10.77.0.100")


def holding(digest: str) -> dict[str, object]:
    return {"preflight": {"contents": {"/srv/conf": digest}}}


PAIRS: dict[str, tuple[Scene, Scene]] = {
    "process.sqlite": (
        Scene(wants=DATA, has=held(sqlite=("/data/x.db",)), there={"preflight": {"paths": {"/srv/data": "xfs"}}}),
        Scene(wants=DATA, has=held(sqlite=("/data/x.db",)), there={"preflight": {"paths": {"/srv/data": "nfs"}}}),
    ),
    "mount.differs": (
        Scene(wants=RO, here=holding("a-b"), there=holding("a-c")),
        Scene(wants=RO, here=holding("a-b"), there=holding("a-b")),
    ),
    "container.drift": (
        Scene(wants={"networks": LAN}, has={"networks": (LAB, InstanceNetwork(name="podman"))}),
        Scene(wants={"networks": LAN}, has={"networks": (LAB,)}),
    ),
}
