"""Compose files like public ones, written for this: each becomes specs that are valid, and what they cannot say is
named. `files/` has 63 of them, `units/` Quadlet's."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from reconciler.cli.main import run
from reconciler.errors import InputError
from reconciler.load import load
from reconciler.load.foreign import quadlet, service
from reconciler.load.foreign.base import Import, Service
from reconciler.load.foreign.compose import read_compose
from reconciler.load.foreign.interpolate import interpolate
from reconciler.load.foreign.quadlet import read_quadlet
from reconciler.load.foreign.write import checked, lost, render

HERE = Path(__file__).parent
FILES = sorted((HERE / "files").glob("*.yaml"))
HOST = "---\napiVersion: reconciler/v1alpha1\nkind: Host\nmetadata: {name: h1}\nspec: {address: 192.0.2.1}\n"
FIRST = {
    *("image", "command", "entrypoint", "env", "secretEnv", "user", "workdir", "hostname", "mounts", "volumes"),
    *("networks", "ports", "limits", "restart", "annotations", "ociRuntime", "readOnly", "capAdd", "capDrop"),
}
"""What release 0.1.0 could say."""


def imported(path: Path) -> Import:
    return checked(read_compose(path, {}))


def said_before(one: Service) -> bool:
    """Whether the first release could say all of it, aliases and folders that move apart."""
    ranges = any(isinstance(port["host"], str) for port in one.container.get("ports", ()))
    more = one.container.get("limits", {}).keys() - {"memory", "cpus", "pids"}
    moves = any(mount.get("move") for mount in one.container.get("mounts", ()))
    return not (lost(one) or ranges or more or moves or one.container.keys() - FIRST)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_made_is_valid(path: Path, tmp_path: Path) -> None:
    made = imported(path)
    (tmp_path / "spec.yaml").write_text(render(made, "h1") + HOST)
    assert len(load([tmp_path]).workloads) == len(made.services) > 0


def test_most_can_be_said() -> None:
    """The table in docs/specs.md."""
    services = [one for path in FILES for one in imported(path).services]
    now = sum(not lost(one) for one in services)
    before = sum(said_before(one) for one in services)
    assert len(FILES) >= 60
    table = (HERE.parents[1] / "docs/specs.md").read_text()
    assert f"| {len(services)} services of {len(FILES)} files | {before} | {now} |" in table, (
        len(services),
        before,
        now,
    )
    assert all(note.why for one in services for note in one.notes)


def one_service(tmp_path: Path, section: str, more: str = "") -> Service:
    path = tmp_path / "compose.yaml"
    path.write_text(f"name: shop\nservices:\n  web:\n    image: a:1\n{section}\n{more}")
    return imported(path).services[0]


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        ("    ports: [22:22]", "ports", [{"container": 22, "host": 22}]),
        ("    restart: no", None, None),
        ("    restart: on-failure:3", "restartRetries", 3),
        ("    environment: {A: yes, B: 1, C: true}", "env", {"A": "yes", "B": "1", "C": "true"}),
        ("    environment: {API_TOKEN: '${T}'}", "secretEnv", {"API_TOKEN": {"fromEnv": "T"}}),
        ("    command: a 'b c'", "command", ["a", "b c"]),
        ("    volumes: [./data:/d]", "mounts", [{"source": "/srv/shop/data", "target": "/d", "move": True}]),
        (
            "    volumes: [./a.conf:/d:ro]",
            "mounts",
            [{"source": "/srv/shop/a.conf", "target": "/d", "readOnly": True}],
        ),
        ("    volumes: [/d]", "volumes", [{"name": "shop-web-d", "target": "/d"}]),
        ("    shm_size: 64m", "shmSize", "64MiB"),
        ("    network_mode: host", "networkMode", "host"),
    ],
)
def test_how_things_are_said(tmp_path: Path, section: str, field: str | None, value: object) -> None:
    one = one_service(tmp_path, section)
    assert not lost(one)
    if field is None:
        assert "restart" not in one.container
    else:
        assert one.container[field] == value


@pytest.mark.parametrize(
    ("section", "word"),
    [
        ("    network_mode: service:db", "share a namespace"),
        ("    blkio_config: {weight: 1}", "no field"),
        ("    deploy: {replicas: 2}", "one for each"),
        ("    volumes_from: [db]", "one workload"),
        ("    some_key: 1", "no key"),
        ("    logging: {driver: syslog}", "no driver"),
        ("    ports: ['80']", "port of the host"),
        ("    sysctls: {vm.swappiness: 1}", "whole host"),
    ],
)
def test_what_cannot_be_said_is_named(tmp_path: Path, section: str, word: str) -> None:
    (note,) = lost(one_service(tmp_path, section))
    assert word in note.why


def test_secrets_are_not_written_down(tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(
        "services: {web: {image: 'a:1', environment: {DB_PASSWORD: hunter2, U: 'http://a:hunter2@b'}}}"
    )
    text = render(imported(path), "h1")
    assert "hunter2" not in text and "DB_PASSWORD" in text


@pytest.mark.parametrize("text", ["", "[]", "services: 1", "a: [", "services: {a: {ulimits: 4}}"])
def test_what_is_no_compose_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(text)
    with pytest.raises(InputError):
        read_compose(path, {})


ODD = [5, -1, 1.5, True, "x", "", ":", "a:b:c:d", "'", [], {}, [5], [[1]], [None], [{"a": 1}], {"a": 1}]
ODD += [{"a": {"b": [1]}}, {"test": 5}, {"options": 5}, {"driver": []}, {"resources": 5}, {5: None}, "9" * 400]
KEYS = sorted({*service.SAYS, *service.ELSEWHERE, *service.QUIET, *service.TOLD, *service.NAMESPACES, "image"})


@pytest.mark.parametrize("key", KEYS)
def test_no_value_is_an_error_of_the_program(tmp_path: Path, key: str) -> None:
    path = tmp_path / "compose.yaml"
    for value in ODD:
        path.write_text(yaml.safe_dump({"services": {"a": {"image": "a:1", key: value}}}))
        with suppress(InputError):
            render(imported(path), "h1")


@pytest.mark.parametrize(
    "key", ["services", "networks", "volumes", "secrets", "configs", "name", "x-a", "include", 5]
)
def test_no_value_at_the_top_is_an_error_of_the_program(tmp_path: Path, key: object) -> None:
    path = tmp_path / "compose.yaml"
    used = {"image": "a:1", "networks": ["a"], "volumes": ["a:/a"], "secrets": ["a"], "configs": ["a"]}
    for value in [*ODD, *({"a": one} for one in ODD)]:
        path.write_text(yaml.safe_dump({"services": {"a": used}, key: value}))
        with suppress(InputError):
            render(imported(path), "h1")


@pytest.mark.parametrize(
    "key", sorted({*quadlet.LISTS, *quadlet.ONES, *quadlet.YES, *quadlet.HEALTH, *quadlet.SPECIAL})
)
def test_no_value_of_a_unit_is_an_error_of_the_program(tmp_path: Path, key: str) -> None:
    for value in [str(one) for one in ODD] + [
        "=",
        "a=",
        "=b",
        ",",
        '"',
        "%",
        "\\",
        "host",
        "none",
        "a=1:",
        "/",
        ".",
    ]:
        with suppress(InputError):
            render(Import([one_unit(tmp_path, f"User=1\nHealthCmd=x\nLogDriver=journald\n{key}={value}")]), "h1")


LAUGHS = "x-0: &a0 [ha, ha]\n" + "".join(f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
LONG = f"x-0: &a0 {'ha' * 10_000}\n" + f"x-1: [{', '.join(['*a0'] * 9_000)}]\n"
CHAIN = "".join(f"  s{n}: {{extends: s{n + 1}}}\n" for n in range(3000))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("services: &a {a: {image: x, labels: *a}}", "alias"),
        ("x-a: &a [*a]\nservices: {a: {image: x}}", "alias"),
        ("services: {a: {image: x, ? &k [*k] : 1}}", "alias"),
        (LAUGHS + "services: {a: {image: x, labels: *a29}}", "values"),
        (LONG + "services: {a: {image: x}}", "values"),
        (f"services: {{a: {{image: x, x-deep: {'[' * 90}{']' * 90}}}}}", "deep"),
        (f"services: {{a: {{image: x, x-deep: {'[' * 5000}{']' * 5000}}}}}", "deep"),
        (f"services:\n{CHAIN}", "of another kind"),
        ("services: {a: {image: x, image: y}}", "twice"),
        ("services:\n  a: {image: x}\n  a: {image: y}\n", "twice"),
        ("services: {a: {image: x}}\nservices: {}", "twice"),
        ('services: {a: {image: x, command: "\\ud800"}}', "character"),
        ("services: {a: {image: x, init: !!bool never}}", ""),
        ("services: {a: {image: x, oom_score_adj: !!int ''}}", ""),
        ("services: {a: {image: x, deploy: {resources: {limits: {pids: 1.0e+999}}}}}", "of another kind"),
    ],
)
def test_what_only_looks_like_one_is_refused_and_soon(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_compose(path, {})
    assert caught.value.code == "E189" and why in caught.value.why and str(path) in caught.value.where


def test_merged_keys_may_be_there_again(tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text("x-a: &a {image: 'a:1', user: '1'}\nservices: {b: {<<: *a, user: '2'}, c: {<<: [*a]}}")
    assert [one.container["user"] for one in imported(path).services] == ["2", "1"]


def test_services_whose_names_are_one_here_stay_two(tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(
        "name: shop\nservices:\n"
        "  my_app: {image: 'a:1', volumes: ['d_a:/d'], networks: [n_a]}\n"
        "  my-app: {image: 'a:2', volumes: ['d-a:/d'], networks: [n-a]}\n"
        "  other: {image: 'a:3', container_name: my-app}\n"
        "networks: {n_a: {}, n-a: {}}\n"
    )
    made = imported(path)
    assert [one.name for one in made.services] == ["my-app", "my-app-2", "my-app-3"]
    assert all("called my-app" in one.notes[0].why for one in made.services[1:])
    assert made.services[0].container["volumes"] == [{"name": "shop-d-a", "target": "/d"}]
    assert [note.what for one in made.services for note in lost(one)] == ["volumes: /d"]
    assert [one.container["networks"][0]["name"] for one in made.services[:2]] == ["shop-n-a", "shop-n-a-2"]
    assert made.networks.keys() >= {"shop-n-a", "shop-n-a-2"}
    (tmp_path / "spec.yaml").write_text(render(made, "h1") + HOST)
    path.unlink()
    assert len(load([tmp_path]).workloads) == 3


def test_comments_hold_nothing_for_a_terminal(tmp_path: Path) -> None:
    one = one_service(tmp_path, '    "a\\e[2Jb": 1')
    assert "\x1b" not in render(Import([one]), "h1") and "a\\x1b[2Jb" in render(Import([one]), "h1")


def test_variables() -> None:
    missing: set[str] = set()
    given = {"a": ["$A-${B:-${C:-d}}", "$$A", "${A:+x}${E:+y}", "${N}", "${EMPTY-z}${EMPTY:-w}"]}
    found = interpolate(given, {"A": "1", "EMPTY": ""}, missing)
    assert found == {"a": ["1-d", "$A", "x", "", "w"]} and missing == {"N"}


def test_a_quadlet_unit() -> None:
    (one,) = checked(read_quadlet(HERE / "units" / "web.container")).services
    assert [note.what for note in lost(one)] == ["AutoUpdate=registry"]
    container = one.container
    assert one.name == "front" and container["restart"] == "always" and container["stopTimeout"] == "30s"
    assert container["env"] == {"MODE": "prod", "NOTE": "two words"}
    assert container["networks"][0]["ip"] == "10.0.0.5"
    assert container["capAdd"] == ["NET_BIND_SERVICE", "SYS_TIME"]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "specs.yaml"
    assert run(["import", str(HERE / "files" / "redis.yaml"), "--host", "h1", "--out", str(out)]) == 0
    assert [d["kind"] for d in yaml.safe_load_all(out.read_text())] == ["Network", "Workload"]
    assert run(["import", str(HERE / "files" / "redis.yaml"), "--host", "h1", "--out", str(out)]) == 4
    assert run(["import", str(HERE / "files" / "gluetun.yaml"), "--host", "h1"]) == 2
    assert "# NOT HERE: network_mode: service:vpn" in capsys.readouterr().out
    assert run(["import", str(tmp_path / "none.yaml"), "--host", "h1"]) == 4


def one_unit(tmp_path: Path, container: str, more: str = "", name: str = "web.container") -> Service:
    path = tmp_path / name
    path.write_text(f"[Container]\nImage=a:1\n{container}\n{more}")
    return checked(read_quadlet(path)).services[0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("PidsLimit=x", "pids_limit of web"),
        ("HealthCmd=true\nHealthRetries=x", "healthcheck of web"),
        ("Label='a", "Label='a: No closing quotation"),
        ('Environment="A=1', "Environment="),
        ("Sysctl='net.core.somaxconn=1", "Sysctl="),
        ("Annotation=a='", "Annotation="),
        ("AddCapability='", "AddCapability="),
        ("a line", "line 3"),
        ("=1", "line 3"),
        ("Exec=a \\\n  b\nno sign", "line 5"),
    ],
)
def test_what_is_no_unit_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        one_unit(tmp_path, text)
    assert caught.value.code == "E189" and why in caught.value.why and "web.container" in caught.value.where


def test_a_key_of_no_section_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.container").write_text("Image=a:1\n[Container]\nImage=a:1\n")
    with pytest.raises(InputError, match="not a Quadlet unit"):
        read_quadlet(tmp_path / "a.container")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Ulimit=host", "Ulimit=host"),
        ("Ulimit=nofile", "Ulimit=nofile"),
        ("Ulimit=nofile=a:b", "Ulimit=nofile=a:b"),
        ("Ulimit=nofile=1:2:3", "Ulimit=nofile=1:2:3"),
        ("LogOpt=path", "LogOpt=path"),
        ("Group=5", "Group=5"),
        ("IP=10.0.0.5", "IP=10.0.0.5"),
        ("Network=host\nNetworkAlias=a", "NetworkAlias=a"),
        ("Network=container:db", "network_mode: container:db"),
        ("Network=db.container", "network_mode: container:db.container"),
        ("Network=pasta:-t,80", "Network=pasta:-t,80"),
        ("Network=lan.network:isolate=true", "Network=lan.network:isolate=true"),
        ("ReadOnly=maybe", "ReadOnly=maybe"),
        ("Volume=%h/x:/y", "Volume=%h/x:/y"),
        ("Exec=serve %i", "Exec=serve %i"),
        ("HostName=%%%H", "HostName=%%%H"),
        ("[Unit]\nRequires=db.service", "[Unit] Requires=db.service"),
        ("[Unit]\nConditionPathExists=/x", "[Unit] ConditionPathExists=/x"),
        ("[Service]\nExecStartPre=/bin/a\nExecStartPre=/bin/b", "[Service] ExecStartPre=/bin/a /bin/b"),
        ("[Service]\nRestartSec=5", "[Service] RestartSec=5"),
        ("[Quadlet]\nDefaultDependencies=false", "[Quadlet] DefaultDependencies=false"),
    ],
)
def test_what_of_a_unit_cannot_be_said_is_named(tmp_path: Path, text: str, what: str) -> None:
    assert [note.what for note in lost(one_unit(tmp_path, text))] == [what]


def test_what_of_a_unit_means_nothing_here_is_told(tmp_path: Path) -> None:
    more = "[Service]\nTimeoutStartSec=900\n[Install]\nWantedBy=default.target\n[X-Mine]\na=b"
    one = one_unit(tmp_path, "", f"[Unit]\nDescription=x\nAfter=a.service\n{more}")
    told = ["[Unit] After=a.service", "[Service] TimeoutStartSec=900", "[Install] WantedBy=default.target"]
    assert not lost(one) and [note.what for note in one.notes] == told


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("Exec=a \\\n# not this\n  ; nor this\n  b \\\n\nUser=7", "command", ["a", "b"]),
        ("# no continuation \\\nUser=7", "user", "7"),
        ("Exec=a \\", "command", ["a"]),
        ("Exec=date +50%% +%k %", "command", ["date", "+50%", "+%k", "%"]),
        ("ReadOnly=Yes", "readOnly", True),
        ("RunInit=0", "init", False),
        ("NoNewPrivileges=1", "securityOpt", {"noNewPrivileges": True}),
        (
            "Ulimit=nofile=5\nUlimit=core=-1:-1",
            "ulimits",
            {"nofile": {"soft": 5, "hard": 5}, "core": {"soft": -1, "hard": -1}},
        ),
        ("LogDriver=journald\nLogOpt=tag=a=b", "logging", {"driver": "journald", "tag": "a=b"}),
        (
            "Network=lan.network:ip=10.0.0.5,mac=02:00:00:00:00:01,alias=w",
            "networks",
            [{"name": "lan", "ip": "10.0.0.5", "mac": "02:00:00:00:00:01", "aliases": ["w", "web"]}],
        ),
    ],
)
def test_how_a_unit_says_things(tmp_path: Path, text: str, field: str, value: object) -> None:
    one = one_unit(tmp_path, text)
    assert not lost(one) and one.container[field] == value


def test_a_unit_whose_name_or_image_systemd_fills_in(tmp_path: Path) -> None:
    (tmp_path / "web@.container").write_text("[Container]\nImage=a:%i\nContainerName=web-%i\n")
    (one,) = checked(read_quadlet(tmp_path / "web@.container")).services
    assert one.name == "web" and one.container["image"] == "localhost/web:latest"
    assert [note.what for note in lost(one)] == ["Image=a:%i", "ContainerName=web-%i"]
