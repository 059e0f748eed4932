"""`reconcile hosts add`: a host's key into the specs, once a person has compared it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli.options import AsJson, Specs, load_spec, spec_paths

WITHIN = 10.0
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _hosts() -> None:
    """The hosts of the specs."""


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="The host's name in specs.")],
    address: Annotated[
        str | None, typer.Argument(help="Its address; not needed for a host that is in the specs.")
    ] = None,
    user: Annotated[str, typer.Option("--user", help="Who to log in as.")] = "root",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Of its sshd.")] = 22,
    fingerprint: Annotated[
        str, typer.Option("--fingerprint", help="SHA256:... as the host's console shows it; asked for otherwise.")
    ] = "",
    specs: Specs = None,
    file: Annotated[Path, typer.Option("--file", help="Where a new host is added.")] = Path("specs/hosts.yaml"),
    as_json: AsJson = False,
) -> None:
    """Fetch a host's key and write it into its spec. The key is not trusted until you say that it is the host's.

    Exit codes: 0 written; 4 refused, or not confirmed; 7 the host does not answer.
    """
    import asyncio

    from reconciler.cli.views.layout import say
    from reconciler.errors import InputError
    from reconciler.hosts.ssh.known import presented
    from reconciler.load import inventory

    there = all(path.exists() for path in spec_paths(specs))
    spec = load_spec(specs, None, None, True) if there else None
    host = spec.hosts.get(name) if spec else None
    if host is not None:
        if host.spec.host_key or host.spec.host_ca:
            raise InputError(
                f"the spec of {name} has a host key already", code="E192", fix="remove it there first"
            )
        if address not in (None, host.spec.address):
            raise InputError(
                f"{name} is at {host.spec.address} in the specs", code="E190", fix="leave ADDRESS out"
            )
        address, port = host.spec.address, host.spec.port
    if address is None:
        raise InputError(f"no spec names a host {name}", code="E146", fix=f"reconcile hosts add {name} ADDRESS")
    document = inventory.new_host(name, address, user, port, "ssh-ed25519 AAAA")  # refused before anybody is asked
    found = asyncio.run(presented(name, address, port, WITHIN))
    _confirm(name, found.fingerprint, fingerprint)
    if host is not None and spec is not None:
        written = inventory.add_key(spec, name, found.key)
    else:
        document = inventory.new_host(name, address, user, port, found.key)
        inventory.append(file, document)
        written = file
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.hosts import HostsAddDocument

        emit(
            HostsAddDocument(
                exit_code=0,
                host=name,
                address=address,
                port=port,
                fingerprint=found.fingerprint,
                file=str(written),
            )
        )
    else:
        say(f"{written}: {name} at {address} with its key {found.fingerprint}")


def _confirm(name: str, shown: str, expected: str) -> None:
    """InputError unless the fingerprint is the expected one, or a person at the terminal says so."""
    from reconciler.cli.views.layout import say
    from reconciler.errors import InputError

    look = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
    what = f"{name} presents the key {shown}"
    if expected:
        if expected != shown:
            why = "the fingerprint is another one: a mistake, or something is between it and you"
            raise InputError(what, code="E198", why=why, fix=f"look on the host's console: {look}")
        return
    if not sys.stdin.isatty():
        fix = f"compare it with the host's console ({look}), then add --fingerprint {shown}"
        raise InputError(what, code="E198", why="nobody has confirmed it", fix=fix)
    say(f"{what}\nOn the host's console this shows the true one: {look}", err=True)
    if typer.prompt("Is it the same? (yes/no)", default="no", err=True).strip().lower() not in ("y", "yes"):
        raise InputError(what, code="E198", why="it was not confirmed", fix="nothing was written")
