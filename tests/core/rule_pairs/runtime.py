"""Podman, CRIU and what else a runtime needs."""

from reconciler.core.rules.runtime import NEEDED_TOOLS
from reconciler.model.plan import ChangeKind
from tests.core.rule_scene import (
    TCP,
    Scene,
    held,
)

CRIU: dict[str, tuple[Scene, Scene]] = {
    "missing": (Scene(here={"versions": {"criu": ""}}), Scene()),
    "check": (
        Scene(there={"preflight": {"complaint": "Error (criu/cr-check.c:1): no CAP"}}),
        Scene(there={"preflight": {"complaint": ""}}),
    ),
    "tcp-kernel": (
        Scene(there={"versions": {"criu": "4.1.1"}}),
        Scene(there={"versions": {"criu": "4.1.1", "kernel": "6.12.41"}}),
    ),
    "known-bad": (
        Scene(here={"versions": {"criu": "3.17.1"}}),
        Scene(here={"versions": {"criu": "3.17.1", "kernel": "6.1.0-28"}}),
    ),
    "older": (Scene(there={"versions": {"criu": "3.19"}}), Scene(there={"versions": {"criu": "4.2.1"}})),
    "network-lock": (
        Scene(here={"tools": ("nsenter", "flock", "setsid", "timeout", "tar", "ip")}),
        Scene(),
    ),
    "library": (
        Scene(has={"oci_runtime": "crun"}, there={"preflight": {"libcriu": False}}),
        Scene(there={"preflight": {"libcriu": False}}),
    ),
}

PAIRS: dict[str, tuple[Scene, Scene]] = {
    **{f"criu.{name}": pair for name, pair in CRIU.items()},
    "process.made-files": (
        Scene(
            has={"oci_runtime": "crun", **held(made=("/etc/hosts",))},
            there={"versions": {"crun": "1.21"}},
        ),
        Scene(
            has={"oci_runtime": "crun", **held(made=("/etc/hosts",))},
            here={"versions": {"crun": "1.26"}},
            there={"versions": {"crun": "1.26"}},
        ),
    ),
    "process.shm-holes": (
        Scene(has={"oci_runtime": "crun", **held(shm_holes=True)}, there={"versions": {"crun": "1.21"}}),
        Scene(has={"oci_runtime": "runc", **held(shm_holes=True)}, there={"versions": {"crun": "1.21"}}),
    ),
    "tcp.close-unsupported": (
        Scene(
            has={"tcp_established": TCP, "oci_runtime": "crun"},
            there={"versions": {"crun": "1.21"}},
            policy={"tcp": "close"},
        ),
        Scene(has={"tcp_established": TCP, "oci_runtime": "crun"}, policy={"tcp": "close"}),
    ),
    "podman.older": (
        Scene(there={"versions": {"podman": "4.9.3"}}),
        Scene(there={"versions": {"podman": "6.0.0"}}),
    ),
    "tools.missing": (Scene(there={"tools": ("iptables-restore", "tar")}), Scene()),
    "oci-runtime.missing": (
        Scene(there={"versions": {"runc": ""}}),
        Scene(has={"oci_runtime": "crun"}, there={"versions": {"runc": ""}}),
    ),
    "oci-runtime.older": (Scene(here={"versions": {"runc": "1.3.6"}}), Scene()),
    "cutover.impossible": (
        Scene(policy={"cutover": "transactional"}, has={"annotations": {}}),
        Scene(policy={"cutover": "transactional"}),
    ),
    "strategy.lazy": (
        Scene(policy={"strategy": "lazy"}, there={"features": ()}),
        Scene(policy={"strategy": "lazy"}),
    ),
    "strategy.several": (
        Scene(policy={"strategy": "lazy"}, has={"processes": 3}),
        Scene(policy={"strategy": "lazy"}, has={"processes": 1}),
    ),
    "perl.missing": (Scene(there={"tools": (*NEEDED_TOOLS, "iptables-restore")}), Scene()),
    "strategy.precopy": (
        Scene(policy={"strategy": "precopy"}),
        Scene(policy={"strategy": "precopy"}, here={"features": ("mem_dirty_track",)}),
    ),
    "strategy.postcopy": (
        Scene(policy={"strategy": "postcopy"}, here={"tools": (*NEEDED_TOOLS, "iptables-restore", "perl")}),
        Scene(policy={"strategy": "postcopy"}),
    ),
    "compression.missing": (Scene(policy={"compression": "lz4"}), Scene(policy={"compression": "none"})),
    "preflight.incomplete": (Scene(there={"preflight": None, "preflight_error": "time"}), Scene()),
    "security.floor": (Scene(policy={"securityFloor": "warn"}), Scene()),
    "runtime.ability": (
        Scene(runtime="plain", abilities={"plain": ("lifecycle",)}),
        Scene(runtime="plain", abilities={"plain": ("lifecycle",)}, kind=ChangeKind.CREATE),
    ),
    "runtime.missing": (
        Scene(runtime="plain", kind=ChangeKind.CREATE),
        Scene(runtime="plain", kind=ChangeKind.CREATE, there={"runtimes": {"plain": "1"}}),
    ),
}
