"""What a container's processes use."""

from reconciler.model.world import (
    ContainerMount,
    DeletedFile,
)
from tests.core.rule_scene import MIB, Scene, held

PAIRS: dict[str, tuple[Scene, Scene]] = {
    "process.io-uring": (
        Scene(has=held(kernel_objects=("io_uring",))),
        Scene(has=held(kernel_objects=("eventfd",))),
    ),
    "process.devices": (Scene(has=held(devices=("/dev/fuse",))), Scene(has=held(devices=("/dev/nvidia0",)))),
    "process.gpu": (Scene(has=held(devices=("/dev/nvidia0",))), Scene(has=held(devices=("/dev/fuse",)))),
    "process.deleted-files": (
        Scene(has=held(deleted_files=(DeletedFile(path="/tmp/x", bytes=2 * MIB),))),
        Scene(has=held(deleted_files=(DeletedFile(path="/tmp/x", bytes=MIB),))),
    ),
    "process.unix-sockets": (Scene(has=held(unix_peers=("/run/docker.sock",))), Scene(has=held())),
    "process.inotify": (Scene(has=held(lost_watches=2)), Scene(has=held(kernel_objects=("inotify",)))),
    "process.terminal": (Scene(has=held(terminals=("/dev/pts/3",))), Scene(has=held())),
    "process.exec-session": (Scene(has=held(visitors=("sh",))), Scene(has=held())),
    "process.traced": (Scene(has=held(traced=("redis-server",))), Scene(has=held())),
    "process.message-queues": (
        Scene(has=held(kernel_objects=("mqueue",))),
        Scene(has=held(kernel_objects=("eventfd",))),
    ),
    "process.kernel-objects": (
        Scene(has=held(kernel_objects=("perf_event",))),
        Scene(has=held(kernel_objects=("eventpoll", "timerfd", "mqueue"))),
    ),
    "process.mounts": (
        Scene(has=held(foreign_mounts=(("fuse.sshfs", "/mnt"),))),
        Scene(
            has={
                **held(foreign_mounts=(("fuse.sshfs", "/mnt"),)),
                "mounts": (ContainerMount(kind="bind", source="/srv", target="/mnt"),),
            }
        ),
    ),
    "process.database": (Scene(has=held(programs=("postgres",))), Scene(has=held(programs=("nginx",)))),
}
