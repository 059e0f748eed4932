"""A plan as a file: complete, versioned, and sealed with a digest, so that an edited one is refused."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from reconciler.commands.binding import AGAIN, Binding
from reconciler.errors import InputError, StalePlan
from reconciler.model.base import digest
from reconciler.model.plan import Plan

FILE_VERSION = 2
ELSEWHERE = "choose another place with --out"

MOST_BYTES = 128 * 2**20
"""Of a plan file; 10,000 workloads take about 40 MiB."""


@dataclass(frozen=True)
class SavedPlan:
    """A plan, and what it is bound to."""

    plan: Plan
    binding: Binding


def write_plan(saved: SavedPlan, path: Path) -> None:
    """Write a plan; the file is readable by its owner only and replaced whole. InputError when it cannot be
    written."""
    body = {
        "plan": saved.plan.model_dump(mode="json", by_alias=True),
        "boundTo": saved.binding.model_dump(mode="json", by_alias=True),
    }
    text = json.dumps({"version": FILE_VERSION, "digest": digest(body), "content": body}, indent=1)
    if path.exists() and not path.is_file():
        raise InputError("the plan file could not be written", where=str(path), why="it is no file", fix=ELSEWHERE)
    path = Path(os.path.realpath(path))  # what a link points to is replaced, not the link
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise InputError(
            "the plan file could not be written",
            where=str(path),
            why=error.strerror or str(error),
            fix=ELSEWHERE,
        ) from error


def read_plan(path: Path) -> SavedPlan:
    """Read a plan file. InputError when it is none; StalePlan when it was edited or is of another version."""
    try:
        sealed = json.loads(_read(path))
        version, seal, body = sealed["version"], sealed["digest"], sealed["content"]
    except OSError as error:
        raise InputError("the plan file could not be read", where=str(path), why=error.strerror or "") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            "this is not a plan file", where=str(path), fix="make one with: reconcile plan --out FILE"
        ) from error
    if version != FILE_VERSION:
        raise StalePlan(
            f"the plan file is of version {version}, this program reads {FILE_VERSION}",
            where=str(path),
            fix=AGAIN,
        )
    if digest(body) != seal:
        raise StalePlan("the plan file was edited after it was made", where=str(path), fix=AGAIN)
    try:
        return SavedPlan(Plan.model_validate(body["plan"]), Binding.model_validate(body["boundTo"]))
    except (ValidationError, KeyError, TypeError) as error:
        raise StalePlan("the plan file does not fit this program", where=str(path), fix=AGAIN) from error


def _read(path: Path) -> bytes:
    """The file, when it is not larger than any plan: reading it takes several times its size in memory."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        text = file.read(MOST_BYTES + 1) if size <= MOST_BYTES else b""
    if not text or len(text) > MOST_BYTES:
        what = "the plan file is empty" if not size else f"the plan file is larger than {MOST_BYTES // 2**20} MiB"
        raise InputError(what, where=str(path), fix="make one with: reconcile plan --out FILE")
    return text


def is_plan_file(path: Path) -> bool:
    """Whether a path given to `apply` is a plan file rather than specs."""
    return path.is_file() and path.suffix not in (".yaml", ".yml")
