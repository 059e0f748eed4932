"""Sockets and queues of events."""

from reconciler.core.rules.runtime import NEEDED_TOOLS
from tests.core.rule_scene import Scene, held, options

BARE = {"tools": (*NEEDED_TOOLS, "iptables-restore")}
"""A host without Perl."""
PAIRS: dict[str, tuple[Scene, Scene]] = {
    "process.backlog": (Scene(has=held(backlog=("0.0.0.0:7001",))), Scene(has=held())),
    "process.waiting-messages": (Scene(has=held(waiting=("netlink",))), Scene(has=held())),
    "process.sockets": (Scene(has=held(strange_sockets=("vsock",))), Scene(has=held())),
    "process.corked": (Scene(has=held(corked=True)), Scene(has=held(corked=False))),
    "process.unread-events": (
        Scene(has=held(unread=("inotify",))),
        Scene(has=held(kernel_objects=("inotify",))),
    ),
    "process.socket-options": (
        Scene(has=held(socket_options=("TCP_CONGESTION", "TCP_USER_TIMEOUT"))),
        Scene(has=held(socket_options=("TCP_USER_TIMEOUT",))),
    ),
    "process.event-flags": (Scene(has=held(dropped=("EFD_SEMAPHORE",))), Scene(has=held())),
    "process.multicast": (
        Scene(has=held(multicast=("224.0.0.251",)), there=BARE),
        Scene(has=held(multicast=("224.0.0.251",))),
    ),
    "process.cards": (Scene(has=held(cards=("wg0 (wireguard)",))), Scene(has=held())),
    "process.network": (Scene(has=held(network=("tc tbf on eth0",))), Scene(has=held())),
    "process.bpf-maps": (
        Scene(has=held(kernel_objects=("bpf-map",))),
        Scene(has=held(kernel_objects=("bpf-prog",))),
    ),
    "process.nested-namespaces": (
        Scene(has=held(nested=("pid", "user"))),
        Scene(has=held(nested=("user",)) | options(user_mode="auto")),
    ),
}
