"""`reconcile checkpoints list | verify | pin | unpin | rm | copy | export | import | prune`: what is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.options import AsJson, JournalPath, Set, Specs, Values, load_hosts

if TYPE_CHECKING:
    from reconciler.model.event import Untidied

In = Annotated[str, typer.Option("--in", help="Where: HOST or HOST:/FOLDER; default: asks all hosts.")]
One = Annotated[str, typer.Argument(metavar="WORKLOAD@ID", help="A checkpoint; ID may be `latest`.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    some = (("list", listing), ("verify", verify), ("pin", pin), ("unpin", unpin), ("rm", rm))
    for name, command in some:
        app.command(name=name)(command)
    app.command(name="copy")(copy)
    app.command(name="export")(export)
    app.command(name="import")(take_in)
    app.command(name="prune")(prune)


def listing(
    workload: Annotated[str, typer.Argument(help="Only of this workload.", show_default=False)] = "",
    where: In = "",
    paths: Specs = None,
    values: Values = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> int:
    """The checkpoints that hosts keep, newest first.

    Exit codes: 0; 4 bad input; 7 no host could be asked.
    """
    import asyncio

    from reconciler.cli.views.kept import render_stock
    from reconciler.cli.views.layout import say
    from reconciler.commands import kept

    spec = load_hosts(paths, values, settings)
    found = asyncio.run(kept.listing(spec, workload, where))
    status = 7 if found.unknown and not found.kept else 0
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.kept import list_document

        emit(list_document(found, status))
    else:
        say(render_stock(found))
    return status


def verify(
    checkpoint: Annotated[
        str,
        typer.Argument(metavar="WORKLOAD[@ID]", help="A checkpoint, or all of a workload; ID may be `latest`."),
    ],
    where: In = "",
    rehearse: Annotated[
        bool,
        typer.Option("--rehearse", help="Restore it for trial, as a copy without network that goes at once."),
    ] = False,
    on: Annotated[
        str, typer.Option("--on", metavar="HOST", help="The host for that; default: where its spec places it.")
    ] = "",
    paths: Specs = None,
    values: Values = None,
    settings: Set = None,
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> int:
    """Read all files of checkpoints and compare them with their manifests.

    With --rehearse one is also restored beside its workload, asked for its health and removed again; its store
    notes how that came out.

    Exit codes: 0 all are whole, and come up; 1 some are not, or refused; 4 bad input; 6 another controller works
    there; 7 a host cannot be used, or one where others may be could not be asked; 130 interrupted.
    """
    import asyncio

    from reconciler.cli.views.kept import render_verified
    from reconciler.cli.views.layout import say
    from reconciler.commands import kept

    spec = load_hosts(paths, values, settings)
    left: list[Untidied] = []
    if rehearse:
        from reconciler.cli.signals import run_until_done
        from reconciler.commands.practising import RehearseKept

        job = RehearseKept(spec, kept.one_of(checkpoint), on, where, journal, untidied=left)
        done, _ = run_until_done(job, job.cancel)
        read = kept.Verification((done,), {})
    elif on:
        from reconciler.errors import InputError

        raise InputError("--on is for --rehearse", code="E190", fix="say --rehearse, too")
    else:
        read = asyncio.run(kept.verify(spec, checkpoint, where))
    bad = any(one.wrong or (rehearse and not one.well) for one in read.found)
    status = 1 if bad else 7 if read.unknown else 0
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.kept import verify_document

        emit(verify_document(read, left, status))
    else:
        say(render_verified(read, left))
    return status


def pin(
    checkpoint: One,
    where: In = "",
    paths: Specs = None,
    values: Values = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> int:
    """Keep a checkpoint: nothing removes it until it is unpinned."""
    import asyncio

    from reconciler.commands import kept

    done = asyncio.run(kept.pin(load_hosts(paths, values, settings), checkpoint, where))
    return _changed("pinned", done, as_json)


def unpin(
    checkpoint: One,
    where: In = "",
    paths: Specs = None,
    values: Values = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> int:
    """Let a pinned checkpoint be removed again."""
    import asyncio

    from reconciler.commands import kept

    done = asyncio.run(kept.pin(load_hosts(paths, values, settings), checkpoint, where, on=False))
    return _changed("unpinned", done, as_json)


def rm(
    checkpoints: Annotated[list[str], typer.Argument(metavar="WORKLOAD@ID...", help="What to remove.")],
    last: Annotated[bool, typer.Option("--last", help="Also the last one of a workload.")] = False,
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="All copies, where it is kept in several places.")
    ] = False,
    where: In = "",
    paths: Specs = None,
    values: Values = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> int:
    """Remove checkpoints. Refused for what is pinned, for a workload's last one without --last, and for what is
    kept in several places without --in or --everywhere.

    Exit codes: 0 removed; 1 refused, and nothing was; 4 bad input; 7 a host cannot be used.
    """
    import asyncio

    from reconciler.commands import kept

    spec = load_hosts(paths, values, settings)
    done = asyncio.run(kept.remove(spec, checkpoints, where, last=last, everywhere=everywhere))
    return _changed("removed", done, as_json)


def copy(
    checkpoint: One,
    to: Annotated[str, typer.Option("--to", help="Where to: HOST, HOST:/FOLDER or a CheckpointStore.")],
    where: In = "",
    paths: Specs = None,
    values: Values = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> int:
    """Keep a checkpoint in another place, too. It goes from host to host, and is read again where it arrived.
    One that is there already is read, too, and replaced where it is not whole.

    Exit codes: 0 it is there; 1 refused or failed, and nothing of it is there; 4 bad input; 7 a host cannot be
    used; 130 interrupted.
    """
    from reconciler.cli.signals import at_once, run_until_done
    from reconciler.cli.views.kept import reference
    from reconciler.cli.views.layout import say
    from reconciler.commands.shelves import CopyKept

    job = CopyKept(load_hosts(paths, values, settings), checkpoint, to, where)
    done, _ = run_until_done(job, at_once)
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.kept import copy_document

        emit(copy_document(done, job.untidied))
    else:
        say("\n".join([f"{reference(done)} is kept on {done.at}", *(f"note: {left}" for left in job.untidied)]))
    return 0


def export(
    checkpoint: One,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="The archive; it must not be there.")],
    where: In = "",
    paths: Specs = None,
    values: Values = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> int:
    """A checkpoint as an archive that `podman container restore --import` takes. What is restored from it is
    no workload of ours; it has its network and addresses, and connections of then.

    Exit codes: 0 written; 1 refused, or damaged; 4 bad input; 7 a host cannot be used; 130 interrupted.
    """
    from reconciler.cli.signals import at_once, run_until_done
    from reconciler.cli.views.kept import render_exported
    from reconciler.cli.views.layout import say
    from reconciler.commands.exporting import Export

    job = Export(load_hosts(paths, values, settings), checkpoint, out, where)
    done, _ = run_until_done(job, at_once)
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.kept import export_document

        emit(export_document(done, job.untidied))
    else:
        say(render_exported(done, job.untidied))
    return 0


def take_in(
    archive: Annotated[Path, typer.Argument(metavar="PATH", help="Archive, or folder of CRIU images.")],
    workload: Annotated[
        str, typer.Option("--as", metavar="WORKLOAD", help="Whose it is; default: named as its container was.")
    ] = "",
    to: Annotated[
        str, typer.Option("--to", help="Where to keep it: a store, HOST or HOST:/FOLDER; default: its host.")
    ] = "",
    paths: Specs = None,
    values: Values = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> int:
    """Keep a checkpoint that others took: archives of `podman container checkpoint -e`, of the kubelet and of
    containerd, folders of `docker checkpoint`. Nobody knows what it was made from; `reconcile restore` brings it
    back under the spec of now.

    Exit codes: 0 it is kept; 1 refused or failed, and nothing of it is there; 4 no checkpoint, damaged, or bad
    input; 7 a host cannot be used; 130 interrupted.
    """
    from reconciler.cli.signals import at_once, run_until_done
    from reconciler.cli.views.kept import render_imported
    from reconciler.cli.views.layout import say
    from reconciler.commands.taking import TakeIn

    job = TakeIn(load_hosts(paths, values, settings), archive, workload, to)
    done, _ = run_until_done(job, at_once)
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.kept import import_document

        emit(import_document(done, job.untidied))
    else:
        say(render_imported(done, job.untidied))
    return 0


def prune(
    workload: Annotated[str, typer.Argument(help="Only of this workload.", show_default=False)] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; without it they are only shown.")] = False,
    where: In = "",
    paths: Specs = None,
    values: Values = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> int:
    """What the policies of workloads keep no longer: shown, and with --yes removed. Only in the stores of these
    policies, elsewhere with --in. What is pinned, or cannot be read, stays. One of those that stay is read again
    first: where none is whole, nothing is removed.

    Exit codes: 0; 1 refused, and nothing was removed; 4 bad input; 7 a host cannot be used, or one where policies
    keep some could not be asked.
    """
    import asyncio

    from reconciler.cli.views.kept import render_pruned
    from reconciler.cli.views.layout import say
    from reconciler.commands import shelves

    done = asyncio.run(shelves.prune(load_hosts(paths, values, settings), workload, where, really=yes))
    status = 7 if done.unknown else 0
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.kept import prune_document

        emit(prune_document(done, status, removed=yes))
    else:
        say(render_pruned(done, removed=yes))
    return status


def _changed(what: str, done: list, as_json: bool) -> int:  # type: ignore[type-arg]
    from reconciler.cli.views.kept import reference
    from reconciler.cli.views.layout import say

    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.kept import changed_document

        emit(changed_document(what, done))
    else:
        say("\n".join(f"{reference(kept)} on {kept.at} is {what}" for kept in done))
    return 0
