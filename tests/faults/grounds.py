"""What a runtime's hosts are like for the matrix: how the workload is declared there, how a host is made empty,
what must not be left on it, and what the runtime says that runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from reconciler.lab import Lab
from tests.lab import pods, trees
from tests.lab.repo import Repo
from tests.lab.tidying import END_HOLDS, END_TREES

NAME = "counter"
_EMPTY = """
pkill -9 -x criu
rm -rf /var/lib/reconciler/workloads /run/reconciler
sed -i /reconciler-link:/d /root/.ssh/authorized_keys
pkill -9 -x criu; pkill -x ssh; true
"""
_LEFT = """
awk '/[.]checkpoint/{print "mounted:", $2}' /proc/mounts
ls /run/reconciler/links 2>/dev/null | grep -v '^\\.' | sed 's/^/link: /'
grep -h reconciler-link /root/.ssh/authorized_keys | sed 's/.* /key: /'
grep -h pwned /root/.ssh/authorized_keys | sed 's/^/a lie: /'
pgrep -a -x criu | sed 's/^/process: /'
true
"""


def _container(runtime: str, repo: Repo, host: str, memory: int, more: dict[str, Any]) -> None:
    repo.counter(NAME, on=host, memory=memory, runtime=runtime, **more)


def _nothing(lab: Lab) -> None:
    pass


@dataclass(frozen=True)
class Ground:
    """Hosts of one runtime. `tidy` and `left` are run by their shells; `left` prints a line for each thing that a
    finished move leaves there and should not, with the workload running on one of them; `says` prints `running`
    where the runtime says so."""

    runtime: str
    tidy: str
    left: str
    says: str
    declare: Callable[[Repo, str, int, dict[str, Any]], None]
    backend: str | None = None
    prepare: Callable[[Lab], None] = _nothing
    pauses: bool = False

    @property
    def results(self) -> str:
        """What the results of its matrix are called."""
        return "faults" if self.runtime == "podman" else f"faults-{self.runtime}"


PODMAN = Ground(
    "podman",
    tidy="""
pkill -9 -x criu
podman rm --all --force --time 0 >/dev/null 2>&1
podman volume rm --all --force >/dev/null 2>&1
awk '/userdata.checkpoint/{print $2}' /proc/mounts | xargs -r umount
"""
    + _EMPTY,
    left="podman ps --all --format '{{.Names}} {{.State}}' | grep -v -x 'counter running'\n"
    + _LEFT
    + "pgrep -f 'lazy-pages /[^ ]*userdata$' | sed 's/^/serves memory: /'; true\n",
    says="podman ps --filter name='^counter$' --format '{{.State}}'",
    declare=partial(_container, "podman"),
)


DOCKER = Ground(
    "docker",
    tidy=END_HOLDS
    + """
docker container ls --all --quiet | xargs -r docker rm --force --volumes >/dev/null
docker volume ls --quiet | xargs -r docker volume rm --force >/dev/null
awk '/[.]checkpoint/{print $2}' /proc/mounts | xargs -r umount
rm -rf /var/lib/reconciler/docker
"""
    + _EMPTY,
    left="docker ps --all --format '{{.Names}} {{.State}}' | grep -v -x 'counter running'\n"
    "docker ps --quiet | grep -q . || ls -A /var/lib/reconciler/docker 2>/dev/null | sed 's/^/ours: /'\n" + _LEFT,
    says="docker ps --filter name='^/counter$' --format '{{.State}}'",
    backend="docker",
    declare=partial(_container, "docker"),
    pauses=True,
)


def _started(lab: Lab) -> None:
    for host in lab.hosts:
        pods.start_containerd(lab, host.name)


_POD = 'labels."io.cri-containerd.kind"==container'
CONTAINERD = Ground(
    "cri",
    tidy=END_HOLDS
    + """
for task in $(ctr -n k8s.io tasks ls -q); do ctr -n k8s.io tasks kill -s KILL $task; done
sleep 1
for one in $(ctr -n k8s.io tasks ls -q); do ctr -n k8s.io tasks rm -f $one; done >/dev/null 2>&1
awk '/[.]checkpoint/{print $2}' /proc/mounts | xargs -r umount
rm -rf /var/lib/reconciler/cri /var/log/pods/*
"""
    + _EMPTY,
    left=_LEFT,
    says=f"""for id in $(ctr -n k8s.io containers ls -q '{_POD}'); do
    ctr -n k8s.io tasks ls | awk -v id=$id '$1 == id && $3 == "RUNNING" {{ print "running" }}'
done""",
    backend="containerd",
    declare=partial(_container, "cri"),
    prepare=_started,
)


def _tree(repo: Repo, host: str, memory: int, more: dict[str, Any]) -> None:
    trees.segment(repo)
    repo.workloads[NAME] = trees.tree(repo.address(), memory, host) | more
    repo.write()


PROCESS = Ground(
    "process",
    tidy=END_HOLDS
    + END_TREES
    + """
awk '/[.]checkpoint/{print $2}' /proc/mounts | xargs -r umount
rm -rf /var/lib/reconciler/processes
"""
    + _EMPTY,
    left="ls -A /var/lib/reconciler/processes 2>/dev/null | grep -v -x counter\n"
    "pgrep -x counter >/dev/null || ls -A /var/lib/reconciler/processes 2>/dev/null | sed 's/^/ours: /'\n" + _LEFT,
    says="pgrep -x counter >/dev/null && echo running",
    declare=_tree,
    prepare=lambda lab: trees.put(lab, trees.built()),
)

GROUNDS = {ground.runtime: ground for ground in (PODMAN, DOCKER, CONTAINERD, PROCESS)}
