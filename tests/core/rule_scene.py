"""A workload that should move, and what rules find about it."""

from dataclasses import dataclass, field

from reconciler.core.index import Index
from reconciler.core.rules import check_change
from reconciler.model.machine import VirtualMachine
from reconciler.model.plan import Change, ChangeKind, Finding
from reconciler.model.process import ProcessTree
from reconciler.model.spec import MigrationPolicy, PolicyRefs
from reconciler.model.updating import Update
from reconciler.model.world import (
    ContainerOptions,
    Preflight,
    ProcessFacts,
    TcpConnection,
)
from reconciler.runtimes import registry
from tests.core.worlds import API, container, domain, facts, host, spec, tree, workload, world

MIB = 2**20
GOOD = {"podman": "5.4.2", "runc": "1.1.15", "crun": "1.28", "criu": "4.2", "kernel": "6.18.0"}
TCP = (TcpConnection(local="10.77.0.100:9000", peer="10.77.0.1:5000"),)
LAN = [{"name": "lab", "ip": "10.77.0.100", "mac": "02:00:00:00:01:00"}]
VOLUME = {"volumes": [{"name": "v", "target": "/v"}]}
APP = [{"source": "/srv/app", "target": "/app"}]


@dataclass
class Scene:
    """A workload `web` on h1 that should be on h2. `here` and `there` change the hosts, `has` the container,
    `wants` its spec, `policy` how it moves; `kind` and `objects` where it is about something else than a move."""

    wants: dict = field(default_factory=dict)
    has: dict = field(default_factory=dict)
    here: dict = field(default_factory=dict)
    there: dict = field(default_factory=dict)
    policy: dict = field(default_factory=dict)
    kind: ChangeKind = ChangeKind.MOVE
    here_too: tuple = ()
    there_too: tuple = ()
    objects: tuple = ()
    runtime: str = "podman"
    abilities: dict = field(default_factory=dict)
    process: dict | None = None
    machine: str = ""
    update: dict = field(default_factory=dict)
    """How it is made anew, where it is that and no move."""

    def findings(self) -> list[Finding]:
        wanted = workload(on="h2", **self.wants)
        named = wanted.spec.model_copy(update={"runtime": self.runtime})
        if self.process is not None:
            process = ProcessTree.model_validate({"command": ["/srv/app"], **self.process})
            named = named.model_copy(update={"container": None, "process": process, "runtime": "process"})
        if self.machine:
            of_libvirt = VirtualMachine(domain=self.machine)
            changes = {"container": None, "virtual_machine": of_libvirt, "runtime": "libvirt"}
            named = named.model_copy(update=changes)
        wanted = wanted.model_copy(update={"spec": named})
        if self.policy:
            named = wanted.spec.model_copy(update={"migration": PolicyRefs(policy="p")})
            wanted = wanted.model_copy(update={"spec": named})
        if self.update:
            named = wanted.spec.model_copy(update={"update": Update.model_validate(self.update)})
            wanted = wanted.model_copy(update={"spec": named})
        moves = self.kind in (ChangeKind.MOVE, ChangeKind.REMOVE) or bool(self.update)
        of = domain if self.machine else container if self.process is None else tree
        some = {"upper_dir": "/up", "userdata": "/u"} if self.process is None and not self.machine else {}
        on_source = (of(wanted, **{**some, **self.has}),) if moves else ()
        has = {"runtimes": {"libvirt": "11.3.0"}} if self.machine else {}
        if self.process is not None:
            has = {"runtimes": {"process": "4.2"}}
        source = facts("h1", *on_source, *self.here_too, **_host(has | self.here))
        destination = facts("h2", *self.there_too, **_host(has | self.there))
        specs = spec(host("h1"), host("h2"), wanted, *self.objects)
        if self.policy:
            policy = MigrationPolicy(
                api_version=API, kind="MigrationPolicy", metadata={"name": "p"}, spec=self.policy
            )
            specs = specs.model_copy(update={"policies": {"p": policy}})
        change = Change(
            kind=ChangeKind.RECREATE if self.update else self.kind,
            interrupts=bool(self.update),
            workload="web",
            source="h1" if moves else None,
            destination="h2",
            reason="test",
        )
        hosts = world(source, destination).model_copy(update={"abilities": self.abilities})
        registry.rules()  # what plans look at, those of runtimes included
        return check_change(change, specs, hosts, Index.of(hosts))


def _host(changes: dict) -> dict:
    changes = dict(changes)
    versions = changes.pop("versions", {})
    asked = changes.pop("preflight", {})
    answers = None if asked is None else Preflight(**{"capabilities": ("CHOWN", "KILL"), **asked})
    changes["preflight"] = answers
    return {"versions": {**GOOD, **versions}, **changes}


def held(**facts_of_processes) -> dict:
    return {"held": ProcessFacts(**facts_of_processes)}


def options(**how) -> dict:
    return {"options": ContainerOptions(**how)}


def foreign(**more):
    """A container on a host that is not ours."""
    other = workload("other")
    return container(other, **{"labels": {}, **more})


LAB = {"name": "lab", "driver": "macvlan", "subnets": ("10.77.0.0/24",), "parent": "e0"}

GIVEN = {"devices": [{"path": "/dev/fuse"}], "securityOpt": {"seccomp": "/etc/web.json"}}
