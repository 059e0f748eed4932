"""The list of commands. Each module registers one; what it needs is imported when it runs."""

from __future__ import annotations

import typer

from reconciler.cli import (
    apply,
    attend,
    checkpoint,
    checkpoints,
    discard,
    doctor,
    drain,
    explain,
    fence,
    forget,
    get,
    history,
    hosts,
    importing,
    init,
    kept,
    lab,
    plan,
    resolve,
    restore,
    resume,
    runtimes,
    schema,
    status,
    tend,
    top,
    validate,
    watch,
)
from reconciler.cli.fromgit import READS_THEM_FOR_CHECKPOINTS, with_repository


def register_all(app: typer.Typer) -> None:
    """Add every command, in the order of `reconcile --help`."""
    for module in (
        init,
        importing,
        validate,
        get,
        plan,
        apply,
        drain,
        watch,
        attend,
        top,
        status,
        resume,
        resolve,
        fence,
        forget,
        checkpoint,
        restore,
        discard,
        history,
        doctor,
        runtimes,
        schema,
        explain,
    ):
        module.register(app)
    with_repository(app)
    app.add_typer(tend.app, name="tend", help="Tell watches what to leave alone and what to try again.")
    kept.register(checkpoints.app)
    with_repository(checkpoints.app, READS_THEM_FOR_CHECKPOINTS)
    app.add_typer(checkpoints.app, name="checkpoints", help="Checkpoints that are kept, and what is inside them.")
    app.add_typer(hosts.app, name="hosts", help="Add hosts to the specs, with keys that you have compared.")
    app.add_typer(lab.app, name="lab", help="Real hosts on this machine, to try and to test with.")
