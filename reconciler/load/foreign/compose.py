"""Compose files as specs: the keys of their specification are mapped one by one (`service.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reconciler.errors import InputError
from reconciler.load import files
from reconciler.load.foreign import mounts
from reconciler.load.foreign import service as services
from reconciler.load.foreign.base import (
    WRONG_KIND,
    Import,
    Remark,
    Section,
    Service,
    kind,
    listed,
    name_of,
    text_of,
    unused,
)
from reconciler.load.foreign.interpolate import interpolate
from reconciler.load.foreign.yamlfile import read_yaml


def read_compose(path: Path, known: Mapping[str, str], folder: str = "") -> Import:
    """The services of a compose file. `known`: variables; `folder`: where its own folder is on hosts."""
    loaded = _loaded(path)
    missing: set[str] = set()
    made = Import()
    try:
        filled = interpolate(loaded, known, missing)
        project = name_of(text_of(filled.get("name")) or path.resolve().parent.name)
        _services(made, filled, loaded, path, project, folder or f"/srv/{project}")
    except WRONG_KIND as error:
        raise InputError("not what compose takes", code="E189", where=files.shown(path), why=kind(error)) from None
    if any(n["name"] == project for s in made.services for n in s.container.get("networks", ())):
        made.networks.setdefault(project, {"driver": "bridge"})
    made.notes += [_unset(variable) for variable in sorted(missing)]
    for key in filled.keys() - {"services", "networks", "volumes", "secrets", "configs", "version", "name"}:
        if not text_of(key).startswith("x-"):
            made.notes.append(_top(text_of(key)))
    return made


def _loaded(path: Path) -> Section:
    loaded = read_yaml(path)
    if not isinstance(loaded, dict) or not isinstance(loaded.get("services"), dict):
        raise InputError("not a compose file", code="E189", where=files.shown(path), why="it has no `services`")
    return loaded


def _services(made: Import, filled: Section, loaded: Section, path: Path, project: str, folder: str) -> None:
    given = {text_of(n): _extended(text_of(n), s, filled["services"]) for n, s in filled["services"].items()}
    raw = {text_of(n): _extended(text_of(n), s, loaded["services"]) for n, s in loaded["services"].items()}
    known = _networks(made, filled.get("networks") or {}, project)
    named = {text_of(n): dict(v or {}) for n, v in (filled.get("volumes") or {}).items()}
    for source, users in mounts.shared(given).items():
        named.setdefault(source, {})["users"] = users
    for name, section in given.items():
        one = _named(text_of(section.get("container_name")) or name, made)
        _service(one, section, raw[name], filled, path, folder, project, known, named)
        for joined in one.container.get("networks", ()):
            joined["aliases"] = sorted({*joined["aliases"], name})
        made.services.append(one)
    _one_each(made)


def _named(words: str, made: Import) -> Service:
    """A service of that name, or of the next that no other has: names of compose tell more letters apart."""
    name = name_of(words)
    free = unused(name, {one.name for one in made.services})
    one = Service(free)
    if free != name:
        one.tell(f"container_name: {words}", f"another one is called {name} here: this is {free}")
    return one


def _one_each(made: Import) -> None:
    """A volume of this name is one workload's: what was told apart by its letters only is named, and left out."""
    owners: dict[str, str] = {}
    for one in made.services:
        for volume in one.container.get("volumes", [])[:]:
            if owners.setdefault(volume["name"], one.name) != one.name:
                one.lose(f"volumes: {volume['target']}", f"{owners[volume['name']]} has a volume {volume['name']}")
                one.container["volumes"].remove(volume)


def _unset(variable: str) -> Remark:
    return Remark(f"${variable}", "it is not set: its place is empty, as with compose", lost=False)


def _top(key: str) -> Remark:
    return Remark(key, "import the files it names one by one" if key == "include" else "there is no field for it")


def _extended(name: str, section: Any, others: Any, seen: tuple[str, ...] = ()) -> Section:
    """A service with what it extends in the same file."""
    own = dict(section or {})
    extends = own.get("extends")
    other = text_of(extends.get("service")) if isinstance(extends, dict) else text_of(extends)
    if not other or (isinstance(extends, dict) and extends.get("file")) or other in seen or other not in others:
        return own
    below = _extended(other, others[other], others, (*seen, name))
    return {**below, **{k: _joined(below.get(k), v) for k, v in own.items()}}


def _joined(below: Any, own: Any) -> Any:
    if isinstance(below, dict) and isinstance(own, dict):
        return {**below, **own}
    return [*below, *own] if isinstance(below, list) and isinstance(own, list) else own


def _networks(made: Import, given: Section, project: str) -> dict[str, str]:
    known = {"default": project}
    for key, about in given.items():
        about = about or {}
        known[key] = name_of(
            text_of(about.get("name")) or (key if about.get("external") else name_of(project, key))
        )
        if key == "default" and not about.get("name"):
            known[key] = project
        if not about.get("name") and not about.get("external"):
            known[key] = unused(known[key], {value for other, value in known.items() if other != key})
        if about.get("external"):
            continue
        driver = text_of(about.get("driver")) or "bridge"
        if driver not in ("bridge", "macvlan"):
            made.notes.append(_lost(f"networks: {key}", f"the driver {driver} has no field"))
            continue
        section: Section = {"driver": driver}
        options = about.get("driver_opts") or {}
        if options.get("parent"):
            section["parent"] = text_of(options["parent"])
        mtu = text_of(options.get("mtu") or options.get("com.docker.network.driver.mtu"))
        if mtu.isdecimal():
            section["mtu"] = int(mtu)
        for n, pool in enumerate(listed((about.get("ipam") or {}).get("config"))[:2]):
            names = {"subnet": "subnet", "gateway": "gateway", "ip_range": "ipRange"}
            section["ipam6" if n else "ipam"] = {v: text_of(pool[k]) for k, v in names.items() if pool.get(k)}
        if about.get("internal"):
            made.notes.append(_lost(f"networks: {key}: internal", "there is no field for it"))
        made.networks[known[key]] = section
    return known


def _lost(what: str, why: str) -> Remark:
    return Remark(what, why)


def _service(
    one: Service,
    given: Section,
    raw: Section,
    all_of: Section,
    path: Path,
    folder: str,
    project: str,
    known: dict[str, str],
    named: Section,
) -> None:
    container = one.container
    for item in listed(given.get("env_file")):
        _env_file(one, item, path)
    services.environment(one, given.get("environment"), raw.get("environment"))
    mounts.volumes(one, given.get("volumes"), folder, project, named)
    mounts.secrets(one, given.get("secrets"), all_of.get("secrets") or {}, folder)
    mounts.configs(one, given.get("configs"), all_of.get("configs") or {}, folder)
    services.security(one, given.get("security_opt"), folder)
    if "user" in given:
        container["user"] = text_of(given["user"])
    for key, value in given.items():
        _key(one, text_of(key), value)
    alone = text_of(given.get("network_mode")) not in ("", "bridge", "default")
    if not alone:
        services.networks(one, given.get("networks"), known, project)
        if given.get("mac_address") and container.get("networks"):
            container["networks"][0]["mac"] = text_of(given["mac_address"])
    if "image" not in container:
        one.lose("image", "there is none: build it, push it, and name it")
        container["image"] = f"localhost/{one.name}:latest"
    if text_of(given.get("scale")) not in ("", "1"):
        one.lose("scale", "a workload is one container: write one for each")


def _key(one: Service, key: str, value: Any) -> None:
    if key in services.ELSEWHERE or key in services.QUIET or key.startswith("x-") or value is None:
        if key == "extends" and isinstance(value, dict) and value.get("file"):
            one.lose("extends", f"it is in another file: {value['file']}")
    elif key in services.SAYS:
        services.say(one, key, value)
    elif key in services.NAMESPACES:
        services.namespaces(one, key, value)
    elif key in services.TOLD:
        one.tell(key, services.TOLD[key])
    elif key == "runtime" and value in ("runc", "crun"):
        one.container["ociRuntime"] = value
    else:
        one.lose(key, services.LOST.get(key, "it is no key of a compose service"))


def dot_env(path: Path) -> dict[str, str]:
    """Variables of the `.env` beside a compose file; none where there is none."""
    try:
        return _lines(files.read_text(path.parent / ".env"))
    except files.Unreadable:
        return {}


def _lines(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.split("\n"):
        key, sign, value = line.strip().removeprefix("export ").partition("=")
        if sign and not key.startswith("#"):
            found[key.strip()] = value.strip().strip("\"'")
    return found


def _env_file(one: Service, item: Any, path: Path) -> None:
    name = text_of(item.get("path") if isinstance(item, dict) else item)
    try:
        found = _lines(files.read_text(path.parent / name))
    except files.Unreadable:
        if not (isinstance(item, dict) and item.get("required") is False):
            one.tell(f"env_file: {name}", "it is not there; put it beside the specs and name it in envFiles")
        return
    services.environment(one, found, found)
