"""Kubeconfigs, read as kubectl reads them: several files as one, paths beside the file that names them.

What is wrong with one is told without its values, for they are credentials. A setting that says who acts, and that
is not known here, is refused: nobody acts with more rights than were written down."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import yaml

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod has its service account."""
MOST_CONFIG = 2**20
_FILES = {
    "cluster": ("certificate-authority",),
    "user": ("client-certificate", "client-key", "tokenFile"),
}
_CREDENTIAL = re.compile(r"[\x21-\x7e]+")
_HEADER = re.compile(r"[\x20-\x7e]+")
_PROXIES = ("http", "https")


class Unusable(Exception):
    """Why a kubeconfig cannot be used, in words that hold no value of it but names."""


@dataclass(frozen=True)
class ChosenContext:
    """One context of a kubeconfig. `raw`: a kubeconfig of just it, all paths absolute. `acts_as`: headers that say
    as whom. `files`: all that was read, and is read."""

    raw: Mapping[str, Any]
    server: str
    user: Mapping[str, Any]
    acts_as: tuple[tuple[str, str], ...]
    proxy: str | None
    server_name: str | None
    files: tuple[Path, ...]


def credential(text: object) -> str:
    """A token as it goes into a header. Programs and editors end it with a line."""
    if not isinstance(text, str) or not _CREDENTIAL.fullmatch(text.strip()):
        raise Unusable("its token is not one word of printable ASCII")
    return text.strip()


def token_of(path: str) -> str:
    try:
        with Path(path).open(encoding="ascii", errors="replace") as file:
            return credential(file.read(MOST_CONFIG))
    except OSError as error:
        raise Unusable(f"its tokenFile {path} cannot be read: {error.strerror}") from None


def paths(named: str | None) -> tuple[Path, ...]:
    """The file of a Cluster's spec; else those of $KUBECONFIG that are there; else kubectl's own."""
    if named:
        return (Path(named).expanduser(),)
    told = [Path(one).expanduser() for one in os.environ.get("KUBECONFIG", "").split(os.pathsep) if one]
    there = [one for one in told if one.exists()]
    return tuple(there or told[:1] or [Path("~/.kube/config").expanduser()])


def stamps(files: Sequence[Path]) -> tuple[object, ...]:
    """What tells whether one of them has been written anew."""

    def stamp(path: Path) -> object:
        try:
            found = path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    return tuple(stamp(path) for path in files)


def of_pod() -> ChosenContext:
    """The service account of the pod that this runs in."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "")
    if not (ACCOUNT / "token").exists():
        raise Unusable(f"there is no {ACCOUNT / 'token'}")
    if not host or not port:
        raise Unusable("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
    cluster = {
        "server": f"https://{f'[{host}]' if ':' in host else host}:{port}",
        "certificate-authority": str(ACCOUNT / "ca.crt"),
    }
    return _chosen("pod", cluster, {"tokenFile": str(ACCOUNT / "token")}, ())


def read(files: Sequence[Path], context: str | None) -> ChosenContext:
    """What the first file says of a name counts, as for kubectl."""
    named: dict[str, dict[str, Mapping[str, Any]]] = {"context": {}, "cluster": {}, "user": {}}
    current = context
    for path in files:
        found = _parsed(path)
        current = current or _text(found, "current-context")
        for kind, known in named.items():
            for name, one in _entries(found, kind):
                known.setdefault(name, _absolute(one, _FILES.get(kind, ()), path.absolute().parent))
    if not current:
        raise Unusable("it has no current-context, and the Cluster names no context")
    chosen = named["context"].get(current)
    if chosen is None:
        raise Unusable(
            f"its context '{current}' was not found; there are: {', '.join(named['context']) or 'none'}"
        )
    cluster, user = _text(chosen, "cluster"), _text(chosen, "user")
    for kind, name in (("cluster", cluster), ("user", user)):
        if name and name not in named[kind]:
            raise Unusable(
                f"its context '{current}' names the {kind} '{name}', which is not whole: it is not there"
            )
    if not cluster:
        raise Unusable(f"its context '{current}' names no cluster")
    return _chosen(current, named["cluster"][cluster], named["user"].get(user, {}), files)


def _chosen(
    name: str, cluster: Mapping[str, Any], user: Mapping[str, Any], files: Sequence[Path]
) -> ChosenContext:
    server = _text(cluster, "server") or "http://localhost:8080"
    _address(server, "server")
    proxy = _text(cluster, "proxy-url") or None
    if proxy:
        _address(proxy, "proxy-url")
    others = [
        Path(part[key]) for part in (cluster, user) for keys in _FILES.values() for key in keys if part.get(key)
    ]
    plain = {
        key: value for key, value in user.items() if not key.startswith("as") and key not in ("exec", "token")
    }
    raw = {
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": plain}],
    }
    sni = _text(cluster, "tls-server-name") or None
    if sni and not _CREDENTIAL.fullmatch(sni):
        raise Unusable("its tls-server-name is not a name")
    return ChosenContext(raw, server, user, tuple(_acts_as(user)), proxy, sni, (*files, *others))


def _acts_as(user: Mapping[str, Any]) -> list[tuple[str, str]]:
    """As whom this user wants to act, instead of with all its own rights."""
    extra = _part(user, "as-user-extra")
    told = [("Impersonate-User", user.get("as")), ("Impersonate-Uid", user.get("as-uid"))]
    told += [("Impersonate-Group", group) for group in _list(user, "as-groups")]
    told += [
        (f"Impersonate-Extra-{quote(str(k).lower(), safe='')}", one) for k in extra for one in _list(extra, k)
    ]
    for key in user:
        if key.startswith("as") and key not in ("as", "as-uid", "as-groups", "as-user-extra"):
            raise Unusable(f"its user has `{key}`, which is not known here")
    found = []
    for header, value in told:
        if value is None or value == "":
            continue
        if not isinstance(value, str) or not _HEADER.fullmatch(value):
            raise Unusable("whom its user wants to act as (`as`, `as-groups`) is not printable ASCII")
        found.append((header, value))
    if found and found[0][0] != "Impersonate-User":
        raise Unusable("its user has `as-groups`, `as-uid` or `as-user-extra` without `as`")
    return found


def _address(text: str, field: str) -> None:
    try:
        found = urlsplit(text)
        fits = found.scheme in _PROXIES and bool(found.hostname) and found.port != 0
    except ValueError:  # brackets that do not close, a port that is none
        fits = False
    if not fits or not _CREDENTIAL.fullmatch(text):
        raise Unusable(f"its `{field}` is not an address that can be used: http:// or https://, a host and a port")


def _parsed(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > MOST_CONFIG:
            raise Unusable(f"{path} is larger than {MOST_CONFIG} bytes")
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Unusable(f"there is no {path}") from None
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise Unusable(f"{path} is not a kubeconfig: no YAML{line}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise Unusable(f"{path} is not a kubeconfig: no YAML") from None
    if not isinstance(found, dict):
        raise Unusable(f"{path} is not a kubeconfig: no mapping")
    return found


def _entries(found: Mapping[str, Any], kind: str) -> list[tuple[str, Mapping[str, Any]]]:
    listed = []
    for one in _list(found, f"{kind}s"):
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            raise Unusable(f"it is not a kubeconfig: one of its {kind}s has no name")
        listed.append((one["name"], _part(one, kind)))
    return listed


def _absolute(one: Mapping[str, Any], keys: Sequence[str], folder: Path) -> Mapping[str, Any]:
    moved = {key: str(folder / Path(_text(one, key)).expanduser()) for key in keys if _text(one, key)}
    run = _part(one, "exec")
    if "/" in _text(run, "command"):
        moved["exec"] = {**run, "command": str(folder / _text(run, "command"))}  # type: ignore[assignment]
    return {**one, **moved}


def _text(one: Mapping[str, Any], key: str) -> str:
    value = one.get(key)
    if value is not None and not isinstance(value, str):
        raise Unusable(f"it is not a kubeconfig: its `{key}` is not text")
    return value or ""


def _list(one: Mapping[Any, Any], key: Any) -> list[Any]:
    value = one.get(key)
    if value is not None and not isinstance(value, list):
        raise Unusable(f"it is not a kubeconfig: its `{key}` is not a list")
    return value or []


def _part(one: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = one.get(key)
    if value is not None and not isinstance(value, dict):
        raise Unusable(f"it is not a kubeconfig: its `{key}` is not a mapping")
    return value or {}
