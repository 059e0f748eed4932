"""Specs read by a process of its own for `reconcile watch`: asked on stdin, answered on stdout, both JSON. What is
read may be large, slow or far away; here it keeps nobody waiting and its memory is given back."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reconciler.load.files import Unreadable, read_text

if TYPE_CHECKING:
    from reconciler.errors import InputError
    from reconciler.load.mirror import Wanted
    from reconciler.watch.source import Found

LIMIT_S: Final = 300.0
"""A fetch may take 120 s, and wait for another one first."""
AT_A_TIME: Final = 100
"""Objects in a line of the answer."""


@dataclass
class SpecReader:
    """Reads what it was told to, again and again. `tell`: gets what people should know of how specs came here."""

    asked: dict[str, Any]
    tell: Callable[[str], None] = lambda text: None

    async def __call__(self, known: str) -> Found | None:
        found = await read_apart(self.asked, known, self.tell)
        if (repo := self.asked["repo"]) and repo["allow_rewritten"]:  # that was for what there was then
            self.asked = {**self.asked, "repo": {**repo, "allow_rewritten": False}}
        return found


async def read_apart(
    asked: dict[str, Any], known: str, tell: Callable[[str], None] = lambda text: None
) -> Found | None:
    """Ask another process. InputError as it would be raised here; None where all is as it was when the answer had
    `known`."""
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
        found, told = await aside(partial(_understood, out))
    except ValueError as error:
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        raise InputError("the process that reads the specs has ended", why="".join(last)) from error
    for text in told:
        tell(text)
    if isinstance(found, InputError):
        raise found
    return found


def _understood(out: bytes) -> tuple[Found | InputError | None, list[str]]:
    """Specs or the error there, and what is to be told; ValueError for half an answer. A line at a time, for
    others want to work beside it."""
    from reconciler.errors import Diagnostic, InputError
    from reconciler.model.spec import Origin, Spec, Workload
    from reconciler.watch.memory import set_apart
    from reconciler.watch.source import Found

    head, *rest = out.splitlines() or [b""]
    answer = json.loads(head)
    if "error" in answer:
        error = answer["error"]
        found = [Diagnostic(**one) for one in error["diagnostics"]]
        return InputError(**{**error, "diagnostics": found}, files=answer["files"]), answer["told"]
    if "spec" not in answer:
        return None, answer["told"]
    if len(rest) != answer["lines"]:
        raise ValueError("there is more to come")
    with set_apart():
        spec = Spec.model_validate(answer["spec"])
        workloads, origins = dict[str, Workload](), dict[str, Origin]()
        for part in map(json.loads, rest):
            workloads |= {name: Workload.model_validate(raw) for name, raw in part.get("workloads", {}).items()}
            origins |= {name: Origin.model_validate(raw) for name, raw in part.get("origins", {}).items()}
        made = spec.model_copy(update={"workloads": workloads, "origins": origins})
    return Found(made, tuple(answer["files"]), answer["known"]), answer["told"]


def question(paths: list[Path], values: list[Path], settings: list[str], wanted: Wanted | None) -> dict[str, Any]:
    """What is asked: what the command line says."""
    repo = None if wanted is None else {k: str(v) if isinstance(v, Path) else v for k, v in asdict(wanted).items()}
    return {"paths": [*map(str, paths)], "values": [*map(str, values)], "settings": settings, "repo": repo}


def main() -> None:
    """Answer one question."""
    asked = json.loads(sys.stdin.buffer.read())
    answer = _answer(asked)
    lines = [*_parts(answer["spec"])] if "spec" in answer else []
    head = {**answer, "lines": len(lines)}
    sys.stdout.writelines(json.dumps(line) + "\n" for line in (head, *lines))


def _parts(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What there are thousands of, taken out of it."""
    for name in ("workloads", "origins"):
        every = list(spec.pop(name).items())
        yield from ({name: dict(every[at : at + AT_A_TIME])} for at in range(0, len(every), AT_A_TIME))


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    from reconciler.cli.options import load_files, mirrors
    from reconciler.errors import InputError, ReconcilerError
    from reconciler.load.mirror import Wanted, tip

    wanted, told = None, list[str]()
    try:
        paths, values = ([Path(p) for p in asked[name]] for name in ("paths", "values"))
        beside = list(values)
        if repo := asked["repo"]:
            wanted = Wanted(**{**repo, "signers": Path(repo["signers"]) if repo["signers"] else None})
            beside += [wanted.signers] if wanted.signers else []
        commit, _, was = asked["known"].partition(" ")
        now = _content(beside)
        if wanted and commit and was == now and tip(wanted, mirrors(), told.append) == commit:
            return {"told": told}
        loaded = load_files(paths, values, asked["settings"], False, wanted, told.append)
    except ReconcilerError as error:
        found, files = (error.diagnostics, error.files) if isinstance(error, InputError) else ((), ())
        fields = {name: getattr(error, name) for name in ("what", "code", "where", "why", "fix")}
        return {"error": {**fields, "diagnostics": [asdict(one) for one in found]}, "files": files, "told": told}
    return {
        "spec": loaded.spec.model_dump(mode="json", by_alias=True),
        "files": [*map(str, loaded.files)],
        "known": f"{loaded.spec.commit or ''} {now}",
        "told": told,
    }


def _content(files: list[Path]) -> str:
    """A digest of files beside the specs: with another one, the same commit may be read as something else. One
    that cannot be read is empty; reading the specs tells why."""
    found = hashlib.sha256()
    for file in files:
        try:
            text = read_text(file).encode()
        except Unreadable:
            text = b""
        found.update(len(text).to_bytes(8, "big") + text)
    return found.hexdigest()


if __name__ == "__main__":
    main()
