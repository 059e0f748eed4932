"""What `reconcile get` shows."""

from reconciler.cli.views.stock import render_stock
from reconciler.core.stock import stock
from reconciler.model.world import InstanceState
from tests.core.worlds import container, facts, host, spec, unknown, volume, workload, world

H1, H2 = host("h1"), host("h2")
DATA = [{"name": "data", "target": "/data"}]


def test_where_it_is_and_where_it_should_be():
    web = workload(on="h2", volumes=DATA)
    runs = container(web, memory_bytes=64 * 2**20, started_at=1000.0)
    seen = world(facts("h1", runs, volumes=(volume("data"),), clock_s=4700.0), facts("h2"))
    lines = render_stock(spec(H1, H2, web), seen, False).splitlines()
    cells = [cell.strip() for cell in lines[1].split("  ") if cell]
    assert cells == ["web", "running on h2", "running on h1", "64 MiB", "0", "1 h 1 min"]
    assert len(lines) == 2
    (row,) = stock(spec(H1, H2, web), seen).items
    assert (row.belongs, row.on, row.as_wanted) == ("h2", "h1", False)


def test_nothing_is_concluded_from_a_host_that_was_not_seen():
    web = workload(on="h1")
    assert stock(spec(H1, H2, web), world(facts("h1"), unknown("h2"))).items[0].as_wanted is None


def test_what_no_spec_uses_is_listed():
    web = workload(on="h1", volumes=DATA)
    gone = container(workload("gone"), InstanceState.EXITED)
    aside = container(web, InstanceState.EXITED, name="web_aside")
    here = facts("h1", container(web), volumes=(volume("data", epoch=2), volume("old")))
    there = facts("h2", gone, aside, volumes=(volume("data"), volume("lost", of="gone")))
    found = [(o.kind, o.name, o.host) for o in stock(spec(H1, H2, web), world(here, there)).orphans]
    assert found == [
        ("container", "gone", "h2"),
        ("volume", "lost", "h2"),
        ("container", "web_aside", "h2"),
        ("volume", "old", "h1"),
        ("volume", "data", "h2"),
    ]
