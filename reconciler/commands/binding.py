"""What a saved plan is bound to: it was reviewed for these specs, of this repository, and for these hosts as
they were. `apply FILE` compares all of it with what is at hand, and names what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler import __version__
from reconciler.core.digests import host_digests, spec_digest
from reconciler.errors import StalePlan
from reconciler.load.gitinfo import Repository
from reconciler.model.base import Model, canonical_json
from reconciler.model.place import seat
from reconciler.model.spec import Host, Spec
from reconciler.model.world import World

AGAIN = "look at a new plan: reconcile plan --out FILE"


class Binding(Model):
    """`program`: the release that planned. `specs`: digest of what they say. `roots`: the repository's first
    commits, empty for a shallow clone or outside git; `remote`: where it comes from, without credentials.
    `hosts`: how each is reached and by which key it is known. `seen`: digest of each host as it was; empty for
    one that was not seen."""

    program: str
    specs: str
    commit: str | None = None
    dirty: bool = False
    roots: tuple[str, ...] = ()
    remote: str = ""
    hosts: dict[str, str] = {}
    seen: dict[str, str] = {}

    @property
    def at(self) -> str:
        """The commit in words."""
        if not self.commit:
            return "in no commit"
        return f"at {self.commit[:7]}{' with uncommitted changes' if self.dirty else ''}"


def bind(spec: Spec, world: World, found: Repository) -> Binding:
    """What a plan of these specs, of the repository that was found, is bound to."""
    return Binding(
        program=__version__,
        specs=spec_digest(spec),
        commit=spec.commit,
        dirty=spec.dirty,
        roots=found.roots,
        remote=found.remote,
        hosts={
            **{name: _reached(host) for name, host in spec.hosts.items()},
            **{seat(name): canonical_json(cluster.spec) for name, cluster in spec.clusters.items()},
        },
        seen=host_digests(world),
    )


def refuse_other_specs(saved: Binding, here: Binding) -> None:
    """StalePlan unless the specs at hand are those of the plan; before any host is asked."""
    if differing := list(_of_specs(saved, here)):
        raise StalePlan("the plan is bound to other specs", why="; ".join(differing), fix=AGAIN)


def refuse_other_world(saved: Binding, world: World) -> None:
    """StalePlan unless every host is as it was when the plan was made."""
    if differing := _names(saved.seen, host_digests(world)):
        raise StalePlan("the hosts changed since the plan was made", where=", ".join(differing), fix=AGAIN)


def _of_specs(saved: Binding, here: Binding) -> Iterator[str]:
    if saved.program != here.program:
        yield f"reconcile {saved.program} made it, this is {here.program}"
    if _elsewhere(saved, here):
        yield f"it was made in another repository ({saved.remote or saved.roots[0][:7]})"
    if saved.commit != here.commit:
        yield f"its specs were {saved.at}, these are {here.at}"
    for name in _names(saved.hosts, here.hosts):
        yield f"host {name} was {saved.hosts.get(name, 'not there')} and is {here.hosts.get(name, 'not there')}"
    if saved.specs != here.specs:
        yield "the specs say something else"


def _elsewhere(saved: Binding, here: Binding) -> bool:
    """A shallow clone does not know its first commits; it may know where it comes from."""
    if saved.roots and here.roots:
        return saved.roots != here.roots
    return bool(saved.remote and here.remote) and saved.remote != here.remote


def _reached(host: Host) -> str:
    spec = host.spec
    key = spec.host_key or (spec.host_ca and f"CA {spec.host_ca}") or "no host key"
    return f"{spec.user}@{spec.address}:{spec.port}, {key}"


def _names(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
