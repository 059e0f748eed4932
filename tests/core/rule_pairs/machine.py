"""What virtual machines need on their hosts."""

from tests.core.rule_scene import Scene

DISK = "<disk type='file'><source file='/srv/web.qcow2'/></disk>"
CARD = "<interface type='bridge'><source bridge='br0'/></interface>"


def domain(devices: str) -> str:
    return f"<domain type='kvm'><memory>1024</memory><os/><devices>{devices}</devices></domain>"


def there(path: str, kind: str) -> dict:
    return {"preflight": {"paths": {path: kind}}, "runtimes": {"libvirt": "11.3.0"}}


BRIDGE = "/sys/class/net/br0/bridge"
PAIRS: dict[str, tuple[Scene, Scene]] = {
    "machine.files": (
        Scene(machine=domain(DISK), there=there("/srv/web.qcow2", "")),
        Scene(machine=domain(DISK), there=there("/srv/web.qcow2", "nfs")),
    ),
    "machine.bridge": (
        Scene(machine=domain(CARD), there=there(BRIDGE, "")),
        Scene(machine=domain(CARD), there=there(BRIDGE, "sysfs")),
    ),
}
