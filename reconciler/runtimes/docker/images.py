"""Images on their way to another host, with their ID, and by no name that the source makes up."""

from __future__ import annotations

from reconciler.errors import CommandFailed
from reconciler.model.command import Archive, Command, Program
from reconciler.model.world import ImageFacts
from reconciler.resources import host_script
from reconciler.runtimes.docker import parse


def asked(kind: str, name: str) -> Program[str]:
    """One object, inspected; empty where there is none. Docker says that it found none by its exit code, and so
    does one that does not answer, which is asked again."""
    found = yield Command(("docker", kind, "inspect", "--", name), ok=(0, 1))
    if found.status == 0:
        return found.stdout
    yield Command(("docker", "version", "--format", "{{.Server.Version}}"))
    return ""


def image(name: str) -> Program[ImageFacts | None]:
    return next(iter(parse.images((yield from asked("image", name)))), None)


def pack_image(name: str) -> Program[Archive]:
    found = yield from image(name)
    if found is None:
        raise CommandFailed(f"image {name[:12]} is not there", code="C325")
    return Archive(found.id, found.names, ("docker", "save", found.id), host_script("docker", "unpack"))


def take_image(archive: Archive, known_as: str) -> Program[None]:
    if (yield from image(archive.id)) is None:
        raise CommandFailed(
            f"image {archive.id[:12]} has another ID here than where it came from",
            code="C325",
            why="its format does not survive saving and loading",
            fix="pull it on this host by its digest, or build it there",
        )
    meant = {parse.familiar(name) for name in archive.names} & {parse.familiar(known_as)}
    if meant and "@" not in known_as and (yield from image(known_as)) is None:
        yield Command(("docker", "tag", archive.id, known_as), changes=True)
