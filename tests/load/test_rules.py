"""What the rules over all objects must leave alone. What they refuse is in `cases/`."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import InputError
from reconciler.load import load
from tests.load.fleet import host


def workload(name: str, container: str = "", placement: str = "host: h0", state: str = "running") -> str:
    return f"""---
apiVersion: reconciler/v1alpha1
kind: Workload
metadata: {{name: {name}}}
spec:
  state: {state}
  container: {{image: registry.example/a:1, {container}}}
  placement: {{{placement}}}
"""


def check(folder: Path, *texts: str) -> list[str]:
    """Codes of what is found."""
    (folder / "specs.yaml").write_text(host(0) + host(1) + "".join(texts))
    try:
        load([folder])
    except InputError as error:
        return [d.code for d in error.diagnostics]
    return []


def port(text: str) -> str:
    return f"ports: [{{container: 1, host: 80, {text}}}]"


LEFT_ALONE = {
    "one address on two networks": (
        workload("a", "networks: [{name: lan, ip: 10.0.0.1}]"),
        workload("b", "networks: [{name: wan, ip: 10.0.0.1}]"),
    ),
    "networks nobody defines": (workload("a", "networks: [{name: podman}]"),),
    "tcp and udp": (workload("a", port("protocol: tcp")), workload("b", port("protocol: udp"))),
    "ports on two addresses": (
        workload("a", port("address: 192.0.2.1")),
        workload("b", port("address: 192.0.2.2")),
    ),
    "ports on two hosts": (workload("a", port("")), workload("b", port(""), "host: h1")),
    "bind mounts may be shared": (
        workload("a", "mounts: [{source: /srv, target: /srv}]"),
        workload("b", "mounts: [{source: /srv, target: /srv}]"),
    ),
    "absent workloads claim nothing": (
        workload("a", "volumes: [{name: v, target: /v}]"),
        workload("b", "volumes: [{name: v, target: /v}]", "host: gone", state="absent"),
    ),
    "harmless values of variables that sound secret": (
        workload("a", 'env: {ALLOW_EMPTY_PASSWORD: "yes", DB_PASSWORD_FILE: /run/secrets/db, TOKEN: ""}'),
    ),
}


@pytest.mark.parametrize("texts", LEFT_ALONE.values(), ids=LEFT_ALONE.keys())
def test_left_alone(tmp_path: Path, texts: tuple[str, ...]) -> None:
    assert check(tmp_path, *texts) == []


def test_a_port_on_all_addresses_takes_every_address(tmp_path: Path) -> None:
    both = (workload("a", port('address: "0.0.0.0"')), workload("b", port("address: 192.0.2.2")))
    assert check(tmp_path, *both) == ["E143"]


def test_stopped_workloads_keep_what_is_theirs(tmp_path: Path) -> None:
    volume = "volumes: [{name: v, target: /v}]"
    assert check(tmp_path, workload("a", volume), workload("b", volume, state="stopped")) == ["E144"]


def test_addresses_are_compared_as_addresses(tmp_path: Path) -> None:
    both = (
        workload("a", 'networks: [{name: lan, ip: "2001:db8::1"}]'),
        workload("b", 'networks: [{name: lan, ip: "2001:0DB8:0::1"}]'),
    )
    assert check(tmp_path, *both) == ["E141"]


def test_an_object_that_is_not_valid_still_counts_as_defined(tmp_path: Path) -> None:
    broken = host(7).replace("address:", "adress:")
    assert check(tmp_path, broken, workload("a", "", "host: h7")) == ["E103"]


def test_all_findings_of_a_run_at_once(tmp_path: Path) -> None:
    texts = [workload(f"w{n}", "usr: a", "host: h9") for n in range(50)]
    assert check(tmp_path, *texts) == ["E103"] * 50
    texts = [workload(f"w{n}", "", "host: h9") for n in range(50)]
    assert check(tmp_path, *texts) == ["E146"] * 50
