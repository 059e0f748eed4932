"""The files a lab is used by: SSH keys and configuration, the inventory, and what each host gets at boot.

Host keys are made here, so that nobody has to trust one on first use.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from reconciler.lab.spec import LabPaths, LabSpec
from reconciler.lab.tools import run, write_private
from reconciler.model.base import API_VERSION
from reconciler.resources import data_path

SSH_PORT = 22
_ZONES = "abcdefgh"


def write_all(paths: LabPaths, spec: LabSpec) -> None:
    """Make keys that are missing and write all files anew."""
    _make_key(paths.key, f"reconciler-lab-{spec.name}")
    for host in spec.host_names:
        _write_seed(paths, spec, host)
    write_private(paths.known_hosts, _known_hosts(paths, spec))
    write_private(paths.ssh_config, _ssh_config(paths, spec))
    write_private(paths.inventory, inventory(paths, spec))


def inventory(paths: LabPaths, spec: LabSpec) -> str:
    """One `Host` document for each host, ready for `reconcile plan`."""
    return "---\n".join(_host_document(paths, spec, host) for host in spec.host_names)


def host_key(paths: LabPaths, host: str) -> str:
    """The public host key, type and key without the comment."""
    text = (_seed(paths, host) / "ssh_host_ed25519_key.pub").read_text(encoding="utf-8")
    return " ".join(text.split()[:2])


def _seed(paths: LabPaths, host: str) -> Path:
    return paths.host(host) / "seed"


def _make_key(file: Path, comment: str) -> None:
    if not file.exists() or not file.with_suffix(".pub").exists():
        file.unlink(missing_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", file])


def _write_seed(paths: LabPaths, spec: LabSpec, host: str) -> None:
    seed = _seed(paths, host)
    seed.mkdir(parents=True, exist_ok=True, mode=0o700)
    _make_key(seed / "ssh_host_ed25519_key", host)
    shutil.copyfile(paths.key.with_suffix(".pub"), seed / "authorized_keys")
    for script in ("boot.sh", "libvirtd.sh", "dockerd.sh", "containerd.sh"):
        shutil.copyfile(data_path("templates", "lab", script), seed / script)
    names = "".join(f"{spec.address(name)}\t{name}\n" for name in spec.host_names)
    (seed / "hosts").write_text(f"127.0.0.1\tlocalhost\n{names}", encoding="utf-8")
    identity = hashlib.sha256(f"{paths.identity}-{host}".encode()).hexdigest()[:32]
    (seed / "machine-id").write_text(f"{identity}\n", encoding="utf-8")


def _known_hosts(paths: LabPaths, spec: LabSpec) -> str:
    return "".join(f"{spec.address(host)},{host} {host_key(paths, host)}\n" for host in spec.host_names)


def _ssh_config(paths: LabPaths, spec: LabSpec) -> str:
    hosts = "".join(
        f"Host {host}\n    HostName {spec.address(host)}\n    HostKeyAlias {host}\n" for host in spec.host_names
    )
    common = (
        f"Host *\n    User root\n    Port {SSH_PORT}\n    IdentitiesOnly yes\n"
        f'    IdentityFile "{paths.key}"\n    UserKnownHostsFile "{paths.known_hosts}"\n'
        "    StrictHostKeyChecking yes\n    LogLevel ERROR\n"
    )
    return hosts + common


def _host_document(paths: LabPaths, spec: LabSpec, host: str) -> str:
    zone = _ZONES[spec.host_names.index(host)]
    return (
        f"apiVersion: {API_VERSION}\n"
        "kind: Host\n"
        f"metadata: {{name: {host}, labels: {{lab: {spec.name}}}}}\n"
        "spec:\n"
        f"  address: {spec.address(host)}\n"
        f"  port: {SSH_PORT}\n"
        "  user: root\n"
        f'  hostKey: "{host_key(paths, host)}"\n'
        f'  identityFile: "{paths.key}"\n'
        f"  zone: {zone}\n"
    )
