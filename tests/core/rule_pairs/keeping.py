"""What a move would not keep as it is."""

from reconciler.model.labels import LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.world import InstanceNetwork
from tests.core.rule_scene import LAN, Scene, held, options

RO = {"mounts": [{"source": "/srv/conf", "target": "/conf", "readOnly": True}]}
SHARED = {"mounts": [{"source": "/srv/data", "target": "/data", "shared": True}]}
DATA = {"mounts": [{"source": "/srv/data", "target": "/data"}]}
LAB = InstanceNetwork(name="lab", ip="10.77.0.100")


def holding(digest: str) -> dict[str, object]:
    return {"preflight": {"contents": {"/srv/conf": digest}}}


def shared(said: str) -> dict[str, object]:
    return {"preflight": {"shared": {"/srv/data": said}}}


FIRST = {"strategy": "checkpoint-first"}
BESIDE = {"strategy": "side-by-side"}
SHARES = '{"image": "localhost/app:1", "networkMode": "host"}'

PAIRS: dict[str, tuple[Scene, Scene]] = {
    "update.way-back": (
        Scene(update=FIRST, has={"labels": {LABEL_WORKLOAD: "web", LABEL_SPEC: "torn"}}),
        Scene(update=FIRST),
    ),
    "update.beside": (
        Scene(update=BESIDE, has={"labels": {LABEL_WORKLOAD: "web", LABEL_SPEC: SHARES}}),
        Scene(update=BESIDE),
    ),
    "process.sqlite": (
        Scene(wants=DATA, has=held(sqlite=("/data/x.db",)), there={"preflight": {"paths": {"/srv/data": "xfs"}}}),
        Scene(wants=DATA, has=held(sqlite=("/data/x.db",)), there={"preflight": {"paths": {"/srv/data": "nfs"}}}),
    ),
    "mount.differs": (
        Scene(wants=RO, here=holding("a-b"), there=holding("a-c")),
        Scene(wants=RO, here=holding("a-b"), there=holding("a-b")),
    ),
    "mount.not-shared": (
        Scene(wants=SHARED, here=shared("nfs-4711"), there=shared("nfs-4712")),
        Scene(wants=SHARED, here=shared("nfs-4711"), there=shared("nfs-4711")),
    ),
    "container.log-stays": (
        Scene(has=options(log_driver="journald")),
        Scene(has=options(log_driver="k8s-file", log_goes_along=True)),
    ),
    "container.drift": (
        Scene(wants={"networks": LAN}, has={"networks": (LAB, InstanceNetwork(name="podman"))}),
        Scene(wants={"networks": LAN}, has={"networks": (LAB,)}),
    ),
}
