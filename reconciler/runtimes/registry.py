"""Which runtimes there are: ours, and those of installed packages (entry point `reconciler.runtimes`).

One that cannot be used is named with its package and the reason; the others work on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel

from reconciler.errors import Refused
from reconciler.model.base import DEFAULT_RUNTIME
from reconciler.model.container import Container
from reconciler.model.spec import CUSTOM, PAYLOADS
from reconciler.text import printable, short

if TYPE_CHECKING:  # who only reads specs needs neither abilities nor what runs
    from reconciler.core.plan_pages import Page
    from reconciler.core.rules import Rule
    from reconciler.runtimes.base import Driver, Runtime

GROUP = "reconciler.runtimes"
OURS = "built in"


def _podman() -> Runtime:
    from reconciler.runtimes.podman import PodmanDriver

    return PodmanDriver()


def _process() -> Runtime:
    from reconciler.runtimes.process import ProcessDriver

    return ProcessDriver()


def _kubevirt() -> Runtime:
    from reconciler.runtimes.kubevirt import KubevirtDriver

    return KubevirtDriver()


def _libvirt() -> Runtime:
    from reconciler.runtimes.libvirt import LibvirtDriver

    return LibvirtDriver()


def _docker() -> Runtime:
    from reconciler.runtimes.docker.driver import DockerDriver

    return DockerDriver()


def _cri() -> Runtime:
    from reconciler.runtimes.cri.driver import CriDriver

    return CriDriver()


BUILT_IN: dict[str, Callable[[], Runtime]] = {
    DEFAULT_RUNTIME: _podman,
    "docker": _docker,
    "cri": _cri,
    "process": _process,
    "libvirt": _libvirt,
    "kubevirt": _kubevirt,
}


@dataclass(frozen=True)
class Takes:
    """What a runtime's workloads are made from: a section of `WorkloadSpec`, and the model that `custom` has to
    fit; None for the sections that have a model of ours. `unsupported`: what of a container it does not take."""

    section: str
    model: type[BaseModel] | None = None
    shape: str = ""
    """Which of the shapes of a section that has several."""
    unsupported: Callable[[Container], Iterable[Unsupported]] | None = None


Unsupported = tuple[tuple[str | int, ...], str, str]
"""Where in the section, as users write it, what is wrong, and the way out."""


def _docker_lacks(container: Container) -> Iterable[Unsupported]:
    from reconciler.runtimes.docker.unsupported import unsupported

    return unsupported(container)


def _cri_lacks(container: Container) -> Iterable[Unsupported]:
    from reconciler.runtimes.cri.unsupported import unsupported

    return unsupported(container)


CONTAINER = Takes("container")
TAKES: Mapping[str, Takes] = {
    DEFAULT_RUNTIME: CONTAINER,
    "docker": Takes("container", unsupported=_docker_lacks),
    "cri": Takes("container", unsupported=_cri_lacks),
    "process": Takes("process"),
    "libvirt": Takes("virtualMachine", shape="libvirt"),
    "kubevirt": Takes("virtualMachine", shape="kubevirt"),
}
"""By the names of ours, so that reading specs loads none of them."""

IN_CLUSTERS = frozenset({"kubevirt"})
"""Runtimes whose workloads are in clusters, not on hosts."""


@dataclass(frozen=True)
class FoundRuntime:
    """A runtime by name. `package`: where it comes from; `problem`: why it cannot be used, else empty."""

    name: str
    package: str
    runtime: Runtime | None = None
    problem: str = ""

    @property
    def abilities(self) -> tuple[str, ...]:
        from reconciler.runtimes.base import abilities

        return abilities(self.runtime) if self.runtime else ()

    @property
    def takes(self) -> Takes | None:
        """None where it cannot be used."""
        if self.package == OURS:
            return TAKES[self.name]
        return _takes(self.runtime) if self.runtime else None


def names() -> list[str]:
    """All that specs may name, without loading any of them."""
    return sorted({*BUILT_IN, *(point.name for point in entry_points(group=GROUP))})


def find(name: str) -> FoundRuntime | None:
    """One of them, for reading specs: a third party's is loaded, ours are known."""
    if name in BUILT_IN:
        return FoundRuntime(name, OURS)
    return next(iter(_all(name)), None)


def rules() -> Mapping[str, Rule]:
    """Reasons to say no, by ID: those about any runtime, then what is about one of ours alone. A third party's
    runtime may register more where it is loaded. Whoever uses runtimes has them."""
    from reconciler.core.rules import RULES

    _know("podman.rules", "cri.alone", "cri.rules", "docker.rules", "libvirt.rules", "kubevirt.rules")
    return RULES


def pages() -> Mapping[str, Page]:
    """What stands behind error codes: of all runtimes, then of one alone. A third party's may tell more."""
    from reconciler.core.pages import PAGES

    _know("podman.pages", "docker.pages", "cri.pages", "process.pages", "kubevirt.pages")
    return PAGES


def _know(*modules: str) -> None:
    """To import them makes known what they have."""
    for module in modules:
        import_module(f"reconciler.runtimes.{module}")


def programs() -> list[str]:
    """First words of what the runtimes run on hosts as root, beside what every host has."""
    return sorted({word for runtime in usable().values() for word in getattr(runtime, "PROGRAMS", ())})


def everything() -> tuple[FoundRuntime, ...]:
    """All of them, loaded, those that cannot be used included."""
    return tuple(_all())


def usable() -> dict[str, Runtime]:
    """All that can be used, by name: what observations ask and steps act through."""
    return {found.name: found.runtime for found in _all() if found.runtime is not None}


def need(runtimes: Mapping[str, Runtime], name: str, ability: str = "") -> Driver:
    """The runtime of that name, which has the ability (what else it can is not known); Refused otherwise."""
    from reconciler.runtimes.base import ABILITIES

    runtime = runtimes.get(name)
    if runtime is None:
        raise Refused(
            f"there is no runtime {name} here",
            code="C360",
            why=f"usable: {', '.join(sorted(runtimes))}",
            fix="install the package that provides it, then see: reconcile runtimes",
        )
    if ability and not isinstance(runtime, ABILITIES[ability]):
        raise Refused(
            f"the runtime {name} lacks the ability `{ability}`",
            code="C361",
            fix="see what it can: reconcile runtimes",
        )
    return cast("Driver", runtime)


def _all(only: str = "") -> list[FoundRuntime]:
    rules()
    found = [FoundRuntime(name, OURS, make()) for name, make in BUILT_IN.items() if only in ("", name)]
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        if only in ("", point.name):
            taken = next((other.package for other in found if other.name == point.name), "")
            found.append(_taken(point, taken) if taken else _loaded(point))
    return found


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value.split(":")[0]


def _taken(point: EntryPoint, by: str) -> FoundRuntime:
    return FoundRuntime(point.name, _package(point), problem=f"the name is taken: {point.name} is {by}")


def _loaded(point: EntryPoint) -> FoundRuntime:
    package = _package(point)
    try:
        made = point.load()()
    except (Exception, SystemExit) as error:  # a third party's code: whatever it is, the others work on
        why = short(printable(f"{type(error).__name__}: {error}"))
        return FoundRuntime(point.name, package, problem=f"it cannot be loaded: {why}")
    if problem := _problem(point.name, made):
        return FoundRuntime(point.name, package, problem=problem)
    return FoundRuntime(point.name, package, made)


def _problem(name: str, made: object) -> str:
    """What it lacks of a runtime, or of an ability it has the beginnings of."""
    from reconciler.runtimes.base import ABILITIES, Runtime

    if getattr(made, "NAME", "") != name:
        return f"its NAME is {getattr(made, 'NAME', '')!r}"
    if _takes(made) is None:
        known = ", ".join(section for section in PAYLOADS if section != CUSTOM)
        return f"its PAYLOAD is {made.PAYLOAD!r}; it must be a pydantic model, or one of {known}"  # type: ignore[attr-defined]
    for ability, protocol in {"every runtime": Runtime, **ABILITIES}.items():
        wanted = [word for word, kind in vars(protocol).items() if callable(kind) and not word.startswith("_")]
        missing = [word for word in wanted if not _has(made, word, protocol)]
        begun = protocol is Runtime or protocol in type(made).__mro__ or len(missing) < len(wanted)
        if missing and begun:
            return f"it lacks {', '.join(missing)} of `{ability}`"
    return ""


def _takes(made: object) -> Takes | None:
    """What a third party's class says that it takes; None where that is nothing we know."""
    payload = getattr(made, "PAYLOAD", CONTAINER.section)
    if isinstance(payload, type) and issubclass(payload, BaseModel):
        return Takes(CUSTOM, payload)
    return Takes(payload) if payload in PAYLOADS and payload != CUSTOM else None


def _has(made: object, word: str, protocol: type) -> bool:
    """A method of its own; one that it only inherits from the protocol does nothing."""
    method = getattr(type(made), word, None)
    return callable(method) and method is not getattr(protocol, word)
