"""A spec's values reach Podman as values, whatever they look like."""

from __future__ import annotations

import base64
import json

import pytest

from reconciler.errors import Refused
from reconciler.model.command import Command, Result
from reconciler.model.container import Mount
from reconciler.model.labels import LABEL_SPEC
from reconciler.model.spec import Workload
from reconciler.runtimes.base import Pull
from reconciler.runtimes.podman import PodmanDriver, options


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


MORE = {
    "init": True,
    "tty": True,
    "stdinOpen": True,
    "labels": {"a.b": "c d", "x[0]": "--privileged"},
    "groupAdd": [5],
    "tmpfs": [{"target": "/t", "size": "1MiB", "mode": "0700", "exec": True}, {"target": "/u"}],
    "shmSize": "1MiB",
    "devices": [{"path": "/dev/a", "target": "/dev/b", "permissions": "r"}, {"cdi": "nvidia.com/gpu=all"}],
    "extraHosts": {"db": "fd00::1"},
    "dns": ["10.0.0.1"],
    "dnsSearch": ["x.y"],
    "dnsOptions": ["ndots:2"],
    "limits": {
        "memory": "2MiB",
        "memoryReservation": "1MiB",
        "memorySwap": "4MiB",
        "cpuShares": 5,
        "cpuset": "0-1,3",
    },
    "ulimits": {"nofile": 5, "core": {"soft": 0, "hard": -1}},
    "sysctls": {"net.core.somaxconn": 5},
    "oomScoreAdj": 0,
    "restart": "on-failure",
    "restartRetries": 2,
    "stopSignal": "quit",
    "stopTimeout": "1m",
    "healthcheck": {"command": ["a", "--b"], "interval": "1d", "startPeriod": "5s", "onFailure": "restart"},
    "logging": {"driver": "k8s-file", "maxSize": "1MB", "tag": "t"},
    "securityOpt": {
        "seccomp": "/etc/s.json",
        "noNewPrivileges": True,
        "apparmor": "web",
        "label": {"type": "t", "level": "s0:c1,c2"},
    },
    "userns": "auto",
    "ipc": "private",
    "pid": "host",
    "uts": "host",
    "privileged": True,
    "platform": "linux/arm64",
    "ports": [{"container": "80-81", "host": "8080-8081", "protocol": "sctp"}],
    "mounts": [{"source": "/s", "target": "/s", "relabel": "private"}],
    "secretFiles": {"/run/secrets/key": {"fromFile": "key", "mode": "400", "uid": 5}},
}


@pytest.mark.parametrize(
    ("command", "told"),
    [(["a", "b c"], '["a", "b c"]'), (["a"], "CMD a"), (["a b"], "'a b'"), (["none", "b"], "CMD none b")],
)
def test_a_health_check_is_run_without_a_shell_where_podman_can(command: list[str], told: str) -> None:
    assert f"--health-cmd={told}" in argv(workload(healthcheck={"command": command}))


def test_what_podman_is_told_of_each_field() -> None:
    options_given = set(argv(workload(**MORE), init_path="/usr/bin/catatonit", restart="on-failure:2"))
    assert options_given >= {
        *("--init", "--init-path=/usr/bin/catatonit", "--tty", "--interactive", "--group-add=5", "--privileged"),
        *("--label=a.b=c d", "--label=x[0]=--privileged"),
        *("--tmpfs=/t:size=1048576,mode=0700,exec", "--tmpfs=/u", "--shm-size=1048576b"),
        *("--device=/dev/a:/dev/b:r", "--device=nvidia.com/gpu=all"),
        *("--add-host=db:fd00::1", "--dns=10.0.0.1", "--dns-search=x.y", "--dns-option=ndots:2"),
        *("--memory=2097152b", "--memory-reservation=1048576b", "--memory-swap=4194304b"),
        *("--cpu-shares=5", "--cpuset-cpus=0-1,3"),
        *("--ulimit=nofile=5:5", "--ulimit=core=0:-1", "--sysctl=net.core.somaxconn=5", "--oom-score-adj=0"),
        *("--restart=on-failure:2", "--stop-signal=SIGQUIT", "--stop-timeout=60"),
        *('--health-cmd=["a", "--b"]', "--health-interval=86400s", "--health-start-period=5s"),
        *("--health-on-failure=restart", "--log-driver=k8s-file", "--log-opt=max-size=1000000", "--log-opt=tag=t"),
        *("--security-opt=seccomp=/etc/s.json", "--security-opt=no-new-privileges"),
        *("--security-opt=apparmor=web", "--security-opt=label=type:t", "--security-opt=label=level:s0:c1,c2"),
        *("--userns=auto", "--ipc=private", "--pid=host", "--uts=host", "--platform=linux/arm64"),
        "--publish=8080-8081:80-81/sctp",
        "--mount=type=bind,source=/s,target=/s,readonly=false,relabel=private",
    }
    assert not any(word.startswith("--hostname") for word in options_given), "with uts: host it is the host's"
    (secret,) = (word for word in options_given if word.startswith("--secret"))
    assert secret.endswith(",type=mount,target=/run/secrets/key,mode=0400,uid=5,gid=0") and "/" not in secret[:40]
    assert made_restart(workload(**MORE)) == "on-failure:2"


def made_restart(made: Workload) -> str:
    return made.container.restart_option


def test_ours_are_the_labels_that_count() -> None:
    """Specs cannot say these; this is the second lock."""
    made = workload()
    container = made.container.model_copy(update={"labels": {LABEL_SPEC: "{}"}})
    made = made.model_copy(update={"spec": made.spec.model_copy(update={"container": container})})
    found = [word for word in argv(made) if word.startswith(f"--label={LABEL_SPEC}=")]
    assert len(found) == 1 and found[0] != f"--label={LABEL_SPEC}={{}}"


def test_addresses_and_names_of_an_attachment() -> None:
    joined = {"name": "lan", "ip": "10.0.0.5", "ip6": "fd00::5", "mac": "02:00:00:00:00:05", "aliases": ["b", "a"]}
    made = workload(networks=[joined])
    assert (
        "--network=lan:interface_name=eth0,ip=10.0.0.5,ip6=fd00::5,mac=02:00:00:00:00:05,alias=a,alias=b"
        in argv(made)
    )
    connect = options.connect_argv("web", made.container.networks[0])
    assert connect[3:] == (
        *("--ip=10.0.0.5", "--ip6=fd00::5", "--mac-address=02:00:00:00:00:05", "--alias=a", "--alias=b"),
        *("--", "lan", "web"),
    )


def test_without_a_network_of_its_own() -> None:
    for mode in ("host", "none"):
        for attach in (True, False):
            found = [w for w in argv(workload(networkMode=mode), attach=attach) if w.startswith("--network")]
            assert found == [f"--network={mode}"]


def test_a_login_goes_to_the_registry_of_the_image() -> None:
    for image, registry in (
        ("redis:7", "docker.io"),
        ("library/redis:7", "docker.io"),
        ("quay.io/a/b:1", "quay.io"),
        ("localhost:5000/a", "localhost:5000"),
    ):
        program = PodmanDriver().pull_image(image, Pull(login=("me", b"pass:word")))
        next(program)
        command = program.send(Result(status=1))
        assert isinstance(command, Command) and command.secret and b"pass" not in " ".join(command.argv).encode()
        login = json.loads(command.stdin)["auths"]
        assert login == {registry: {"auth": base64.b64encode(b"me:pass:word").decode()}}
