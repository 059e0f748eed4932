"""Looking at hosts without a plan: can they be used, and what would have to be done."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reconciler.commands.compose import drivers, keys_of, open_fleet
from reconciler.core.checkpoints import places_of
from reconciler.core.feasible import possible_moves, verdicts
from reconciler.core.questions import questions_of
from reconciler.core.rules import MoveVerdict, check_host
from reconciler.engine.lenient import Warn
from reconciler.engine.observe import observe
from reconciler.engine.preflight import look_closer
from reconciler.errors import InputError, ReconcilerError
from reconciler.facts.rights import lacking
from reconciler.hosts.base import Fleet, pump
from reconciler.hosts.scripts import script
from reconciler.model.checkpoint import KeptAt
from reconciler.model.place import cluster_of, node_of, seat
from reconciler.model.plan import Finding
from reconciler.model.question import Question
from reconciler.model.spec import Host, Spec
from reconciler.model.world import HostFacts, HostUnknown, HostView, World
from reconciler.runtimes import registry
from reconciler.runtimes.registry import FoundRuntime
from reconciler.stores import restic

SECURITY = "security.floor"


class Health(StrEnum):
    READY = "ready"
    WARNINGS = "warnings"
    UNUSABLE = "unusable"


@dataclass(frozen=True)
class Examined:
    """One host. `problems` are what to mend. `floors`: releases with known holes; distributions often mend those
    without a new number, so they do not spoil the health."""

    name: str
    view: HostView
    problems: tuple[Finding, ...] = ()
    floors: tuple[Finding, ...] = ()

    @property
    def health(self) -> Health:
        if not isinstance(self.view, HostFacts) or any(p.severity == "refuse" for p in self.problems):
            return Health.UNUSABLE
        return Health.WARNINGS if self.problems else Health.READY


@dataclass(frozen=True)
class Examination:
    hosts: tuple[Examined, ...]
    moves: tuple[MoveVerdict, ...] = ()
    unusable: tuple[FoundRuntime, ...] = ()
    """Runtimes of packages that are installed here and do not work."""

    @property
    def exit_code(self) -> int:
        return 7 if any(host.health is Health.UNUSABLE for host in self.hosts) else 0


def chosen(spec: Spec, names: Sequence[str]) -> dict[str, Host]:
    """The hosts to look at; InputError for a name that no spec defines, as host or cluster."""
    known = sorted({*spec.hosts, *spec.clusters})
    if unknown := [name for name in names if name not in known]:
        raise InputError(
            f"no spec defines the host {', '.join(unknown)}",
            code="E146",
            fix=f"known hosts: {', '.join(known) or 'none; give the inventory with --specs'}",
        )
    return {name: host for name, host in spec.hosts.items() if not names or name in names}


def clusters(spec: Spec, names: Sequence[str]) -> list[str]:
    """The clusters to look at, as places."""
    return [seat(name) for name in sorted(spec.clusters) if not names or name in names]


def installed(spec: Spec, names: Sequence[str], warn: Warn) -> World:
    """One look at the hosts that are named, for what is installed there."""

    async def look() -> World:
        async with open_fleet(spec, warn) as fleet:
            return await observe(fleet, drivers(), [*sorted(chosen(spec, names)), *clusters(spec, names)])

    return asyncio.run(look())


async def examine(spec: Spec, names: Sequence[str], warn: Warn, *, moves: bool = False) -> Examination:
    """Look at the hosts, at all when none is named; a cluster may be named as its own place. Changes nothing."""
    names = [cluster_of(name) if cluster_of(name) and not node_of(name) else name for name in names]
    hosts = chosen(spec, names)
    async with open_fleet(spec, warn) as fleet:
        world = await observe(fleet, drivers(), [*sorted(hosts), *clusters(spec, names)])
        own = [name for name in world.seen() if cluster_of(name) and not node_of(name)]
        rights = {name: await pump(lacking(), fleet.host(name)) for name in own}
        possible = possible_moves(spec, world) if moves else ()
        asked: Mapping[str, Question] = {
            **dict.fromkeys(filter(hosts.get, world.seen()), Question()),
            **questions_of(possible, spec, world),
        }
        world = await look_closer(fleet, drivers(), world, asked)
        stores = await _repositories(spec, fleet, set(world.seen()))
    examined = tuple(
        _in_cluster(name, view, rights.get(name, ())) if cluster_of(name) else _examined(hosts[name], view, stores)
        for name, view in sorted(world.hosts.items())
    )
    unusable = tuple(found for found in registry.everything() if found.problem)
    return Examination(examined, verdicts(possible, spec, world), unusable)


def _in_cluster(name: str, view: HostView, rights: tuple[str, ...] | None) -> Examined:
    """A cluster's own place, or a node of it."""

    def finding(rule: str, severity: str, message: str, fix: str) -> Finding:
        return Finding(rule=rule, severity=severity, workload="", host=name, message=message, fix=fix)

    cluster, node = cluster_of(name), node_of(name)
    if isinstance(view, HostUnknown):
        fix = f"reconcile explain {view.code}" if view.code in registry.pages() else "kubectl cluster-info"
        return Examined(name, view, (finding(view.code or "host-unknown", "refuse", view.reason, fix),))
    found = []
    if rights is None:
        fix = "compare them with templates/kubernetes/role.yaml"
        found.append(finding("H225", "warn", f"{cluster} does not say which rights this account has", fix))
    elif rights:
        fix = "bind templates/kubernetes/role.yaml to the account of the kubeconfig"
        found.append(finding("H225", "refuse", f"not allowed in {cluster}: {', '.join(rights)}", fix))
    if not view.ready:
        found.append(finding("kubevirt.node", "warn", f"{node} is not ready", f"kubectl describe node {node}"))
    if view.cordoned:
        found.append(finding("kubevirt.node", "warn", f"{node} is cordoned", f"kubectl uncordon {node}"))
    return Examined(name, view, tuple(found))


async def _repositories(spec: Spec, fleet: Fleet, seen: Collection[str]) -> list[Finding]:
    """What is wrong with the repositories that these hosts work on."""
    places = [at for at in places_of(spec) if at.repository is not None and at.host in seen]

    async def probe(at: KeptAt) -> ReconcilerError | None:
        try:
            await pump(restic.probe(at, keys_of(at)), fleet.host(at.host))
        except ReconcilerError as error:
            return error
        return None

    return [
        Finding(
            rule=restic.UNUSABLE,
            severity="warn",
            workload="",
            host=at.host,
            message=f"{error.what}: {error.why}" if error.why else error.what,
            fix=error.fix or f"set what {error.where} names",
        )
        for at, error in zip(places, await asyncio.gather(*map(probe, places)), strict=True)
        if error is not None
    ]


def _examined(host: Host, view: HostView, more: Iterable[Finding] = ()) -> Examined:
    name = host.metadata.name
    if isinstance(view, HostUnknown):
        return Examined(name, view, (_unknown(host, view),))
    found = [*check_host(view), *(one for one in more if one.host == name)]
    if view.preflight_error:
        message = f"it could not be looked at closely: {view.preflight_error}"
        found.append(
            Finding(
                rule="preflight.incomplete",
                severity="warn",
                workload="",
                host=name,
                message=message,
                fix=f"reconcile doctor {name}",
            )
        )
    return Examined(
        name,
        view,
        tuple(f for f in found if f.rule != SECURITY),
        tuple(f for f in found if f.rule == SECURITY),
    )


def _unknown(host: Host, view: HostUnknown) -> Finding:
    """Why a host did not answer, with the command that shows or mends it."""
    spec, name = host.spec, host.metadata.name
    ssh = f"ssh -p {spec.port} {spec.user}@{spec.address}"
    fixes = {
        "H201": f"see what says no: {ssh} true",
        "H202": f"on {name}'s console: cat /etc/ssh/ssh_host_ed25519_key.pub; put that into spec.hostKey",
        "H203": f"ssh-copy-id -p {spec.port} {spec.user}@{spec.address}, or set spec.identityFile",
        "H204": f"reconcile doctor {name} --sudoers",
        "H211": "set spec.user: root, or spec.sudo: true",
        "H291": f"{ssh} uptime",
    }
    page = registry.pages().get(view.code)
    fix = fixes.get(view.code) or view.fix or (f"reconcile explain {view.code}" if page else f"{ssh} true")
    return Finding(
        rule=view.code or "host-unknown", severity="refuse", workload="", host=name, message=view.reason, fix=fix
    )


PROGRAMS = (
    "/bin/sh",
    "/usr/bin/sh",
    *(f"/usr/bin/{name}" for name in ("cat", "grep", "kill", "ls", "rm", "sync", "tail", "test")),
)
"""What is run through sudo whatever runtimes there are, first words only; a test compares it with the code."""
SCRIPTS = ("transfer-link", "transfer-send", "transfer-receive", "transfer-feed")


def sudoers(hosts: Mapping[str, Host]) -> str:
    """The sudoers file of each user that is not root, for all hosts it is used on."""
    users: dict[str, list[str]] = {}
    for name, host in sorted(hosts.items()):
        if host.spec.user != "root":
            users.setdefault(host.spec.user, []).append(name)
    if not users:
        return "# All hosts are used as root; no sudoers file is needed."
    return "\n\n".join(_sudoers(user, names) for user, names in users.items())


def _sudoers(user: str, names: Sequence[str]) -> str:
    runtimes = (f"/usr/bin/{name}" for name in registry.programs())
    programs = [*PROGRAMS, *runtimes, *(script(name).path for name in SCRIPTS)]
    listed = ", \\\n    ".join(programs)
    return f"""# /etc/sudoers.d/reconciler on {", ".join(names)}; check it before you log out: visudo -cf FILE
#
# These are all programs that Reconciler runs as root. Scripts go to /bin/sh as an argument, and engines can
# start privileged containers, so this user is as powerful as root: give the key to nobody else. The last lines
# hold digests of this version of Reconciler; print them again after an upgrade.
Defaults:{user} !requiretty
Cmnd_Alias RECONCILER = {listed}
{user} ALL=(root) NOPASSWD: RECONCILER"""
