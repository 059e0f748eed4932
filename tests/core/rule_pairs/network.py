"""Networks, addresses, ports and connections."""

from reconciler.model.world import NetworkFacts
from tests.core.rule_scene import LAB, LAN, TCP, Scene, foreign, held
from tests.core.worlds import network

PAIRS: dict[str, tuple[Scene, Scene]] = {
    "network.missing": (
        Scene(wants={"networks": [{"name": "app"}]}),
        Scene(wants={"networks": [{"name": "app"}]}, objects=(network("app"),)),
    ),
    "network.subnet": (
        Scene(wants={"networks": [{"name": "lab", "ip": "10.99.0.9"}]}),
        Scene(wants={"networks": LAN}),
    ),
    "network.differs": (
        Scene(wants={"networks": LAN}, there={"networks": (NetworkFacts(**{**LAB, "driver": "bridge"}),)}),
        Scene(wants={"networks": LAN}, there={"networks": (NetworkFacts(**LAB),)}),
    ),
    "network.mac-changes": (
        Scene(wants={"networks": [{"name": "lab", "ip": "10.77.0.100"}]}),
        Scene(wants={"networks": LAN}),
    ),
    "address.taken": (
        Scene(wants={"networks": LAN}, there_too=(foreign(networks=({"name": "lab", "ip": "10.77.0.100"},)),)),
        Scene(wants={"networks": LAN}, there_too=(foreign(networks=({"name": "lab", "ip": "10.77.0.101"},)),)),
    ),
    "address.of-host": (
        Scene(wants={"networks": LAN}, there={"preflight": {"addresses": ("10.77.0.100",)}}),
        Scene(wants={"networks": LAN}, there={"preflight": {"addresses": ("10.77.0.2",)}}),
    ),
    "address.answers": (
        Scene(wants={"networks": LAN}, there={"preflight": {"answers": {"10.77.0.100": "02:00:00:00:09:09"}}}),
        Scene(wants={"networks": LAN}, there={"preflight": {"answers": {"10.77.0.100": "02:00:00:00:01:00"}}}),
    ),
    "port.taken": (
        Scene(
            wants={"ports": [{"container": 80, "host": 8080}]},
            there={"preflight": {"listening": ("tcp/0.0.0.0:8080",)}},
        ),
        Scene(
            wants={"ports": [{"container": 80, "host": 8080}]},
            there={"preflight": {"listening": ("udp/0.0.0.0:8080", "tcp/0.0.0.0:80")}},
        ),
    ),
    "port.stays": (Scene(wants={"ports": [{"container": 80, "host": 8080}]}), Scene(wants={"networks": LAN})),
    "tcp.translated": (
        Scene(wants={"networks": LAN}, has={"tcp_established": TCP, **held(translates=True)}),
        Scene(wants={"networks": LAN}, has=held(translates=True)),
    ),
    "tcp.address-stays": (
        Scene(has={"tcp_established": TCP}),
        Scene(wants={"networks": LAN}, has={"tcp_established": TCP}),
    ),
}
