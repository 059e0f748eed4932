"""What a plan says about addresses and connections, for every kind of network."""

import pytest

from reconciler.cli.views import outlook
from reconciler.core.follows import following, network_outlook
from reconciler.core.planner import make_plan
from reconciler.model.spec import MoveActions, PolicyRefs, TcpHandling
from reconciler.model.world import ContainerOptions, InstanceNetwork, NetworkFacts, TcpConnection
from tests.core.worlds import container, facts, host, network, spec, workload, world

IP = "10.77.0.100"
STATIC = [{"name": "lan", "ip": IP, "mac": "02:00:00:00:01:00"}]
DYNAMIC = [{"name": "lan"}]
TCP = (TcpConnection(local=f"{IP}:9000", peer="10.77.0.1:5000"),)
MOVES, STAYS = f"{IP} moves along", f"{IP} does not move along: clients have to find it on h2"
KEPT = "1 established TCP connection is kept"
CLOSED = "1 established TCP connection is closed, clients connect again"


def row(wants, driver, tcp="established", connections=TCP, mode="", actions=False, **has):
    wanted = workload(on="h2", networks=wants)
    if actions:
        refs = PolicyRefs(policy=None, actions=MoveActions())
        wanted = wanted.model_copy(update={"spec": wanted.spec.model_copy(update={"migration": refs})})
    has.setdefault("networks", (InstanceNetwork(name="lan", ip=IP),))
    running = container(wanted, tcp_established=connections, **has)
    there = facts("h2", networks=(NetworkFacts(name="lan", driver=driver, mode=mode),))
    return outlook.network(network_outlook(wanted, running, there, {}, TcpHandling(tcp)), "h2")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (row(STATIC, "macvlan"), f"{MOVES}; {KEPT}"),
        (row(STATIC, "ipvlan"), f"{MOVES}; {KEPT}"),
        (row(STATIC, "bridge", mode="unmanaged"), f"{MOVES}; {KEPT}"),
        (row(STATIC, "macvlan", tcp="close"), f"{MOVES}; {CLOSED}"),
        (row(STATIC, "macvlan", connections=()), f"{MOVES}; no TCP connection is established"),
        (row(DYNAMIC, "macvlan", tcp="close"), f"{STAYS}; {CLOSED}"),
        (row(STATIC, "bridge", tcp="close"), f"{STAYS}; {CLOSED}"),
        (row(STATIC, "bridge"), f"{STAYS}; 1 established TCP connection is lost"),
        (row([], "bridge", connections=()), f"{STAYS}; no TCP connection is established"),
        (
            row(STATIC, "bridge", actions=True),
            f"{STAYS}; 1 established TCP connection is kept only if the actions below take the way to it along",
        ),
        (
            row([], "macvlan", networks=(), connections=(), options=ContainerOptions(network_mode="none")),
            "it has no network; no TCP connection is established",
        ),
        (
            row([], "macvlan", tcp="close", networks=(), options=ContainerOptions(network_mode="host")),
            f"it has the addresses of its host: clients have to follow to h2; {CLOSED}",
        ),
    ],
)
def test_a_row_is_true_of_its_network(said, expected):
    assert said == expected


def test_a_network_that_is_still_to_be_made_is_known_by_its_spec():
    wanted = workload(networks=STATIC)
    macvlan = network("lan", driver="macvlan", parent="e0")
    assert following(wanted, (), {"lan": macvlan}) == {IP}
    assert following(wanted, (), {"lan": network("lan")}) == set()


def test_the_plan_shows_the_row_and_refuses_what_would_lose_connections_unasked():
    wanted = workload(on="h2", networks=STATIC)
    for driver, rules in (("macvlan", set()), ("bridge", {"tcp.address-stays"})):
        lan = (NetworkFacts(name="lan", driver=driver, subnets=("10.77.0.0/24",)),)
        here = facts("h1", container(wanted, tcp_established=TCP, userdata="/u", upper_dir="/up"), networks=lan)
        plan = make_plan(spec(host("h1"), host("h2"), wanted), world(here, facts("h2", networks=lan)))
        assert {f.rule for f in plan.findings if f.severity == "refuse"} == rules
        if not rules:
            assert ("network", f"{MOVES}; {KEPT}") in outlook.rows(plan.changes[0])
