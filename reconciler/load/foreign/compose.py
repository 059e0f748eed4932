"""Compose files as specs. PyYAML reads them, with the scalars of YAML 1.2 as compose does, and the keys of their
specification are mapped here one by one (`service.py`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from reconciler.errors import InputError
from reconciler.load import files
from reconciler.load.foreign import mounts
from reconciler.load.foreign import service as services
from reconciler.load.foreign.base import Import, Remark, Section, Service, listed, name_of, text_of
from reconciler.load.foreign.interpolate import interpolate


class _Loader(yaml.SafeLoader):
    """Without YAML 1.1's `yes`, `on` and 22:22."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?$", "-+0123456789."),
    ("null", r"^(?:~|null|Null|NULL|)$", "~nN\0"),
    ("merge", r"^<<$", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^$"), [""])


def read_compose(path: Path, known: Mapping[str, str], folder: str = "") -> Import:
    """The services of a compose file. `known`: variables; `folder`: where its own folder is on hosts."""
    loaded = _loaded(path)
    missing: set[str] = set()
    filled = interpolate(loaded, known, missing)
    made = Import()
    project = name_of(text_of(filled.get("name")) or path.resolve().parent.name)
    try:
        _services(made, filled, loaded, path, project, folder or f"/srv/{project}")
    except (AttributeError, TypeError, KeyError, ValueError, IndexError) as error:
        why = f"a value is of another kind than it should be: {error}"
        raise InputError("not what compose takes", code="E189", where=files.shown(path), why=why) from None
    if any(n["name"] == project for s in made.services for n in s.container.get("networks", ())):
        made.networks.setdefault(project, {"driver": "bridge"})
    made.notes += [_unset(variable) for variable in sorted(missing)]
    for key in filled.keys() - {"services", "networks", "volumes", "secrets", "configs", "version", "name"}:
        if not text_of(key).startswith("x-"):
            made.notes.append(_top(text_of(key)))
    return made


def _loaded(path: Path) -> Section:
    shown = files.shown(path)
    try:
        loaded = yaml.load(files.read_text(path), _Loader)  # noqa: S506  a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{shown}:{mark.line + 1}:{mark.column + 1}" if mark else shown
        raise InputError("not YAML as compose has it", code="E189", where=where, why=error.problem or "") from None
    except (ValueError, RecursionError) as error:
        raise InputError("not a compose file", code="E189", where=shown, why=str(error)) from None
    if not isinstance(loaded, dict) or not isinstance(loaded.get("services"), dict):
        raise InputError("not a compose file", code="E189", where=shown, why="it has no `services`")
    return loaded


def _services(made: Import, filled: Section, loaded: Section, path: Path, project: str, folder: str) -> None:
    given = {text_of(n): _extended(text_of(n), s, filled["services"]) for n, s in filled["services"].items()}
    raw = {text_of(n): _extended(text_of(n), s, loaded["services"]) for n, s in loaded["services"].items()}
    known = _networks(made, filled.get("networks") or {}, project)
    named = {text_of(n): dict(v or {}) for n, v in (filled.get("volumes") or {}).items()}
    for source, users in mounts.shared(given).items():
        named.setdefault(source, {})["users"] = users
    for name, section in given.items():
        one = Service(name_of(text_of(section.get("container_name")) or name))
        _service(one, section, raw[name], filled, path, folder, project, known, named)
        for joined in one.container.get("networks", ()):
            joined["aliases"] = sorted({*joined["aliases"], name})
        made.services.append(one)


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
        services.SAYS[key](one, value)
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
