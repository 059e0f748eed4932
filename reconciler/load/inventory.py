"""Writing a host and its key into spec files, for `reconcile hosts add`: one line, or one document, is added."""

from __future__ import annotations

import json
import re
from pathlib import Path

from reconciler.errors import InputError
from reconciler.model.base import API_VERSION
from reconciler.model.spec import Host, Spec

_ADDRESS = re.compile(r"(?P<indent>\s+)address:\s")


def new_host(name: str, address: str, user: str, port: int, key: str) -> str:
    """A `Host` document; InputError where a field is not what specs allow."""
    host = {"address": address, "user": user, "port": port, "hostKey": key}
    try:
        Host.model_validate({"apiVersion": API_VERSION, "kind": "Host", "metadata": {"name": name}, "spec": host})
    except ValueError as error:
        why = "; ".join(line.strip() for line in str(error).splitlines()[1:3])
        raise InputError(f"{name} at {address} cannot be a host", code="E190", why=why) from error
    lines = [f"  {field}: {json.dumps(value)}" for field, value in host.items()]
    return "\n".join(
        [f"apiVersion: {API_VERSION}", "kind: Host", f"metadata: {{name: {name}}}", "spec:", *lines, ""]
    )


def append(file: Path, document: str) -> None:
    """Add a document at the end of a file, which is made where there is none."""
    try:
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        file.parent.mkdir(parents=True, exist_ok=True)
        separator = "" if not before.strip() or before.rstrip().endswith("---") else "---\n"
        line_end = "" if not before or before.endswith("\n") else "\n"
        with open(file, "a", encoding="utf-8") as handle:
            handle.write(f"{line_end}{separator}{document}")
    except OSError as error:
        raise InputError(
            f"{file} cannot be written: {error.strerror}", fix="choose another with --file"
        ) from error


def add_key(spec: Spec, name: str, key: str) -> Path:
    """Write the key below the address of a host that some file has already. InputError, with the line to add by
    hand, where the address is in no line of its own."""
    origin = spec.origin("Host", name, "spec.address")
    line = f"hostKey: {json.dumps(key)}"
    if origin is not None:
        file = Path(origin.file)
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        found = _ADDRESS.match(lines[origin.line - 1]) if 0 < origin.line <= len(lines) else None
        if found:
            lines.insert(origin.line, f"{found['indent']}{line}\n")
            file.write_text("".join(lines), encoding="utf-8")
            return file
    raise InputError(
        f"the spec of {name} cannot be completed by a program", code="E192", fix=f"add below its address: {line}"
    )
