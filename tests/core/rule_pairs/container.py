"""How a container was made, and what its spec asks of hosts."""

from reconciler.model.plan import ChangeKind
from reconciler.model.world import InstanceState
from tests.core.rule_scene import GIVEN, Scene, foreign, held, options


def other_in(mode: str):
    """Another container, whose PID namespace is of this mode."""
    return foreign(name="side", **options(pid_mode=mode)).model_copy(update={"id": "d" * 64})


PAIRS: dict[str, tuple[Scene, Scene]] = {
    "container.paused": (
        Scene(has={"state": InstanceState.PAUSED}),
        Scene(has={"state": InstanceState.RUNNING}),
    ),
    "container.auto-remove": (Scene(has={"auto_remove": True}), Scene()),
    "container.privileged": (Scene(has=options(privileged=True)), Scene()),
    "container.host-namespaces": (Scene(has=options(ipc_mode="host")), Scene(has=options(network_mode="lab"))),
    "container.joins": (
        Scene(has=options(network_mode=f"container:{'d' * 64}")),
        Scene(has=options(network_mode=f"container:{'d' * 64}", pod="app")),  # has its own rule
    ),
    "container.joined": (
        Scene(here_too=(other_in("container:web"),)),
        Scene(here_too=(other_in("container:webs"),)),
    ),
    "container.user-namespace": (Scene(has=options(user_mode="auto")), Scene(has=options(user_mode="host"))),
    "container.file-flags": (
        Scene(has=held(capabilities=("CHOWN", "LINUX_IMMUTABLE"))),
        Scene(has=held(capabilities=("CHOWN",))),
    ),
    "container.long-paths": (Scene(has=held(long_paths=("4100 bytes in /data: a/b/c",))), Scene(has=held())),
    "container.devices": (Scene(has=options(devices=("/dev/fuse",))), Scene()),
    "device.missing": (
        Scene(wants=GIVEN, there={"preflight": {"paths": {"/dev/fuse": "", "/etc/web.json": "ext4"}}}),
        Scene(wants=GIVEN, there={"preflight": {"paths": {"/dev/fuse": "tmpfs", "/etc/web.json": "ext4"}}}),
    ),
    "security.profile": (
        Scene(wants=GIVEN, there={"preflight": {"paths": {"/dev/fuse": "tmpfs", "/etc/web.json": ""}}}),
        Scene(wants=GIVEN, there={"preflight": {"paths": {"/dev/fuse": "tmpfs", "/etc/web.json": "ext4"}}}),
    ),
    "image.platform": (Scene(wants={"platform": "linux/arm64"}), Scene(wants={"platform": "linux/amd64"})),
    "image.never": (
        Scene(wants={"pull": "never"}, kind=ChangeKind.CREATE, here={"images": ()}, there={"images": ()}),
        Scene(wants={"pull": "never"}, kind=ChangeKind.CREATE, there={"images": ()}),
    ),
    "container.host-gateway": (
        Scene(wants={"extraHosts": {"host.docker.internal": "host-gateway"}}),
        Scene(wants={"extraHosts": {"db": "10.0.0.1"}}),
    ),
    "health.timer": (
        Scene(wants={"healthcheck": {"command": ["true"]}}),
        Scene(wants={"healthcheck": {"disabled": True}}),
    ),
    "container.renamed": (Scene(has={"name": "other"}), Scene()),
    "container.terminal": (Scene(has=options(terminal=True)), Scene()),
    "container.pod": (Scene(has=options(pod="p" * 64)), Scene()),
    "container.unit": (
        Scene(here={"preflight": {"units": {"web": ("web.service",)}}}),
        Scene(here={"preflight": {"units": {"web": (), "other": ("other.service",)}}}),
    ),
    "container.restart-policy": (
        Scene(wants={"restart": "always"}, here={"settings": {"podman": ("loses-updates",)}}),
        Scene(wants={"restart": "always"}),
    ),
    "container.storage": (Scene(has={"upper_dir": ""}), Scene()),
}
