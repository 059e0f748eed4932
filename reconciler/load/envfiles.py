"""`envFiles`: NAME=value lines in files beside the specs, read as if they stood in `env`. Values there are as
little secret as in a spec, so what looks like a secret is refused in the same way."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reconciler.load import files
from reconciler.load.files import Unreadable
from reconciler.load.objects import locate_value, looks_secret
from reconciler.model.fields import ENV_NAME

AT = ("spec", "container", "envFiles")


def merge(value: dict[str, Any], path: Path, read: dict[Path, str]) -> Iterator[tuple[int, str, str, str]]:
    """Put what the files of a workload's document say into its `env`, which wins, and take the list out. Yields
    what is wrong: index in the list, code, message, hint. `read`: gets every file, by its real path,
    also one that is not there."""
    container = locate_value(value, AT[:-1])
    wanted = container.get("envFiles") if isinstance(container, dict) else None
    if not isinstance(wanted, list) or not all(isinstance(item, str) for item in wanted):
        return
    root = files.repository_root(path)
    found: dict[str, str] = {}
    for n, item in enumerate(wanted):
        target = path.parent / item
        if Path(item).is_absolute() or not files.is_inside(target, root):
            yield n, "E121", f"`{item}` leads out of the repository", "name a file beside the specs"
        elif files.is_hidden(target.parent, root) or target.name.startswith(".git"):
            yield n, "E121", f"`{item}` leads to a hidden file or folder", "name a file beside the specs"
        else:
            read[Path(os.path.realpath(target))] = files.shown(target)
            try:
                lines = files.read_text(target).split("\n")
            except Unreadable as error:
                yield n, "E158", f"the environment file `{item}`: {error.diagnostic.message}", ""
                continue
            for number, line in enumerate(lines, 1):
                if problem := _line(line, found):
                    yield n, problem[0], f"`{item}`, line {number}: {problem[1]}", problem[2]
    given, secret = container.get("env"), container.get("secretEnv")
    del container["envFiles"]
    if isinstance(given, dict) or (given is None and found):
        taken = secret if isinstance(secret, dict) else {}
        container["env"] = {**{k: v for k, v in found.items() if k not in taken}, **(given or {})}


def _line(line: str, found: dict[str, str]) -> tuple[str, str, str] | None:
    text = line.strip().removeprefix("export ").lstrip()
    if not text or text.startswith("#"):
        return None
    name, equals, value = text.partition("=")
    name = name.strip()
    if not equals or not re.match(ENV_NAME, name):
        return (
            "E158",
            "not a line such as NAME=value",
            "a variable of the controller is a secretEnv: {NAME: {fromEnv: NAME}}",
        )
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    if looks_secret(name, value):
        return "E151", f"`{name}` holds a literal secret", f"use secretEnv: {{{name}: {{fromEnv: {name}}}}}"
    found[name] = value
    return None
