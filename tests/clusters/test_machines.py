"""Machines made, changed and removed from manifests, and looked at by the thousand. Fake: the cluster."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.commands.doctor import examine
from reconciler.core.quantity import quantity
from reconciler.core.saga import GroupState
from reconciler.errors import HostError
from reconciler.facts.rights import NEEDED
from reconciler.hosts.kubernetes.api import HttpAnswer, Request
from reconciler.model.labels import KEPT, LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.plan import ChangeKind
from reconciler.model.spec import DesiredState, Placement, Spec
from tests.clusters.kubevirt import (
    POLICIES,
    VMIS,
    VMS,
    Lab,
    cluster,
    lab,
    launcher,
    machine,
    specs,
)
from tests.clusters.test_moves import playing

ROLE = Path(__file__).parent.parent.parent / "templates" / "kubernetes" / "role.yaml"
TEMPLATE = {"spec": {"domain": {"memory": {"guest": "2Gi"}}}}
MANIFEST = {"metadata": {"labels": {"app": "db"}}, "spec": {"template": TEMPLATE}}


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Lab]:
    monkeypatch.setattr("reconciler.engine.effects.selfmoving.POLL", 0.01)
    monkeypatch.setattr("reconciler.runtimes.kubevirt.lifecycle.BETWEEN", 0.01)
    with lab(monkeypatch, tmp_path, cluster("node01", "node02")) as made:
        yield made


def from_manifest(changes: dict[str, Any] | None = None, **more: Any) -> Spec:
    manifest = json.loads(json.dumps(MANIFEST))
    manifest["spec"].update(changes or {})
    return specs(placement={"cluster": "lab"}, section={"manifest": manifest}, **more)


async def test_made_from_a_manifest_kept_so_and_removed(there: Lab) -> None:
    async with playing(there):
        made = await there.apply(from_manifest())
        assert made.outcome and made.outcome.groups == {"db": GroupState.DONE}, made.outcome
        vm = there.api.get(VMS, "db", "shop")
        assert vm["metadata"]["labels"] == {"app": "db", LABEL_WORKLOAD: "db"}
        assert vm["spec"]["runStrategy"] == "Always" and there.where() == "node02"
        assert not (await there.plan(from_manifest())).plan.changes

        there.api.change(
            VMS, "db", "shop", {"spec": {"template": {"spec": {"domain": {"memory": {"guest": "4Gi"}}}}}}
        )
        seen = await there.plan(from_manifest())
        assert [change.kind for change in seen.plan.changes] == [ChangeKind.UPDATE]
        assert {f.rule for f in seen.plan.findings} == {"kubevirt.drift", "kubevirt.restart"}
        assert "spec.template.spec.domain.memory.guest" in str(seen.plan.findings)
        await there.apply(from_manifest())
        domain = there.api.get(VMS, "db", "shop")["spec"]["template"]["spec"]["domain"]
        assert domain["memory"]["guest"] == "2Gi"
        assert not (await there.plan(from_manifest())).plan.changes

        await there.apply(from_manifest({"preference": {"name": "small"}}))
        assert there.api.get(VMS, "db", "shop")["spec"]["preference"] == {"name": "small"}
        nothing = from_manifest({"preference": {"name": "small"}}).model_copy(update={"workloads": {}})
        (change,) = (await there.plan(nothing)).plan.changes
        assert change.kind is ChangeKind.REMOVE
        await there.apply(nothing)
        assert not there.api.objects[VMS] and not there.api.objects[VMIS]


async def test_what_we_did_not_make_stays_when_its_spec_goes(there: Lab) -> None:
    machine(there.api)
    async with playing(there):
        await there.apply(specs())
        assert there.where() == "node02"
    assert KEPT in there.api.get(VMS, "db", "shop")["metadata"]["annotations"]
    gone = specs().model_copy(update={"workloads": {}})
    assert not (await there.plan(gone)).plan.changes
    absent = specs(state=DesiredState.ABSENT)
    (finding,) = (await there.plan(absent)).plan.findings
    assert finding.rule == "kubevirt.manifest" and finding.severity == "refuse"


async def test_fields_of_another_manager_are_named_and_left(there: Lab) -> None:
    machine(there.api)
    inner = there.api.send
    said = 'Apply failed with 1 conflict: conflict with "argocd": .spec.template.spec.domain.memory.guest'

    async def send(request: Request) -> HttpAnswer:
        if "apply" in request.content:
            return HttpAnswer(409, json.dumps({"kind": "Status", "message": said}))
        return await inner(request)

    there.api.send = send  # type: ignore[method-assign]
    applied = await there.apply(from_manifest())
    assert applied.outcome and applied.outcome.groups == {"db": GroupState.PUT_BACK}
    assert "argocd" in str(applied.outcome.errors) and applied.outcome.failures[0].code == "C394"
    assert LABEL_SPEC not in there.api.get(VMS, "db", "shop")["metadata"].get("annotations", {})


async def test_one_that_does_not_start_says_why(there: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.runtimes.kubevirt.lifecycle.LOOKS", 3)
    machine(there.api)
    there.api.change(VMS, "db", "shop", {"spec": {"runStrategy": "Halted"}})
    there.api.drop(VMIS, "db", "shop")
    there.api.change(VMS, "db", "shop", {"status": {"printableStatus": "ErrorUnschedulable"}})
    applied = await there.apply(specs())
    assert applied.outcome and applied.outcome.groups == {"db": GroupState.PUT_BACK}
    assert "ErrorUnschedulable" in str(applied.outcome.errors)
    assert there.api.get(VMS, "db", "shop")["spec"]["runStrategy"] == "Halted"


async def test_without_kubevirt_its_crd_is_named(there: Lab) -> None:
    machine(there.api)
    del there.api.objects["kubevirt.io/kubevirts"]
    (finding,) = (await there.plan(specs())).plan.findings
    assert finding.rule == "host-unknown" and "kubevirts.kubevirt.io" in finding.message


async def test_the_policy_with_most_labels_is_in_force(there: Lab) -> None:
    machine(there.api)
    labels = {"app": "db", "tier": "gold"}
    there.api.change(VMIS, "db", "shop", {"metadata": {"labels": labels}})
    there.api.put("namespaces", {"metadata": {"name": "shop", "labels": {"team": "web"}}})
    for name, wanted, spaces, fields in (
        ("b-one", {"app": "db"}, {}, {"allowPostCopy": True}),
        ("a-one", {"tier": "gold"}, {}, {"bandwidthPerMigration": "64Mi"}),
        ("two", labels, {"team": "web"}, {"completionTimeoutPerGiB": 7}),
        ("other", {**labels, "x": "y"}, {}, {}),
    ):
        selectors = {"virtualMachineInstanceSelector": wanted, "namespaceSelector": spaces}
        there.api.put(POLICIES, {"metadata": {"name": name}, "spec": {"selectors": selectors, **fields}})
    (change,) = (await there.plan(specs())).plan.changes
    told = change.outlook.cluster_move
    assert told and (told.policy, told.per_gib_s, told.post_copy) == ("two", 7, False)
    there.api.drop(POLICIES, "two")
    (change,) = (await there.plan(specs())).plan.changes
    told, live = change.outlook.cluster_move, change.outlook.live_move
    assert told and live and (told.policy, told.per_gib_s, live.bandwidth_bytes) == ("a-one", 200, 64 * 2**20)


async def test_a_thousand_machines_are_seen_by_the_same_few_calls(there: Lab) -> None:
    machine(there.api)
    before = len(there.api.asked)
    await there.plan(specs())
    few = len(there.api.asked) - before
    for number in range(100):
        there.api.put("nodes", {"metadata": {"name": f"n{number}", "labels": {}}, "spec": {}, "status": {}})
    for number in range(1000):
        machine(there.api, f"vm{number}", f"n{number % 100}")
    before, began = len(there.api.asked), time.process_time()
    seen = await there.plan(specs())
    assert len(there.api.asked) - before == few <= 8
    assert time.process_time() - began < 20
    assert sum(len(host.instances) for host in seen.world.seen().values()) == 1001


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (VMIS, {"status": {"nodeName": ["x"]}}),
        (VMIS, {"status": {"conditions": "no"}}),
        (VMIS, {"status": {"memory": {"guestCurrent": "many"}}}),
        (VMS, {"metadata": {"annotations": {"a": 1}}}),
        (VMS, {"spec": []}),
        ("nodes", {"status": {"allocatable": {"memory": "1e99"}}}),
        ("nodes", {"metadata": {"labels": 7}}),
    ],
)
async def test_garbage_makes_the_cluster_unknown(there: Lab, kind: str, change: dict) -> None:
    machine(there.api)
    (namespace, name), _ = next(iter(there.api.objects[kind].items()))
    there.api.change(kind, name, namespace, change)
    (finding,) = (await there.plan(specs())).plan.findings
    assert finding.rule == "host-unknown" and "answered" in finding.message
    assert "reconcile doctor lab;" in finding.fix


@pytest.mark.parametrize(("text", "most"), [("a", 65_000), ('"', 24_000), ("ä", 17_000)])
async def test_what_validates_fits_into_the_annotations_of_its_machine(there: Lab, text: str, most: int) -> None:
    """Moved, then changed: what it was made from, what before that, and the dossier are there at once."""

    def long(number: int, node: str, app: str) -> Spec:
        manifest = {"metadata": {"labels": {"app": app}}, "spec": {"template": TEMPLATE, "x": text * number}}
        return specs(placement={"cluster": "lab", "node": node}, section={"manifest": manifest})

    with pytest.raises(ValueError, match="bytes of annotations"):
        long(most + 2_000, "node01", "a")
    async with playing(there):
        for node, app in (("node01", "a"), ("node02", "a"), ("node01", "a"), ("node01", "b")):
            done = await there.apply(long(most, node, app))
            assert done.outcome is None or set(done.outcome.groups.values()) == {GroupState.DONE}
            kept = there.api.get(VMS, "db", "shop")["metadata"]["annotations"]
            assert sum(len(key) + len(value.encode()) for key, value in kept.items()) < 256 * 1024 - 16 * 1024
    assert {"io.reconciler.before", KEPT, LABEL_SPEC} <= kept.keys()


@pytest.mark.parametrize("have", ["gone", 7, {"a": 1}, [{"name": {}}, {"name": ["x"]}, 3], [], None])
@pytest.mark.parametrize("wanted", [[{"name": "root"}], [{"name": "root"}, 1], [1, 2]])
async def test_a_list_that_somebody_made_another_is_drift_of_its_machine(
    there: Lab, have: Any, wanted: list[Any]
) -> None:
    async with playing(there):
        await there.apply(from_manifest({"x": wanted}))
    there.api.objects[VMS]["shop", "db"]["spec"]["x"] = have
    seen = await there.plan(from_manifest({"x": wanted}))
    assert [change.kind for change in seen.plan.changes] == [ChangeKind.UPDATE]
    assert "spec.x" in str(seen.plan.findings)


@pytest.mark.parametrize(
    "section",
    [
        {"manifest": {"spec": {"x": [{"name": {}}], "y": {"z": [[]]}}}},
        {"manifest": [1]},
        {"manifest": {"metadata": {"labels": [1]}, "spec": 7}},
        [],
        7,
        None,
    ],
)
async def test_a_note_of_what_it_was_made_from_may_say_anything(there: Lab, section: Any) -> None:
    machine(there.api)
    machine(there.api, "theirs")
    note = {"metadata": {"annotations": {LABEL_SPEC: json.dumps(section)}}}
    there.api.change(VMS, "theirs", "shop", note)
    seen = await there.plan(specs())
    assert [change.kind for change in seen.plan.changes] == [ChangeKind.MOVE] and not seen.world.unknown()


async def test_a_marker_that_cannot_be_read_stops_its_workload_only(there: Lab) -> None:
    machine(there.api)
    there.api.change(VMS, "db", "shop", {"metadata": {"annotations": {KEPT: "{"}}})
    (finding,) = (await there.plan(specs())).plan.findings
    assert finding.rule == "marker-broken"


async def test_kubevirts_word_counts_where_it_moved_a_machine_itself(there: Lab) -> None:
    machine(there.api)
    async with playing(there):
        await there.apply(specs())
    there.api.change(VMIS, "db", "shop", {"status": {"nodeName": "node01"}})
    there.api.drop("pods", next(name for _, name in there.api.objects["pods"]), "shop")
    launcher(there.api, "db", "node01", "virt-launcher-db-5")
    (change,) = (await there.plan(specs())).plan.changes
    assert (change.kind, change.source) == (ChangeKind.MOVE, "lab/node01")
    async with playing(there):
        again = await there.apply(specs())
    assert again.outcome and again.outcome.groups == {"db": GroupState.DONE} and there.where() == "node02"


async def test_one_cluster_under_two_names_is_unknown_under_both(there: Lab) -> None:
    """Its machine would be two workloads, each moved to where the other does not want it."""
    machine(there.api)
    first = specs()
    (spec,) = first.clusters.values()
    other = spec.model_copy(update={"metadata": spec.metadata.model_copy(update={"name": "lob"})})
    section = first.workloads["db"].spec.model_copy(update={"placement": Placement(cluster="lob", node="node01")})
    twin = first.workloads["db"].model_copy(
        update={"spec": section, "metadata": spec.metadata.model_copy(update={"name": "db2"})}
    )
    both = first.model_copy(
        update={"clusters": {**first.clusters, "lob": other}, "workloads": {**first.workloads, "db2": twin}}
    )
    assert not (await there.plan(both)).world.unknown(), "its identity may not be read"
    there.api.put("namespaces", {"metadata": {"name": "kube-system", "uid": "u-1"}})
    seen = await there.plan(both)
    assert {name: one.code for name, one in seen.world.unknown().items()} == {"lab/": "H292", "lob/": "H292"}
    assert not seen.plan.changes and seen.world.hosts.keys() == {"lab/", "lob/"}
    assert "same cluster as lob/" in str(seen.plan.findings)
    assert [change.kind for change in (await there.plan(first)).plan.changes] == [ChangeKind.MOVE]


async def test_doctor_lists_the_rights_that_lack(there: Lab) -> None:
    api = there.api
    reviews = "authorization.k8s.io/selfsubjectaccessreviews"
    found = await examine(specs(), ["lab/"], lambda said: None)
    assert [one.name for one in found.hosts] == ["lab/", "lab/node01", "lab/node02"]
    assert "does not say" in found.hosts[0].problems[0].message and found.exit_code == 0
    inner = api.send

    async def send(request: Request) -> HttpAnswer:
        if not request.path.endswith("selfsubjectaccessreviews"):
            return await inner(request)
        about = json.loads(request.body)["spec"]["resourceAttributes"]
        allowed = (about["verb"], about["resource"]) != ("create", "virtualmachineinstancemigrations")
        return HttpAnswer(201, json.dumps({"status": {"allowed": allowed}}))

    api.send = send  # type: ignore[method-assign]
    assert reviews not in api.objects
    found = await examine(specs(), ["lab"], lambda said: None)
    (problem,) = found.hosts[0].problems
    assert problem.message.endswith(": create virtualmachineinstancemigrations.kubevirt.io")
    assert found.exit_code == 7


def test_the_role_gives_what_is_asked_for_and_no_more() -> None:
    role, draining = yaml.safe_load_all(ROLE.read_text())
    assert draining["rules"] == [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["patch"]}]
    given = {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert given == {(one.group, one.plural, verb) for one, verbs in NEEDED for verb in verbs}


def test_quantities() -> None:
    told = {"": 0, "2Gi": 2**31, "1.5Ki": 1536, "1500m": 1, "1e3": 1000, "12M": 12_000_000, ".5k": 500}
    assert {text: quantity(text, "it") for text in told} == told
    for bad in ("x", "-1", "1GB", "1 Gi", "1e99", [], True, -1, "9" * 30):
        with pytest.raises(HostError):
            quantity(bad, "it")
