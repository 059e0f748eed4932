"""Specs read by a process of its own for `reconcile watch`: asked on stdin, answered on stdout, both JSON. What is
read may be large, slow or far away; here it keeps nobody waiting and its memory is given back."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from reconciler.load.mirror import Wanted
    from reconciler.watch.source import Found

LIMIT_S: Final = 300.0
"""A fetch may take 120 s, and wait for another one first."""
AT_A_TIME: Final = 100
"""Objects in a line of the answer."""


async def read_apart(asked: dict[str, Any], known: str) -> Found | None:
    """Ask another process. InputError as it would be raised here; None where `known` is still the commit."""
    from reconciler.errors import InputError
    from reconciler.state.store import aside

    pipe = asyncio.subprocess.PIPE
    words = (sys.executable, "-m", "reconciler.cli.reading")
    job = await asyncio.create_subprocess_exec(
        *words, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            out, said = await job.communicate(json.dumps({**asked, "known": known}).encode())
    except TimeoutError as error:
        raise InputError(f"the specs could not be read within {LIMIT_S:.0f} s") from error
    finally:
        if job.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(job.pid, signal.SIGKILL)
            await job.wait()
    try:
        return await aside(partial(_understood, out))
    except ValueError as error:
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        raise InputError("the process that reads the specs has ended", why="".join(last)) from error


def _understood(out: bytes) -> Found | None:
    """InputError as it was raised there; ValueError for half an answer. A line at a time, for others want to work
    beside it."""
    from reconciler.errors import Diagnostic, InputError
    from reconciler.model.spec import Origin, Spec, Workload
    from reconciler.watch.memory import set_apart
    from reconciler.watch.source import Found

    head, *rest = out.splitlines() or [b""]
    answer = json.loads(head)
    if answer is None:
        return None
    if "error" in answer:
        told = answer["error"]
        raise InputError(**{**told, "diagnostics": [Diagnostic(**found) for found in told["diagnostics"]]})
    if len(rest) != answer["lines"]:
        raise ValueError("there is more to come")
    with set_apart():
        spec = Spec.model_validate(answer["spec"])
        workloads, origins = dict[str, Workload](), dict[str, Origin]()
        for part in map(json.loads, rest):
            workloads |= {name: Workload.model_validate(raw) for name, raw in part.get("workloads", {}).items()}
            origins |= {name: Origin.model_validate(raw) for name, raw in part.get("origins", {}).items()}
        made = spec.model_copy(update={"workloads": workloads, "origins": origins})
    return Found(made, tuple(answer["files"]))


def question(paths: list[Path], values: list[Path], settings: list[str], wanted: Wanted | None) -> dict[str, Any]:
    """What is asked: what the command line says."""
    repo = None if wanted is None else {k: str(v) if isinstance(v, Path) else v for k, v in asdict(wanted).items()}
    return {"paths": [*map(str, paths)], "values": [*map(str, values)], "settings": settings, "repo": repo}


def main() -> None:
    """Answer one question."""
    asked = json.loads(sys.stdin.buffer.read())
    answer = _answer(asked)
    lines = [*_parts(answer["spec"])] if answer and "spec" in answer else []
    head = answer and {**answer, "lines": len(lines)}
    sys.stdout.writelines(json.dumps(line) + "\n" for line in (head, *lines))


def _parts(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What there are thousands of, taken out of it."""
    for name in ("workloads", "origins"):
        every = list(spec.pop(name).items())
        yield from ({name: dict(every[at : at + AT_A_TIME])} for at in range(0, len(every), AT_A_TIME))


def _answer(asked: dict[str, Any]) -> dict[str, Any] | None:
    from reconciler.cli.options import load_files, mirrors
    from reconciler.errors import InputError, ReconcilerError
    from reconciler.load.mirror import Wanted, tip

    wanted = None
    try:
        if repo := asked["repo"]:
            wanted = Wanted(**{**repo, "signers": Path(repo["signers"]) if repo["signers"] else None})
            if asked["known"] and tip(wanted, mirrors()) == asked["known"]:
                return None
        paths, values = ([Path(p) for p in asked[name]] for name in ("paths", "values"))
        loaded = load_files(paths, values, asked["settings"], False, wanted)
    except ReconcilerError as error:
        found = error.diagnostics if isinstance(error, InputError) else ()
        told = {name: getattr(error, name) for name in ("what", "code", "where", "why", "fix")}
        return {"error": {**told, "diagnostics": [asdict(one) for one in found]}}
    return {"spec": loaded.spec.model_dump(mode="json", by_alias=True), "files": [*map(str, loaded.files)]}


if __name__ == "__main__":
    main()
