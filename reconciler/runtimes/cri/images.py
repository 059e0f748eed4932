"""Images that containerd has for CRI, and on their way to another host."""

from __future__ import annotations

from reconciler.core import answers
from reconciler.errors import CommandFailed, HostError
from reconciler.model.command import Archive, Command, Program, Seconds
from reconciler.model.world import ImageFacts
from reconciler.resources import host_script
from reconciler.runtimes.base import Pull
from reconciler.runtimes.cri import calls, looking
from reconciler.runtimes.cri.calls import CriCall

PULL_LIMIT: Seconds = 1800.0


def image(name: str) -> Program[ImageFacts | None]:
    asked = (CriCall("ImageStatus", "askimage", {"image": {"image": named(name)}}, "imageanswer"),)
    (said,) = calls.done((yield from calls.ask(asked)), asked)
    return facts(said.image) if said.image.id else None


def named(name: str) -> str:
    """As CRI takes it: an ID is written with its kind."""
    return f"sha256:{name}" if len(name) == 64 and not set(name) - set("0123456789abcdef") else name


def facts(found: object) -> ImageFacts:
    return ImageFacts(
        id=looking.image_id(found.id),  # type: ignore[attr-defined]  # made from a table
        names=tuple(answers.reference(name, "the name of an image") for name in found.repo_tags),  # type: ignore[attr-defined]
        digests=tuple(answers.reference(name, "the digest of an image") for name in found.repo_digests),  # type: ignore[attr-defined]
        size_bytes=answers.number(found.size, "the size of an image"),  # type: ignore[attr-defined]
        runtime=looking.NAME,
    )


def image_id(name: str) -> Program[str | None]:
    found = yield from image(name)
    return found.id if found else None


def pull_image(name: str, how: Pull = Pull()) -> Program[str]:  # noqa: B008  it is frozen
    found = yield from image_id(name)
    if found is None or how.newest:
        fields: dict[str, object] = {"image": {"image": name}}
        if how.login is not None:
            user, password = how.login
            fields["auth"] = {"username": user, "password": _text(password, name)}
        call = (CriCall("PullImage", "pull", fields, "pulled"),)
        argv = calls.shell("calls", str(round(PULL_LIMIT)))
        said = yield Command(argv, stdin=calls.stdin(call), timeout=PULL_LIMIT + 20, changes=True, secret=True)
        calls.done(calls.read(said.stdout, call), call)
        found = yield from image_id(name)
    if found is None:
        raise CommandFailed(f"{name} was pulled but is not there")
    return found


def _text(password: bytes, image_name: str) -> str:
    try:
        return password.decode()
    except UnicodeDecodeError:
        raise HostError(
            f"the password of {image_name}'s registry is not UTF-8, and CRI takes no other",
            code=calls.FAILED,
            fix="write its secret anew as UTF-8",
        ) from None


def has_image(wanted: str) -> Program[bool]:
    return (yield from image_id(wanted)) is not None


def pack_image(wanted: str) -> Program[Archive]:
    found = yield from image(wanted)
    if found is None:
        raise CommandFailed(f"image {wanted[:12]} is not there", code="C325")
    pack = ("ctr", "-n", "k8s.io", "images", "export", "-", f"sha256:{found.id}")
    return Archive(found.id, found.names, pack, host_script("cri", "unpack"))


def take_image(archive: Archive, known_as: str) -> Program[None]:
    if (yield from image_id(archive.id)) is None:
        raise CommandFailed(
            f"image {archive.id[:12]} has another ID here than where it came from",
            code="C325",
            fix="pull it on this host by its digest, or build it there",
        )
    if "@" not in known_as and known_as in archive.names and (yield from image_id(known_as)) is None:
        yield Command(calls.shell("tag", f"sha256:{archive.id}", known_as), changes=True)
