"""Checkpoints as people read them and as JSON. Values of variables only where they were asked for."""

from __future__ import annotations

import shlex

from reconciler.cli.views.rehearsed import rehearsed_text
from reconciler.cli.views.style import paint
from reconciler.inspection.compare import FileDifference
from reconciler.inspection.facts import Changed, Checkpoint, Process
from reconciler.model.units import format_bytes


def render_checkpoint(found: Checkpoint, color: bool, *, values: bool) -> str:
    come = found.provenance
    rows = [
        ("container", f"{come.container} {come.container_id[:12]}".strip()),
        ("image", f"{come.image} {come.image_id[:12]}".strip()),
        ("made by", " with ".join(filter(None, (come.engine, come.oci_runtime)))),
        ("created", come.created),
        ("machine", come.architecture),
        ("frozen for", f"{come.freeze_ms:.0f} ms" if come.freeze_ms else ""),
        ("rehearsal", rehearsed_text(found.rehearsed) if found.rehearsed else ""),
        ("size", ", ".join(f"{kind} {format_bytes(size)}" for kind, size in found.sizes.items())),
    ]
    lines = [f"{name:<12} {text}" for name, text in rows if text]
    lines += ["", paint("bold", "processes", color), *_tree(found.processes)]
    if found.sockets:
        lines += ["", paint("bold", "sockets", color)]
        for s in found.sockets:
            lines.append(f"  {s.pid:>6}  {s.protocol:<5} {s.state:<12} {s.local} {s.peer}".rstrip())
    if found.environment:
        lines += ["", paint("bold", "environment", color)]
        shown = (f"{k}={shlex.quote(v)}" if values else k for k, v in found.environment.items())
        lines += [f"  {ascii(text)[1:-1]}" for text in shown]
    if found.changed or found.deleted:
        lines += ["", paint("bold", "root filesystem", color), *_rootfs(found)]
    for volume in found.volumes:
        size = format_bytes(sum(c.bytes for c in volume.files))
        lines += [
            "",
            f"{paint('bold', 'volume', color)} {_printable(volume.name)}  {len(volume.files)} files, {size}",
        ]
    return "\n".join(lines)


def _tree(processes: tuple[Process, ...]) -> list[str]:
    children: dict[int, list[Process]] = {}
    known = {p.pid for p in processes}
    for process in processes:
        children.setdefault(process.parent if process.parent in known else 0, []).append(process)
    lines: list[str] = []
    todo = [(p, 0) for p in reversed(children.get(0, []))]
    seen: set[int] = set()
    while todo:
        process, depth = todo.pop()
        if process.pid in seen:  # hostile input may go round
            continue
        seen.add(process.pid)
        lines += _process(process, "  " * min(depth + 1, 20))
        todo += [(child, depth + 1) for child in reversed(children.get(process.pid, []))]
    return lines


def _process(process: Process, indent: str) -> list[str]:
    called = shlex.join(process.command) or f"[{process.name}]"
    threads = f", {process.threads} threads" if process.threads > 1 else ""
    mapped = ", ".join(f"{kind} {format_bytes(size)}" for kind, size in process.mapped.items())
    return [
        f"{indent}{process.pid} {called}",
        f"{indent}    {format_bytes(process.dumped_bytes)} dumped; mapped {mapped}{threads},"
        f" {len(process.files)} open files",
    ]


def _rootfs(found: Checkpoint) -> list[str]:
    changed = [f"  ~ {_file(c)}" for c in found.changed]
    return [*changed, *(f"  - {_printable(path)}" for path in found.deleted)]


def _file(one: Changed) -> str:
    return f"{_printable(one.path)}  {one.kind} {format_bytes(one.bytes)}  {one.modified}".rstrip()


def _printable(text: str) -> str:
    return ascii(text)[1:-1]


def render_files(found: Checkpoint) -> str:
    lines = ["root filesystem", *(_rootfs(found) or ["  as in its image"])]
    for volume in found.volumes:
        lines += [f"volume {_printable(volume.name)}", *(f"    {_file(one)}" for one in volume.files)]
    for process in found.processes:
        lines.append(f"{process.pid} {process.name}")
        lines += [f"  {f.fd:>4}  {f.kind:<9} {f.text}".rstrip() for f in process.files]
    return "\n".join(lines)


def render_diff(found: tuple[FileDifference, ...], color: bool) -> str:
    if not found:
        return "No difference is seen; memory's content is not compared."
    colors = {"+": "green", "-": "red", "~": "yellow"}
    lines = []
    for one in found:
        change = f"{one.first} -> {one.second}" if one.sign == "~" and one.first else one.first or one.second
        what = f"{one.about:<12} {_printable(one.what)}  {change}".rstrip()
        lines.append(f"{paint(colors[one.sign], one.sign, color)} {what}")
    return "\n".join(lines)
