"""Volumes, binds, tmpfs, secrets and configs of a service."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from reconciler.load.foreign.base import Section, Service, listed, name_of, text_of
from reconciler.model.container_files import STAYS, STAYS_WITH_ALL

_QUIET = {"rw", "nocopy", "cached", "delegated", "consistent", "copy", "rprivate", "private"}


def bind_source(source: str, folder: str) -> str:
    """Where a path of the file is on hosts: relative ones below `folder`."""
    if source.startswith("~"):
        source = f"/root/{source[1:].lstrip('/')}"
    path = PurePosixPath(source if source.startswith("/") else f"{folder}/{source}")
    parts: list[str] = []
    for part in path.parts[1:]:
        if part == "..":
            del parts[-1:]
        elif part != ".":
            parts.append(part)
    return "/" + "/".join(parts)


def volumes(service: Service, given: Any, folder: str, project: str, named: Section) -> None:
    """`named`: what the file says of its volumes, and who uses each of them and each bind's source."""
    for item in listed(given):
        if isinstance(item, dict):
            _long(service, item, folder, project, named)
            continue
        source, target, options = _parts(str(item))
        words = [word for word in options.split(",") if word]
        more: Section = {"readOnly": True} if "ro" in words else {}
        relabel = {"z": "shared", "Z": "private"}
        for word in relabel.keys() & set(words):
            more["relabel"] = relabel[word]
        for word in words:
            if word not in (*_QUIET, "ro", *relabel):
                service.lose(f"volumes: {item}", f"the option `{word}` has no field")
        if not source:
            _volume(service, name_of(project, service.name, target), target, more)
        elif source[0] in "./~":
            alone = len((named.get(source) or {}).get("users", ())) < 2
            _bind(service, bind_source(source, folder), target, more, own=source[0] == "." and alone)
        else:
            _named(service, source, target, more, project, named)


def _parts(item: str) -> tuple[str, str, str]:
    first, _, rest = item.partition(":")
    if not rest:
        return "", first, ""
    target, _, options = rest.partition(":")
    return (first, target, options) if target.startswith("/") else ("", first, rest)


def _long(service: Service, item: Section, folder: str, project: str, named: Section) -> None:
    kind, target, source = item.get("type", "volume"), text_of(item.get("target")), text_of(item.get("source"))
    more: Section = {"readOnly": True} if item.get("read_only") else {}
    if kind == "tmpfs":
        size = (item.get("tmpfs") or {}).get("size")
        service.container.setdefault("tmpfs", []).append(
            {"target": target} | ({"size": size_of(size)} if size else {})
        )
    elif kind == "bind":
        if (label := (item.get("bind") or {}).get("selinux")) in ("z", "Z"):
            more["relabel"] = "shared" if label == "z" else "private"
        _bind(service, bind_source(source, folder), target, more, own=source.startswith("."))
    elif kind == "volume" and not (item.get("volume") or {}).get("subpath"):
        if source:
            _named(service, source, target, more, project, named)
        else:
            _volume(service, name_of(project, service.name, target), target, more)
    else:
        service.lose(f"volumes: {target}", f"mounts of type {kind} with these options have no field")


def _named(service: Service, source: str, target: str, more: Section, project: str, named: Section) -> None:
    about = named.get(source) or {}
    if driver_options := about.get("driver_opts"):
        service.lose(f"volumes: {source}", f"driver options ({', '.join(driver_options)}): mount it on the hosts")
    users = about.get("users", ())
    if len(users) > 1:
        service.lose(f"volumes: {source}", f"it is shared by {', '.join(users)}; a volume moves with one workload")
        return
    name = text_of(about.get("name")) or ("" if about.get("external") else project)
    _volume(service, name_of(name if about.get("name") else name_of(name, source)), target, more)


def _volume(service: Service, name: str, target: str, more: Section) -> None:
    more = {key: value for key, value in more.items() if key == "readOnly"}
    service.container.setdefault("volumes", []).append({"name": name, "target": target} | more)


def _bind(service: Service, source: str, target: str, more: Section, *, own: bool) -> None:
    file = "." in PurePosixPath(source).name.strip(".")
    needed = source in ("/", *STAYS) or source.startswith(tuple(f"{top}/" for top in STAYS_WITH_ALL))
    if own and not file and not needed:
        more = more | {"move": True}
    else:
        service.tell(f"volumes: {source}", "a path of the host: it has to be the same on every host")
    service.container.setdefault("mounts", []).append({"source": source, "target": target} | more)


def tmpfs(service: Service, given: Any) -> None:
    for item in listed(given):
        target, _, options = str(item).partition(":")
        made: Section = {"target": target}
        for word in filter(None, options.split(",")):
            key, _, value = word.partition("=")
            if key == "size":
                made["size"] = size_of(value)
            elif key == "mode":
                made["mode"] = value.zfill(4)
            elif key == "exec":
                made["exec"] = True
            elif key not in ("rw", "noexec", "nosuid", "nodev"):
                service.lose(f"tmpfs: {item}", f"the option `{word}` has no field")
        service.container.setdefault("tmpfs", []).append(made)


def secrets(service: Service, given: Any, known: Section, folder: str) -> None:
    for item in listed(given):
        long = item if isinstance(item, dict) else {"source": item}
        name = text_of(long.get("source"))
        about = known.get(name) or {}
        target = text_of(long.get("target")) or name
        target = target if target.startswith("/") else f"/run/secrets/{target}"
        made: Section = {"fromEnv": name_of(name).upper().replace("-", "_").replace(".", "_")}
        if about.get("file"):
            made = {"fromFile": text_of(about["file"])}
        elif about.get("environment"):
            made = {"fromEnv": text_of(about["environment"])}
        else:
            service.tell(f"secrets: {name}", f"set {made['fromEnv']} where plans are applied")
        if long.get("mode") is not None:
            mode = long["mode"]
            made["mode"] = f"{mode:04o}" if isinstance(mode, int) else str(mode).zfill(4)
        made |= {key: int(text_of(long[key])) for key in ("uid", "gid") if text_of(long.get(key)).isdecimal()}
        service.container.setdefault("secretFiles", {})[target] = made


def configs(service: Service, given: Any, known: Section, folder: str) -> None:
    for item in listed(given):
        long = item if isinstance(item, dict) else {"source": item}
        name = text_of(long.get("source"))
        about = known.get(name) or {}
        target = text_of(long.get("target")) or f"/{name}"
        if about.get("file"):
            _bind(service, bind_source(text_of(about["file"]), folder), target, {"readOnly": True}, own=False)
        else:
            service.lose(
                f"configs: {name}", "its content is in no file of the hosts: write it to one and mount that"
            )


_UNITS = {
    "": "B",
    "b": "B",
    "k": "KiB",
    "kb": "KiB",
    "m": "MiB",
    "mb": "MiB",
    "g": "GiB",
    "gb": "GiB",
    "t": "TiB",
    "tb": "TiB",
}


def size_of(value: Any) -> str:
    """`512m` of compose, which counts in powers of two, as specs write it; others are left as they are."""
    text = text_of(value).strip().lower().removesuffix("ib") if not isinstance(value, int) else str(value)
    number = text.rstrip("kmgtb")
    unit = _UNITS.get(text[len(number) :])
    return f"{number}{unit}" if unit else text_of(value)


def shared(services: dict[str, Section]) -> dict[str, list[str]]:
    """Sources of volumes and binds by who uses them."""
    users: dict[str, list[str]] = {}
    for name, service in services.items():
        for source in {_source(item) for item in _each(service)}:
            if source:
                users.setdefault(source, []).append(name)
    return users


def _each(service: Section) -> Iterable[Any]:
    return listed(service.get("volumes"))


def _source(item: Any) -> str:
    if isinstance(item, dict):
        return text_of(item.get("source")) if item.get("type", "volume") == "volume" else ""
    return _parts(str(item))[0]
