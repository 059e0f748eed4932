"""Which runtimes there are. Fake: the installed packages."""

import pytest
from pydantic import BaseModel, ConfigDict, Field

from reconciler.core.made_from import changed_fields
from reconciler.errors import InputError, Refused
from reconciler.load import load
from reconciler.model.base import canonical_json
from reconciler.model.plan import TRAITS
from reconciler.runtimes import registry
from reconciler.runtimes.base import ABILITIES, Driver, Transactional
from reconciler.runtimes.podman import PodmanDriver

SPEC = """
apiVersion: reconciler/v1alpha1
kind: Host
metadata: {name: h1}
spec: {address: 192.0.2.1}
---
apiVersion: reconciler/v1alpha1
kind: Workload
metadata: {name: web}
spec:
  runtime: NAME
  placement: {host: h1}
  container: {image: "a:1"}
"""


class Least:
    """All that every runtime must have."""

    NAME = "least"

    def observe(self, host): ...

    def alive(self, workload): ...

    def prepare_host(self): ...


class Half(Least):
    """The beginnings of an ability."""

    NAME = "half"

    def stage(self, handover, *, secrets): ...


class Claims(Least, Transactional):
    """Says it can, and has none of it: what it inherits does nothing."""

    NAME = "claims"


class Other(Least):
    NAME = "podman"


class Cell(BaseModel):
    """A third party's own words for what runs."""

    model_config = ConfigDict(extra="forbid")

    path: str
    cells: int = Field(1, ge=1)


class Jails(Least):
    NAME = "jails"
    PAYLOAD = Cell


class Odd(Least):
    NAME = "odd"
    PAYLOAD = "jail"


def breaks():
    raise ImportError("no module named zfs")


class Point:
    """What an installed package's metadata says."""

    dist = None

    def __init__(self, name, made):
        self.name, self.made, self.value = name, made, f"example_{name}:Runtime"

    def load(self):
        if self.made is breaks:
            breaks()
        return self.made


@pytest.fixture
def packages(monkeypatch):
    def have(*points):
        monkeypatch.setattr(registry, "entry_points", lambda group: points)

    return have


def test_podman_can_everything_but_move_by_itself():
    driver = PodmanDriver()
    assert [found.name for found in registry.everything()] == [
        "podman",
        "docker",
        "cri",
        "process",
        "libvirt",
        "kubevirt",
    ]
    others = ["self-moves", "clusters"]
    assert registry.everything()[0].abilities == tuple(name for name in ABILITIES if name not in others)
    lacks = [name for name, protocol in ABILITIES.items() if not isinstance(driver, protocol)]
    assert lacks == others
    assert isinstance(registry.need(registry.usable(), "podman", "moves"), PodmanDriver)


def test_steps_need_abilities_there_are():
    assert {traits.ability for traits in TRAITS.values()} <= {"", *ABILITIES}
    assert all(set(vars(protocol)) >= {"__init__"} for protocol in ABILITIES.values())
    assert Driver not in ABILITIES.values()


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (breaks, "it cannot be loaded: ImportError: no module named zfs"),
        (Half, "it lacks unstage, locate, hold"),
        (Claims, "it lacks stage, unstage, locate"),
        (object, "its NAME is ''"),
        (Odd, "its PAYLOAD is 'jail'; it must be a pydantic model, or one of container"),
        (Other, "the name is taken: podman is built in"),
    ],
)
def test_one_that_cannot_be_used_is_named_and_the_others_work_on(packages, made, problem):
    name = getattr(made, "NAME", "broken")
    packages(Point(name, made), Point("least", Least))
    bad = next(found for found in registry.everything() if found.problem)
    assert bad.name == name and problem in bad.problem and bad.package == f"example_{name}"
    assert sorted(registry.usable()) == ["cri", "docker", "kubevirt", "least", "libvirt", "podman", "process"]
    assert isinstance(registry.usable()["podman"], PodmanDriver)


def test_what_it_lacks_is_refused_in_words(packages):
    packages(Point("least", Least))
    with pytest.raises(Refused, match="the runtime least lacks the ability `moves`") as refused:
        registry.need(registry.usable(), "least", "moves")
    assert refused.value.code == "C361"
    with pytest.raises(Refused, match="no runtime other") as refused:
        registry.need(registry.usable(), "other")
    assert refused.value.code == "C360" and "kubevirt, least, libvirt, podman" in refused.value.why


@pytest.mark.parametrize(
    ("name", "code", "hint"),
    [
        ("leest", "E155", "did you mean `least`?"),
        ("lxc", "E155", "reconciler.runtimes"),
        ("half", "E156", "it lacks"),
    ],
)
def test_specs_name_what_can_be_used(packages, tmp_path, name, code, hint):
    packages(Point("least", Least), Point("half", Half))
    (tmp_path / "a.yaml").write_text(SPEC.replace("NAME", name))
    with pytest.raises(InputError) as refused:
        load([tmp_path])
    found = refused.value.diagnostics[0]
    assert (found.code, found.line, found.col) == (code, 11, 12)
    assert hint in found.hint


def test_specs_may_name_a_third_party(packages, tmp_path):
    packages(Point("least", Least))
    (tmp_path / "a.yaml").write_text(SPEC.replace("NAME", "least"))
    assert load([tmp_path]).workloads["web"].spec.runtime == "least"


@pytest.mark.parametrize(
    ("name", "payload", "code", "place", "message"),
    [
        ("jails", "custom: {path: /jails/web, cells: 0}", "E105", (13, 37), "`cells` must be an integer"),
        ("jails", "custom: {path: /jails/web, cell: 2}", "E103", (13, 30), "unknown field `cell`"),
        ("jails", "custom: {cells: 2}", "E106", (13, 3), "`path` is missing"),
        ("jails", 'container: {image: "a:1"}', "E157", (13, 3), "takes `custom`, not `container`"),
        ("podman", "custom: {path: /jails/web}", "E157", (13, 3), "takes `container`, not `custom`"),
        ("jails", 'container: {image: "a:1"}\n  custom: {path: /a}', "E105", (10, 1), "give exactly one of"),
        ("jails", "state: stopped", "E105", (10, 1), "give exactly one of"),
    ],
)
def test_what_runs_is_checked_by_the_runtimes_own_model(packages, tmp_path, name, payload, code, place, message):
    packages(Point("jails", Jails))
    text = SPEC.replace("NAME", name).replace('container: {image: "a:1"}', payload)
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(InputError) as refused:
        load([tmp_path])
    found = refused.value.diagnostics[0]
    assert (found.code, (found.line, found.col)) == (code, place)
    assert message in found.message


def test_a_respelling_of_a_third_partys_payload_is_no_change(packages, tmp_path):
    packages(Point("jails", Jails))
    payloads = []
    for text in ("custom: {path: /a, cells: 1}", "custom: {path: /a}"):
        (tmp_path / "a.yaml").write_text(SPEC.replace("NAME", "jails").replace('container: {image: "a:1"}', text))
        payloads.append(load([tmp_path]).workloads["web"].spec.payload)
    assert payloads == [{"path": "/a"}, {"path": "/a"}]
    assert changed_fields({"path": "/b"}, canonical_json(payloads[0])) == ["path"]
