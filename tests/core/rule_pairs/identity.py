"""Names, volumes, images and mounts."""

from reconciler.model.plan import ChangeKind
from reconciler.model.world import (
    ContainerMount,
    VolumeFacts,
)
from tests.core.rule_scene import APP, VOLUME, Scene, foreign
from tests.core.worlds import volume

MOVES = {"mounts": [{"source": "/srv/app", "target": "/app", "move": True}]}

PAIRS: dict[str, tuple[Scene, Scene]] = {
    "name.taken": (Scene(there_too=(foreign(name="web"),)), Scene(there_too=(foreign(name="web2"),))),
    "volume.taken": (
        Scene(wants=VOLUME, there={"volumes": (VolumeFacts(name="v"),)}),
        Scene(
            wants=VOLUME,
            there={"volumes": (volume("v"),)},
        ),
    ),
    "volume.stale": (
        Scene(wants=VOLUME, here={"volumes": (volume("v"),)}, there={"volumes": (volume("v", epoch=9),)}),
        Scene(wants=VOLUME, here={"volumes": (volume("v"),)}, there={"volumes": (volume("w"),)}),
    ),
    "volume.unclear": (
        Scene(
            wants=VOLUME,
            kind=ChangeKind.CREATE,
            here={"volumes": (volume("v", epoch=3),)},
            there={"volumes": (volume("v"),)},
        ),
        Scene(wants=VOLUME, kind=ChangeKind.CREATE, here={"volumes": (volume("v", epoch=3),)}),
    ),
    "volume.shared": (
        Scene(
            wants=VOLUME,
            here_too=(foreign(mounts=(ContainerMount(kind="volume", name="v", target="/x"),)),),
        ),
        Scene(
            wants=VOLUME,
            here_too=(foreign(mounts=(ContainerMount(kind="volume", name="w", target="/x"),)),),
        ),
    ),
    "image.gone": (Scene(here={"images": ()}, there={"images": ()}), Scene(there={"images": ()})),
    "image.differs": (
        Scene(there={"images": ({"id": "b" * 64, "names": ("localhost/app:1",)},)}),
        Scene(there={"images": ()}),
    ),
    "mount.not-movable": (
        Scene(wants=MOVES, here={"preflight": {"folders": {"/srv/app": {"kind": "other"}}}}),
        Scene(wants=MOVES, here={"preflight": {"folders": {"/srv/app": {"kind": "folder"}}}}),
    ),
    "mount.taken": (
        Scene(wants=MOVES, there={"preflight": {"folders": {"/srv/app": {"kind": "folder", "owner": "x"}}}}),
        Scene(wants=MOVES, there={"preflight": {"folders": {"/srv/app": {"kind": "empty"}}}}),
    ),
    "mount.left-behind": (
        Scene(wants=MOVES, kind=ChangeKind.RECREATE),
        Scene(wants={"mounts": APP}, kind=ChangeKind.RECREATE),
    ),
    "mount.source-missing": (
        Scene(wants={"mounts": APP}, there={"preflight": {"paths": {"/srv/app": ""}}}),
        Scene(wants={"mounts": APP}, there={"preflight": {"paths": {"/srv/app": "ext2/ext3"}}}),
    ),
    "mount.stays": (
        Scene(wants={"mounts": APP}, there={"preflight": {"paths": {"/srv/app": "xfs"}}}),
        Scene(wants={"mounts": APP}, there={"preflight": {"paths": {"/srv/app": "nfs"}}}),
    ),
}
