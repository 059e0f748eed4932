"""`reconcile drain`: a node of a cluster is emptied, and given back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.options import AsJson, JournalPath, Set, Specs, Values, load_hosts

if TYPE_CHECKING:
    from reconciler.commands.app import Seen
    from reconciler.core.draining import Draining
    from reconciler.model.spec import Spec


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="drain")(drain)


def drain(
    place: Annotated[str, typer.Argument(metavar="CLUSTER/NODE", help="The node that is to be empty.")],
    undo: Annotated[bool, typer.Option("--undo", help="Give it back: it may take something new again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed without a terminal.")] = False,
    paths: Specs = None,
    values: Values = None,
    settings: Set = None,
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> int:
    """Cordon a node of a cluster, then move its virtual machines to other nodes that fit, each to where most
    memory is left, in the order of their workloads' names, as many at once as KubeVirt lets go. Machines that no
    spec names are left there and named. It can be repeated after a failure. With --undo the node is given back;
    `apply` then brings back what specs place there.

    Exit codes: 0 all workloads have left; 1 some have to stay, or were put back; 4 no such node; 5 in doubt;
    6 locked; 7 the cluster cannot be used; 130 interrupted: the node stays cordoned.
    """
    from reconciler.cli.signals import answer_to, run_until_done
    from reconciler.cli.views.drain import render_beforehand, render_drained
    from reconciler.cli.views.failure import warned
    from reconciler.cli.views.layout import say
    from reconciler.cli.views.progress import progress_view
    from reconciler.cli.views.style import color_of
    from reconciler.commands.drain import Drain
    from reconciler.errors import InputError

    spec = load_hosts(paths, values, settings)
    if undo:
        return _given_back(spec, place, as_json)

    def show(seen: Seen, draining: Draining) -> None:
        if not as_json:
            say(render_beforehand(seen, draining, color_of(sys.stdout)))

    async def ask(seen: Seen) -> bool:
        if not sys.stdin.isatty():
            raise InputError("drain needs a yes, and there is no terminal to ask", code="E194", fix="add --yes")
        answer = await answer_to(f"\nCordon {place} and move these? (yes/no) [no]: ")
        return answer.strip().lower() in ("y", "yes")

    with progress_view() as report:
        job = Drain(spec, place, journal, show, None if yes else ask, report, warned)
        drained, interrupted = run_until_done(job, job.cancel)
    ending = drained.ending(interrupted)
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.drain import drain_document

        emit(drain_document(drained, ending))
    else:
        say(render_drained(drained, interrupted, color_of(sys.stdout)))
    return ending.exit_code


def _given_back(spec: Spec, place: str, as_json: bool) -> int:
    import asyncio

    from reconciler.cli.views.drain import render_given_back
    from reconciler.cli.views.failure import warned
    from reconciler.cli.views.layout import say
    from reconciler.commands.drain import give_back

    done, cordoned = asyncio.run(give_back(spec, place, warned))
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.drain import given_back_document

        emit(given_back_document(place, cordoned))
    else:
        say(render_given_back(place, done, cordoned))
    return 0
