"""Images on their way to another host, with their ID, and by no name that the source makes up."""

from __future__ import annotations

from reconciler.core import answers
from reconciler.errors import CommandFailed
from reconciler.model.command import Archive, Command, Program
from reconciler.resources import host_script

_NOT_FOUND = 125
_OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def pack_image(image: str) -> Program[Archive]:
    found = yield from _inspected(image)
    if found is None:
        raise CommandFailed(f"image {image[:12]} is not there", code="C325")
    return found


def take_image(archive: Archive, known_as: str) -> Program[None]:
    there = yield from _inspected(archive.id)
    if there is None:
        raise CommandFailed(
            f"image {archive.id[:12]} has another ID here than where it came from",
            code="C325",
            why="its format does not survive saving and loading",
            fix="pull it on this host by its digest, or build it there",
        )
    for name in archive.names:
        meant = name == known_as or name.endswith(f"/{known_as}")
        if meant and name not in there.names and (yield from _inspected(name)) is None:
            yield Command(("podman", "tag", archive.id, name), changes=True)


def _inspected(image: str) -> Program[Archive | None]:
    """The image as this host knows it, in the format that keeps its ID."""
    what = "an image"
    result = yield Command(("podman", "image", "inspect", "--", image), ok=(0, _NOT_FOUND))
    if result.status != 0:
        return None
    facts = answers.mapping(next(iter(answers.items(answers.parsed(result.stdout, what), what)), None), what)
    tags = [t for t in answers.items(facts.get("RepoTags"), "tags of an image") if "<none>" not in str(t)]
    names = tuple(answers.reference(tag, "a tag of an image") for tag in tags)
    found = answers.image_id(facts.get("Id"), "the ID of an image")
    kind = "oci-archive" if facts.get("ManifestType") == _OCI_MANIFEST else "docker-archive"
    pack = ("podman", "save", "--quiet", "--format", kind, found)
    return Archive(found, names, pack, host_script("podman", "unpack"))
