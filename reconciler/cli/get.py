"""`reconcile get`: what runs where, and where it should."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.options import AsJson, Paths, Set, Values, load_hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.core.points import Point
    from reconciler.core.selecting import Term
    from reconciler.core.stock import Stock
    from reconciler.model.spec import Spec
    from reconciler.model.world import World


class Shape(StrEnum):
    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="get")(get)


def get(
    paths: Paths = None,
    values: Values = None,
    settings: Set = None,
    only: Annotated[
        str,
        typer.Option(
            "--selector", "-l", metavar="LABELS", help="Only workloads with these, such as team=web,!old."
        ),
    ] = "",
    host: Annotated[
        str, typer.Option("--host", metavar="NAME", help="Only what is, or belongs, on this host.")
    ] = "",
    shape: Annotated[Shape, typer.Option("--output", "-o", help="How to show it [table].")] = Shape.TABLE,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on looking, and show what changes.")] = False,
    as_json: AsJson = False,
) -> int:
    """Show every workload of the specs: where it belongs and where it is; then what no spec uses: containers, and
    volumes that were left behind with their data. Changes nothing.

    Exit codes: 0, whatever is found; 4 bad specs, or none that names a host; 7 no host could be seen;
    130 the end of --watch.
    """
    import asyncio

    from reconciler.cli.views.failure import warned
    from reconciler.cli.views.layout import say
    from reconciler.commands import app
    from reconciler.core.selecting import known_host
    from reconciler.core.stock import stock
    from reconciler.errors import InputError

    spec = load_hosts(paths, values, settings)
    if host:
        known_host(host, spec)
    if watch and (as_json or shape in (Shape.JSON, Shape.YAML)):
        raise InputError("--watch shows lines, not documents", code="E190", fix="-o table, wide or name")
    terms, shape = _terms(only), Shape.JSON if as_json else shape
    if watch:
        return asyncio.run(_watched(spec, lambda world, points: stock(spec, world, terms, host, points), shape))
    world, points = asyncio.run(app.observed(spec, warned))
    status = 7 if world.blind else 0
    text = _shown(stock(spec, world, terms, host, points), spec, world, shape, status)
    (typer.echo if shape in (Shape.JSON, Shape.YAML) else say)(text)
    return status


def _terms(text: str) -> tuple[Term, ...]:
    from reconciler.core.selecting import selector
    from reconciler.errors import InputError

    try:
        return selector(text)
    except ValueError as error:
        raise InputError(f"--selector: {error}", code="E190") from error


def _shown(stock: Stock, spec: Spec, world: World, shape: Shape, status: int) -> str:
    from reconciler.cli.views.layout import width_of
    from reconciler.cli.views.stock import names, render_stock
    from reconciler.cli.views.style import color_of

    if shape is Shape.NAME:
        return names(stock)
    if shape in (Shape.TABLE, Shape.WIDE):
        wide = shape is Shape.WIDE
        return render_stock(spec, world, color_of(sys.stdout), width_of(sys.stdout), only=stock, wide=wide)
    from reconciler.cli.views.output.base import as_json, as_text
    from reconciler.cli.views.output.stock import get_document
    from reconciler.load.foreign.write import yaml_text

    document = get_document(stock, world, status)
    return as_text(document) if shape is Shape.JSON else yaml_text(as_json(document)).rstrip("\n")


async def _watched(spec: Spec, pick: Callable[[World, Mapping[str, Point]], Stock], shape: Shape) -> int:
    """Until Ctrl-C: all of it again whenever something is different."""
    from reconciler.cli.views.failure import warned
    from reconciler.cli.views.layout import say
    from reconciler.commands import app

    before: object = None
    async for world, points in app.looks(spec, warned):
        found = pick(world, points)
        now = (found.settled, sorted(world.unknown()))
        if now != before:
            say(("" if before is None else "\n") + _shown(found, spec, world, shape, 0))
            before = now
    return 0
