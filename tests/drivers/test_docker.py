"""Docker's options and answers: what a spec becomes, what recorded answers mean, hosts that lie. Fake: hosts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import HostError, Refused
from reconciler.facts.adding import with_runtime
from reconciler.hosts.base import pump
from reconciler.model.command import Command
from reconciler.model.container import Container
from reconciler.model.labels import ANNOTATION_CRIU, LABEL_SPEC
from reconciler.model.spec import Workload
from reconciler.model.world import HostFacts, InstanceState
from reconciler.runtimes.docker import observing, options, parse, places
from reconciler.runtimes.docker.driver import DockerDriver
from reconciler.runtimes.docker.unsupported import unsupported
from tests.unit.lies import LIES, Liar, harmless
from tests.unit.test_lying_answers import refusal

RECORDED = (Path(__file__).parent / "data" / "docker" / "observe.txt").read_text(encoding="utf-8")
ID = "a" * 64
HOST = HostFacts(name="h1")


def workload(**fields: Any) -> Workload:
    spec = {"runtime": "docker", "container": {"image": "app:1", **fields}, "placement": {"host": "h1"}}
    api = {"apiVersion": "reconciler/v1alpha1", "kind": "Workload"}
    return Workload.model_validate({**api, "metadata": {"name": "web"}, "spec": spec})


def made(**fields: Any) -> tuple[str, ...]:
    return options.create_argv(
        workload(**fields), image="app:1", restart="no", secrets=fields.get("secretEnv", {})
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"entrypoint": ["a", "b"], "command": ["c"]}, ("--entrypoint=a", "--", "app:1", "b", "c")),
        ({"entrypoint": []}, ("--entrypoint=", "--", "app:1")),
        ({"command": ["--privileged"]}, ("--", "app:1", "--privileged")),
        ({"secretEnv": {"KEY": {"fromEnv": "K"}}}, ("--env=KEY",)),
        (
            {"networks": [{"name": "lan", "ip": "10.0.0.9", "ip6": "fd00::9", "mac": "02:00:00:00:00:09"}]},
            ("--network=name=lan,ip=10.0.0.9,ip6=fd00::9,mac-address=02:00:00:00:00:09",),
        ),
        ({"networkMode": "host"}, ("--network=host",)),
        ({"volumes": [{"name": "v", "target": "/v"}]}, ("--mount=type=volume,source=v,target=/v",)),
        (
            {"mounts": [{"source": "/a", "target": "/b", "readOnly": True}]},
            ("--mount=type=bind,source=/a,target=/b,readonly",),
        ),
        ({"healthcheck": {"disabled": True}}, ("--no-healthcheck",)),
        (
            {"logging": {"driver": "json-file", "maxSize": "1MiB"}},
            ("--log-driver=json-file", "--log-opt=max-size=1048576"),
        ),
        ({"limits": {"memory": "1MiB", "cpus": 0.5}}, ("--memory=1048576b", "--cpus=0.5")),
        ({"tmpfs": [{"target": "/t", "size": "1MiB", "exec": True}]}, ("--tmpfs=/t:size=1048576,exec",)),
        ({"ipc": "host"}, ("--ipc=host",)),
    ],
)
def test_what_a_spec_becomes(fields: dict[str, Any], words: tuple[str, ...]) -> None:
    argv = made(**fields)
    assert [word for word in argv if word in words][-len(words) :] == list(words), argv
    assert f"--annotation={ANNOTATION_CRIU}=/var/lib/reconciler/workloads/web/criu.conf" in argv
    assert {"--pull=never", "--restart=no", "--name=web"} <= set(argv)
    assert "fromEnv" not in " ".join(word for word in argv if LABEL_SPEC not in word)


@pytest.mark.parametrize(
    "fields",
    [
        {"secretFiles": {"/k": {"fromFile": "k"}}},
        {"mounts": [{"source": "/srv/a", "target": "/a", "move": True}]},
        {"mounts": [{"source": "/srv/a", "target": "/a", "relabel": "shared"}]},
        {"devices": [{"cdi": "vendor.com/gpu=all"}]},
        {"healthcheck": {"command": ["x"]}},
        {"userns": "auto"},
        {"ociRuntime": "crun"},
        {"logging": {"driver": "passthrough"}},
    ],
)
def test_what_docker_cannot_take_is_never_dropped(fields: dict[str, Any]) -> None:
    assert len(list(unsupported(workload(**fields).container))) == 1
    with pytest.raises(Refused) as refused:
        made(**fields)
    assert refused.value.code == "P460" and refused.value.fix


def test_every_field_of_a_container_is_an_option_or_refused() -> None:
    """Whoever adds a field says what Docker makes of it."""
    room = Path(options.__file__).parent
    told = [room / f"{name}.py" for name in ("options", "unsupported", "engine")]
    text = "".join(path.read_text() for path in (*told, room.parent / "oci" / "options.py"))
    elsewhere = {
        "pull": "by who fetches images",
        "registry": "by who fetches images",
        "env_files": "read into env with the specs",
        "secret_env": "as `secrets`, by name",
        "restart": "as `restart`, which differs while it moves",
        "restart_retries": "with it",
    }
    fields = set(Container.model_fields) - elsewhere.keys()
    assert {name for name in fields if not re.search(rf"container\.{name}\b|\.{name}\b", text)} == set()


def test_a_path_that_an_option_cannot_carry_is_refused() -> None:
    with pytest.raises(Refused):
        made(mounts=[{"source": '/a"readonly', "target": "/a"}])


async def observed(text: str = RECORDED, **host: Any) -> HostFacts:
    facts = HOST.model_copy(update=host)
    return with_runtime(facts, "docker", await pump(observing.observe(facts), Liar("h1", lambda _: text)))


async def test_recorded_answers() -> None:
    facts = await observed()
    assert facts.runtimes["docker"] == "26.1.5" and facts.version("runc", "docker") == "1.1.15"
    assert facts.settings["docker"] == ("experimental", "live-restore", "storage=overlay2", "runtime=runc")
    (copy,) = facts.containers
    assert (copy.name, copy.state, copy.runtime) == ("contract", InstanceState.RUNNING, "docker")
    assert copy.annotations[ANNOTATION_CRIU].endswith("/contract/criu.conf")
    assert copy.oci_runtime == "runc" and copy.pid > 0 and copy.started_at > 1.7e9 and copy.restart == "no"
    assert copy.networks[0].name == "lab" and copy.networks[0].ip and copy.networks[0].mac
    assert copy.userdata == f"/var/lib/reconciler/docker/{copy.id}"
    assert copy.upper_dir.endswith("/diff") and copy.options.network_mode == ""
    lab = next(network for network in facts.networks if network.name == "lab")
    assert (lab.driver, lab.parent, lab.on_segment) == ("macvlan", "e0", True)
    (image,) = facts.images
    assert image.names == ("localhost/reconciler-demo:1",) and len(image.id) == 64
    assert [volume.name for volume in facts.volumes] == ["contract-own"]


async def test_what_is_held_is_said_to_be() -> None:
    (copy,) = (await observed(holds=("contract",))).containers
    assert copy.state is InstanceState.HELD


def changed(section: str, text: str) -> str:
    return re.sub(rf"(@@ {section}\n).*?(?=\n@@ )", lambda m: m[1] + text, RECORDED, flags=re.DOTALL)


async def test_an_imitation_is_no_docker() -> None:
    facts = await observed(changed("server", '{"Components": [{"Name": "Podman Engine", "Version": "5.4.2"}]}'))
    assert "docker" not in facts.runtimes and facts.instances == ()


async def test_a_host_without_docker_has_nothing_unless_it_had_it() -> None:
    assert (await observed("@@ server\n\n@@ gone\n\n\n@@ end\n")).runtimes == {}
    assert (await observed("@@ gone\n\n@@ end\n")).runtimes == {}
    with pytest.raises(HostError):
        await observed("@@ gone\n/var/lib/docker/containers/x/\n@@ end\n")


@pytest.mark.parametrize(
    "said", ["permission denied while trying to connect", "Cannot connect to the Docker daemon"]
)
async def test_a_socket_that_is_missing_or_forbidden_makes_the_host_unknown(said: str) -> None:
    with pytest.raises(HostError) as error:
        await observed(f"@@ server\n@@ silent\n{said}\n@@ end\n")
    assert said in error.value.why and error.value.fix


@pytest.mark.parametrize("section", ["server", "info", "disk", "images", "networks", "volumes", "containers"])
@pytest.mark.parametrize("lie", [*LIES, "9" * 5000, "-1"])
async def test_hosts_that_lie(section: str, lie: str) -> None:
    for text in (
        lie,
        json.dumps([{"Name": lie, "Id": lie, "Mountpoint": lie}]),
        json.dumps({"CgroupDriver": lie}),
    ):
        try:
            facts = await observed(changed(section, text))
        except HostError as error:
            refusal(error, "h1")
        else:
            assert all(harmless(volume.mountpoint) for volume in facts.volumes)
            assert all(harmless(network.name) for network in facts.networks)


SETTINGS: dict[str, dict[str, Any]] = {
    "rootless": {"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]},
    "userns-remap": {"SecurityOptions": ["name=userns"]},
    "desktop": {"OperatingSystem": "Docker Desktop"},
    "swarm": {"Swarm": {"LocalNodeState": "active"}},
    "experimental": {"ExperimentalBuild": True},
    "live-restore": {"LiveRestoreEnabled": True},
}


@pytest.mark.parametrize("word", SETTINGS)
def test_how_an_engine_is_set_up(word: str) -> None:
    assert word in parse.settings(SETTINGS[word])
    assert word not in parse.settings({"Swarm": {"LocalNodeState": "inactive"}})


@pytest.mark.parametrize(
    ("driver", "home", "group"),
    [("cgroupfs", ID, f"/docker/{ID}"), ("systemd", f"docker-{ID}", f"/system.slice/docker-{ID}.scope")],
)
def test_where_a_container_is(driver: str, home: str, group: str) -> None:
    folder = places.home(ID, driver)
    assert folder == f"/var/lib/reconciler/docker/{home}"
    assert places.cgroup_path(folder) == group
    assert re.search(places.tasks(folder).cgroup, group)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("redis:7", ("redis:7", "docker.io/library/redis:7")),
        ("me/app:1", ("me/app:1", "docker.io/me/app:1")),
        ("localhost/app:1", ("localhost/app:1",)),
        ("registry:5000/app:1", ("registry:5000/app:1",)),
    ],
)
def test_names_of_images(name: str, names: tuple[str, ...]) -> None:
    assert parse.spellings(name) == names
    assert {parse.familiar(each) for each in names} == {name}


async def test_a_silent_engine_is_not_an_absent_container() -> None:
    from reconciler.errors import CommandFailed
    from reconciler.model.command import Result

    class Silent:
        name = "h1"

        async def run(self, command: Command) -> Result:
            return Result(3, "", "Cannot connect to the Docker daemon")

    with pytest.raises(CommandFailed) as error:
        await pump(DockerDriver().inspect("web"), Silent())
    assert error.value.code == "C362"
