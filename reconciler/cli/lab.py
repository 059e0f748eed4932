"""`reconcile lab`: real hosts on this machine to try things out on. Results on stdout, progress on stderr."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.options import AsJson

if TYPE_CHECKING:
    from reconciler.lab import Lab

app = typer.Typer(
    help="Real hosts on this machine (sshd, Podman, CRIU) to try moves out on. Needs root.",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Option("--name", "-n", help="Which lab.")]


@app.command()
def up(
    name: Name = "default",
    hosts: Annotated[
        int | None, typer.Option(help="How many hosts; 2 for a new lab. Never removes hosts.")
    ] = None,
    rate: Annotated[
        str | None, typer.Option(help="Limit of each host's link, like 1gbit; an empty text removes it.")
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            help="namespace (fast, a new lab's default), docker, containerd or libvirt (the same, with that "
            "instead of Podman), mixed (Docker beside Podman) or vm (stock kernel and systemd; slow without KVM)."
        ),
    ] = None,
    memory: Annotated[
        int | None, typer.Option(help="Memory of each vm host in MiB, from its next boot on.")
    ] = None,
    install: Annotated[bool, typer.Option("--install", help="Install missing packages with apt-get.")] = False,
    write: Annotated[
        Path | None, typer.Option(help="Also write the inventory to this file; a file with other text is left.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="With --write: replace the file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring a lab up, or bring back what is missing of it."""
    from reconciler.errors import InputError
    from reconciler.lab import Lab, install_packages

    before = _text_of(write) if write is not None and not overwrite else None
    if install:
        install_packages(_progress, backend or "namespace")
    lab = Lab.up(name, hosts=hosts, rate=rate, report=_progress, backend=backend, memory_mib=memory)
    if write is not None:
        text = lab.inventory_path.read_text(encoding="utf-8")
        if before is not None and before != text:
            raise InputError(
                f"the lab is up; {write} holds something else and was left as it is",
                code="E192",
                fix=f"reconcile lab up --name {name} --write {write} --overwrite, or give another file",
            )
        try:
            write.parent.mkdir(parents=True, exist_ok=True)
            write.write_text(text, encoding="utf-8")
        except OSError as error:
            raise InputError(f"{write} cannot be written: {error.strerror}", code="E192") from error
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.lab import up_document

        emit(up_document(lab, str(write) if write else None))
    else:
        _show([lab])


@app.command()
def status(
    name: Annotated[str | None, typer.Option("--name", "-n", help="Which lab; all when not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show labs and their hosts."""
    from reconciler.lab import Lab, lab_names

    labs = [Lab.load(each) for each in ([name] if name else lab_names())]
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.lab import status_document

        emit(status_document(labs))
    else:
        _show(labs)


@app.command("exec", context_settings={"allow_interspersed_args": False})
def execute(
    host: Annotated[str, typer.Argument(help="h1, h2, ...")],
    command: Annotated[list[str] | None, typer.Argument(help="What to run; a shell when not given.")] = None,
    name: Name = "default",
) -> None:
    """Run a command on a host, as root. It also works when the host's sshd is dead."""
    import shlex
    import subprocess

    from reconciler.errors import InputError
    from reconciler.lab import Lab

    if command and command[0] in ("--name", "-n", "--help", "-h"):
        fix = f"reconcile lab exec {shlex.join(command[:2])} {host} COMMAND"
        raise InputError("options of lab exec stand before the host", code="E190", fix=fix)
    words = command[1:] if command and command[0] == "--" else command
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    done = subprocess.run(Lab.load(name).exec_argv(host, words or ["bash"], terminal), check=False)
    raise typer.Exit(done.returncode)


@app.command("ssh-config")
def ssh_config(name: Name = "default", as_json: AsJson = False) -> None:
    """Print the configuration for `ssh -F`."""
    from reconciler.lab import Lab

    file = Lab.load(name).ssh_config_path
    text = file.read_text(encoding="utf-8")
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.lab import SshConfigDocument

        emit(SshConfigDocument(exit_code=0, file=str(file), text=text))
    else:
        typer.echo(text, nl=False)


@app.command()
def down(
    name: Name = "default",
    everything: Annotated[bool, typer.Option("--all", help="All labs of this user.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a lab: its hosts, their disks and its network. Built images stay in the cache."""
    from reconciler.lab import lab_names, remove

    removed = [each for each in (lab_names() if everything else (name,)) if remove(each)]
    if as_json:
        from reconciler.cli.views.output.base import emit
        from reconciler.cli.views.output.lab import LabDownDocument

        emit(LabDownDocument(exit_code=0, removed=tuple(removed)))
    elif removed:
        typer.echo(f"removed {', '.join(removed)}")
    else:
        typer.echo("there was nothing to remove")


def _text_of(file: Path) -> str | None:
    """What a file holds; None when there is none. A name of something else counts as holding something."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"({error.strerror})"


def _progress(line: str) -> None:
    from reconciler.cli.views.layout import say

    say(line, err=True)


def _show(labs: list[Lab]) -> None:
    from reconciler.cli.views.layout import say

    if not labs:
        say("no labs; `reconcile lab up` makes one")
    for lab in labs:
        limit = lab.spec.rate or "none"
        segment = f"subnet {lab.subnet}, this machine {lab.controller_address}, rate limit {limit}"
        say(f"{lab.name}  {lab.spec.backend} hosts, {segment}")
        for host in lab.hosts:
            say(f"  {host.name}  {host.address:<14} {host.state}")
        say(f"  inventory   {lab.inventory_path}")
        say(f"  ssh         ssh -F {lab.ssh_config_path} {lab.hosts[0].name}")
