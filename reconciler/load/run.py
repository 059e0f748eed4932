"""One run of loading: every path, include and template, all findings kept until the end."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reconciler.errors import Diagnostic, InputError
from reconciler.load import envfiles, files, issues
from reconciler.load.compose import Composed, Places, YamlDocument, compose
from reconciler.load.files import Unreadable
from reconciler.load.limits import MAX_INCLUDE_DEPTH, MAX_SHOWN
from reconciler.load.objects import check, locate
from reconciler.load.rules import SpecFleet, check_fleet
from reconciler.load.source import Source
from reconciler.load.templates import TemplateFault, is_template
from reconciler.model.spec import (
    CheckpointPolicy,
    CheckpointStore,
    Cluster,
    Host,
    MigrationPolicy,
    Network,
    Origin,
    Spec,
    SyncPolicy,
    Workload,
)

log = logging.getLogger("reconciler.load")


@dataclass(frozen=True)
class Loaded:
    """Specs that can be used, and what is worth a warning."""

    spec: Spec
    warnings: tuple[Diagnostic, ...] = ()
    files: tuple[str, ...] = ()


def load(
    paths: Sequence[Path | str],
    *,
    values: Mapping[str, Any] | None = None,
    allow_empty: bool = False,
    skip: Sequence[Path | str] = (),
) -> Spec:
    """The validated specs of files and folders. Raises one InputError with every finding of the run.

    `values` fill templates (see `read_values`); `skip` names files in the folders that are not specs, such
    as values files. `allow_empty` accepts paths that vanished, are empty or hold no workload. `commit` and
    `dirty` of the Spec are left to `reconciler.load.gitinfo.stamped`.
    """
    return load_all(paths, values=values, allow_empty=allow_empty, skip=skip).spec


def load_all(
    paths: Sequence[Path | str],
    *,
    values: Mapping[str, Any] | None = None,
    allow_empty: bool = False,
    skip: Sequence[Path | str] = (),
) -> Loaded:
    """Like `load`, with the warnings and the names of the files that were read."""
    run = _Run(dict(values or {}), allow_empty, {_real(Path(path)) for path in skip})
    with _no_collection():
        for path in paths:
            run.path(Path(path))
        log.info("%d files read", len(run.files))
        return run.result()


@contextmanager
def _no_collection() -> Iterator[None]:
    """Large fleets make millions of objects that stay: collecting garbage meanwhile only costs time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # a circle of links; reading reports it
        return path.absolute()


class _Run:
    def __init__(self, values: dict[str, Any], allow_empty: bool, skip: set[Path]) -> None:
        self.values = values
        self.allow_empty = allow_empty
        self.found: list[Diagnostic] = []
        self.fleet = SpecFleet()
        self.files: dict[Path, str] = {}
        self.skip = skip
        self.open: list[Path] = []

    def path(self, path: Path) -> None:
        """A path of the command line."""
        if self.allow_empty and not os.path.lexists(path):
            return
        if os.path.isdir(path):
            self._folder(path, files.repository_root(path))
        else:
            self._file(path)

    def _folder(self, folder: Path, root: Path) -> None:
        for item in files.yaml_files(folder, root):
            if isinstance(item, Unreadable):
                self._broken(item.diagnostic)
            elif _real(item) not in self.skip:
                self._file(item)

    def _broken(self, diagnostic: Diagnostic) -> None:
        """A finding that may hide objects: nothing is said to be missing after it."""
        self.found.append(diagnostic)
        self.fleet.complete = False

    def _file(self, path: Path) -> None:
        real = _real(path)
        if real in self.files:
            return
        self.files[real] = files.shown(path)
        try:
            text = files.read_text(path)
        except Unreadable as error:
            self._broken(error.diagnostic)
            return
        source = self._rendered(Source(files.shown(path), text))
        if source is None:
            return
        composed = compose(source.text)
        broken = [issues.to_diagnostic(issue, source) for issue in composed.issues]
        for diagnostic in broken:
            self._broken(diagnostic)
        if not composed.issues and not self.allow_empty and _is_empty(composed):
            self.found.append(source.diagnostic("E124", "the file holds no object", 0))
        self.open.append(real)
        already = {(d.line, d.col) for d in broken}
        for document in composed.documents:
            self._document(document, source, path, already)
        self.open.pop()

    def _rendered(self, source: Source) -> Source | None:
        if not is_template(source.text):
            return source
        from reconciler.load.render import render_spec

        try:
            rendered = render_spec(source.text, self.values)
        except TemplateFault as fault:
            self._broken(issues.fault_diagnostic(fault, source))
            return None
        return Source(source.file, rendered.text, origin_lines=rendered.lines, original=source.text)

    def _document(self, document: YamlDocument, source: Source, path: Path, already: set[tuple[int, int]]) -> None:
        """Checks one document; what YAML itself already said of a place is not said again."""
        value = document.value
        if value is None:
            return
        if isinstance(value, dict) and "include" in value and isinstance(document.places, Places):
            self._includes(value, document.places, source, path)
            return
        if isinstance(value, dict) and value.get("kind") == "Workload" and isinstance(document.places, Places):
            for n, code, message, hint in envfiles.merge(value, path, self.files):
                index, length = locate(document.places, (*envfiles.AT, n))
                self._broken(source.diagnostic(code, message, index, length, hint=hint))
        checked = check(document, source)
        self.found.extend(
            d for d in checked.diagnostics if (d.line, d.col) not in already or d.code not in ("E104", "E105")
        )
        entry = checked.entry
        if entry is None:
            self.fleet.complete = False
            return
        if not entry.name:
            self.fleet.complete = False
            return
        key = (entry.kind, entry.name)
        self.fleet.declare(*key)
        first = self.fleet.entries.setdefault(key, entry)
        if first is not entry:
            at = first.where("metadata", "name")
            message = f"{entry.kind} `{entry.name}` is already defined at {at}"
            self.found.append(entry.diagnostic("E140", message, "metadata", "name"))

    def _includes(self, value: dict[str, Any], places: Places, source: Source, path: Path) -> None:
        wanted = value["include"]
        if len(value) > 1 or not isinstance(wanted, list):
            at = locate(places, ("include",), on_key=True)
            message = "an include document holds only `include`, a list of paths"
            self._broken(source.diagnostic("E120", message, *at))
            return
        root = files.repository_root(path)
        for n, item in enumerate(wanted):
            at = locate(places, ("include", n))
            if problem := self._include(item, path, root):
                self._broken(source.diagnostic(problem[0], problem[1], *at))

    def _include(self, item: Any, path: Path, root: Path) -> tuple[str, str] | None:
        """Loads one included path, or says why not."""
        if not isinstance(item, str) or not item or Path(item).is_absolute():
            return "E120", "an include is a relative path"
        target = path.parent / item
        if not files.is_inside(target, root):
            return "E121", "the include leads out of the repository"
        if files.is_hidden(target, root):
            return "E121", "the include leads to a hidden file or folder"
        real = _real(target)
        if real in self.open:
            way = [self.files[p] for p in self.open[self.open.index(real) :]]
            return "E122", f"include cycle: {' -> '.join([*way, way[0]])}"
        if len(self.open) >= MAX_INCLUDE_DEPTH:
            return "E122", f"includes nest deeper than {MAX_INCLUDE_DEPTH} files"
        if not files.is_there(target):
            self.files.setdefault(real, files.shown(target))  # it was looked for
            return "E120", f"there is no `{item}` next to this file"
        if os.path.isdir(target):
            self._folder(target, root)
        elif not item.endswith(files.SUFFIXES):
            return "E120", f"`{item}` is not named as a spec is: {' or '.join(files.SUFFIXES)}"
        else:
            self._file(target)
        return None

    def result(self) -> Loaded:
        """The specs, or one InputError."""
        entries = [e for e in self.fleet.entries.values() if e.model is not None]
        if not self.fleet.names("Workload") and self.fleet.complete:
            self._nothing()
        self.found.extend(check_fleet(self.fleet))
        errors = [d for d in self.found if d.severity == "error"]
        if errors:
            raise _input_error(errors, sorted(self.files.values()))
        origins: dict[str, Origin] = {}
        for entry in entries:
            origins.update(entry.origins())
        called = {}
        for entry in entries:
            if isinstance(entry.model, Workload) and entry.model.identity != entry.name:
                called[entry.model.identity] = entry.name
                origins.update(replace(entry, name=entry.model.identity).origins())
        models = [e.model for e in entries]
        spec = Spec.model_construct(
            hosts={m.metadata.name: m for m in models if isinstance(m, Host)},
            clusters={m.metadata.name: m for m in models if isinstance(m, Cluster)},
            workloads={m.identity: _as_on_hosts(m) for m in models if isinstance(m, Workload)},
            policies={m.metadata.name: m for m in models if isinstance(m, MigrationPolicy)},
            networks={m.metadata.name: m for m in models if isinstance(m, Network)},
            sync={m.metadata.name: m for m in models if isinstance(m, SyncPolicy)},
            checkpoint_policies={m.metadata.name: m for m in models if isinstance(m, CheckpointPolicy)},
            checkpoint_stores={m.metadata.name: m for m in models if isinstance(m, CheckpointStore)},
            origins=origins,
            called=called,
        )
        warnings = (*self._warnings(), *(d for d in self.found if d.severity != "error"))
        return Loaded(spec, warnings, tuple(sorted(self.files.values())))

    def _nothing(self) -> None:
        if not self.allow_empty and not any(d.severity == "error" for d in self.found):
            hint = "check the path, or pass --allow-empty when it is meant"
            shown = ", ".join(sorted(self.files.values())[:3]) or "the given paths"
            self.found.append(Diagnostic("E123", "no workload is defined", shown, hint=hint))

    def _warnings(self) -> Iterator[Diagnostic]:
        for entry in self.fleet.entries.values():
            if isinstance(entry.model, Workload):
                image = entry.model.spec.image
                if image and "@" not in image and ":" not in image.rsplit("/", 1)[-1]:
                    message = f"image `{image}` has neither tag nor digest"
                    at = ("spec", "container", "image")
                    yield entry.diagnostic("W101", message, *at, hint="pin it: name@sha256:...")


def _is_empty(composed: Composed) -> bool:
    return all(document.value is None for document in composed.documents)


def _input_error(errors: Sequence[Diagnostic], files: Sequence[str]) -> InputError:
    ordered = sorted(dict.fromkeys(errors), key=lambda d: (d.file, d.line, d.col, d.code))
    where = sorted({d.file for d in ordered})
    what = f"{_count(len(ordered), 'error')} in {_count(len(where), 'file')}"
    if len(ordered) > MAX_SHOWN:
        what += f"; the first {MAX_SHOWN} are shown, {len(ordered) - MAX_SHOWN} more are not"
    return InputError(what, diagnostics=ordered[:MAX_SHOWN], code=ordered[0].code, files=files)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _as_on_hosts(workload: Workload) -> Workload:
    """With its old name where it was renamed: containers, markers and volumes keep theirs, and it keeps them."""
    if workload.metadata.renamed_from is None:
        return workload
    metadata = workload.metadata.model_copy(update={"name": workload.identity, "renamed_from": None})
    return workload.model_copy(update={"metadata": metadata})
