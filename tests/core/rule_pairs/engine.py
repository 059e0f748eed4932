"""The Docker Engine."""

from tests.core.rule_scene import Scene

SET_UP = ("experimental", "live-restore", "storage=overlay2", "runtime=runc")


def engine(version: str = "26.1.5", *settings: str, cgroups: int = 2) -> dict:
    """A host with Docker."""
    words = settings or SET_UP
    return {"runtimes": {"docker": version}, "settings": {"docker": words}, "cgroup_version": cgroups}


def scene(here: dict | None = None, there: dict | None = None) -> Scene:
    return Scene(here=here or engine(), there=there or engine(), has={"runtime": "docker"}, runtime="docker")


def without(word: str) -> tuple[str, ...]:
    return tuple(one for one in SET_UP if one != word)


PAIRS: dict[str, tuple[Scene, Scene]] = {
    "docker.too-old": (scene(there=engine("24.0.7")), scene(there=engine("25.0.0"))),
    "docker.restores-no-network": (scene(here=engine("28.5.2")), scene()),
    "docker.experimental": (scene(here=engine("26.1.5", *without("experimental"))), scene()),
    "docker.live-restore": (scene(there=engine("26.1.5", *without("live-restore"))), scene()),
    "docker.setup": (scene(there=engine("26.1.5", *SET_UP, "rootless")), scene()),
}

ODD = (
    engine("26.1.5", *SET_UP, "userns-remap"),
    engine("26.1.5", *SET_UP, "desktop"),
    engine("26.1.5", *without("storage=overlay2"), "storage=btrfs"),
    engine("26.1.5", *without("runtime=runc"), "runtime=crun"),
    engine(cgroups=1),
)
"""Each of them is refused as well."""
