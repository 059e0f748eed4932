"""`reconcile fence`: a host that has failed is made sure to be off."""

from __future__ import annotations

from typing import Annotated

import typer

from reconciler.cli.options import AsJson, Set, Specs, Values, load_hosts


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="fence")(fence)


def fence(
    host: Annotated[str, typer.Argument(help="The host; its spec says `state: failed` and `fencing`.")],
    paths: Specs = None,
    values: Values = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> int:
    """Cut the power of a host that is declared failed, by its `fencing.command`, and wait until `fencing.verify`
    confirms that it is off. Refused for one that answers. Both are programs of this machine, in the folder that
    RECONCILE_FENCING names, else in /etc/reconciler/fencing.

    What ran there comes back by `reconcile apply` afterwards, as long as that is confirmed.

    Exit codes: 0 it is off; 1 refused, or nobody knows; 4 bad input.
    """
    import asyncio

    from reconciler.cli.views.decisions import render_fenced
    from reconciler.cli.views.layout import say
    from reconciler.commands.fencing import fence_host

    done = asyncio.run(fence_host(load_hosts(paths, values, settings), host))
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.decisions import fence_document

        emit(fence_document(done))
    else:
        say(render_fenced(done))
    return 0
