"""Room, kernels and confinement: what hosts have."""

from tests.core.rule_scene import MIB, Scene, held

PAIRS: dict[str, tuple[Scene, Scene]] = {
    "room.memory": (
        Scene(has={"memory_bytes": 512 * MIB}, there={"memory_free_bytes": 512 * MIB}),
        Scene(has={"memory_bytes": 512 * MIB}, there={"memory_free_bytes": 600 * MIB}),
    ),
    "room.images": (
        Scene(has={"memory_bytes": 512 * MIB}, here={"memory_free_bytes": 1440 * MIB}),
        Scene(has={"memory_bytes": 512 * MIB}, here={"memory_free_bytes": 1441 * MIB}),
    ),
    "room.disk": (
        Scene(has={"memory_bytes": 512 * MIB}, here={"disk_free_bytes": 512 * MIB}),
        Scene(has={"memory_bytes": 512 * MIB}, here={"disk_free_bytes": 900 * MIB}),
    ),
    "arch.differs": (Scene(there={"arch": "aarch64"}), Scene()),
    "cpu.features": (
        Scene(here={"cpu_flags": ("sse2", "avx2")}, there={"cpu_flags": ("sse2",)}),
        # Not a thing programs can use: the hosts are the same for them.
        Scene(here={"cpu_flags": ("sse2", "ibrs_enhanced")}, there={"cpu_flags": ("sse2",)}),
    ),
    "kernel.older": (
        Scene(there={"versions": {"kernel": "6.1.0"}}),
        Scene(there={"versions": {"kernel": "6.18.7"}}),
    ),
    "cgroup.mode": (
        Scene(here={"cgroup_version": 2}, there={"cgroup_version": 1}),
        Scene(here={"cgroup_version": 2}, there={"cgroup_version": 2}),
    ),
    "clock.offset": (Scene(there={"clock_offset_s": 3600.0}), Scene(there={"clock_offset_s": 1.0})),
    "security.module": (
        Scene(has=held(confined_by="containers-default"), here={"preflight": {"confinement": ("apparmor",)}}),
        Scene(
            has=held(confined_by="containers-default"),
            here={"preflight": {"confinement": ("apparmor",)}},
            there={"preflight": {"confinement": ("apparmor",)}},
        ),
    ),
    "security.seccomp": (
        Scene(has=held(seccomp=True), there={"preflight": {"seccomp": False}}),
        Scene(has=held(seccomp=False), there={"preflight": {"seccomp": False}}),
    ),
    "security.capabilities": (
        Scene(has=held(capabilities=("SYS_ADMIN",))),
        Scene(has=held(capabilities=("KILL",))),
    ),
}
