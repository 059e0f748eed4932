"""A spec's values reach Podman as values, whatever they look like."""

from __future__ import annotations

import json

import pytest

from reconciler.errors import Refused
from reconciler.model.container import Mount
from reconciler.model.labels import LABEL_SPEC
from reconciler.model.spec import Workload
from reconciler.runtimes.podman import options


def workload(**container: object) -> Workload:
    return Workload.model_validate(
        {
            "apiVersion": "reconciler/v1alpha1",
            "kind": "Workload",
            "metadata": {"name": "web"},
            "spec": {"container": {"image": "localhost/demo:1", **container}, "placement": {"host": "h1"}},
        }
    )


def argv(made: Workload, **changes: object) -> tuple[str, ...]:
    how = {"image": "localhost/demo:1", "oci_runtime": "runc", "restart": "no", "attach": True, **changes}
    return options.create_argv(made, **how)  # type: ignore[arg-type]


HOSTILE = ["--privileged", "-v/:/host", "$(reboot)", "a\nb", "a,b=c", '"', "--"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_value_becomes_an_option(text: str) -> None:
    made = workload(command=[text], env={"A": text}, entrypoint=[text], annotations={"x": text})
    words = argv(made)
    own = words.index("--")
    assert words[own:] == ("--", "localhost/demo:1", text)
    plain = argv(workload(command=["c"], env={"A": "v"}, entrypoint=["e"], annotations={"x": "y"}))
    assert [w.partition("=")[0] for w in words[:own]] == [w.partition("=")[0] for w in plain[: plain.index("--")]]


@pytest.mark.parametrize("path", ["/a,b", '/a"b', "/a\nb"])
def test_a_path_that_would_end_the_mount_option_is_refused(path: str) -> None:
    """Specs cannot say some of these; this is the second lock."""
    mount = Mount.model_construct(source=path, target="/x", read_only=False)
    made = workload()
    container = made.container.model_copy(update={"mounts": [mount]})
    with pytest.raises(Refused):
        argv(made.model_copy(update={"spec": made.spec.model_copy(update={"container": container})}))


def test_networks_keep_their_order_and_addresses() -> None:
    networks = [{"name": "z", "ip": "10.0.0.5", "mac": "02:00:00:00:00:05"}, {"name": "a", "ip": "fd00::5"}]
    made = workload(networks=networks)
    assert [w for w in argv(made) if w.startswith("--network")] == [
        "--network=z:interface_name=eth0,ip=10.0.0.5,mac=02:00:00:00:00:05",
        "--network=a:interface_name=eth1,ip6=fd00::5",
    ]
    assert [w for w in argv(made, attach=False) if w.startswith("--network")] == ["--network=bridge"]


def test_the_label_says_what_it_was_made_from() -> None:
    made = workload(env={"B": "2", "A": "1"})
    label = next(w for w in argv(made) if w.startswith(f"--label={LABEL_SPEC}="))
    assert json.loads(label.split("=", 2)[2]) == {"image": "localhost/demo:1", "env": {"A": "1", "B": "2"}}


def test_the_criu_config_cannot_be_chosen_by_the_spec() -> None:
    """Specs cannot say it; this is the second lock."""
    made = workload()
    container = made.container.model_copy(update={"annotations": {"org.criu.config": "/tmp/mine"}})
    made = made.model_copy(update={"spec": made.spec.model_copy(update={"container": container})})
    found = [w for w in argv(made) if w.startswith("--annotation=org.criu.config=")]
    assert found == ["--annotation=org.criu.config=/var/lib/reconciler/workloads/web/criu.conf"]
