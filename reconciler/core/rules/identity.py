"""What the destination has already under the names a workload needs, and what it lacks."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.images import image_id
from reconciler.core.rules.base import Case, Said, rule, together
from reconciler.core.volumes import FoundVolume, saved_and_removed, used_by_others, wanted_volumes
from reconciler.model.container import Container
from reconciler.model.labels import LABEL_WORKLOAD
from reconciler.model.plan import ChangeKind
from reconciler.model.world import Folder, HostFacts

SHARED_FILE_SYSTEMS = ("nfs", "ceph", "gluster", "lustre", "gfs", "ocfs", "cifs", "smb", "9p", "beegfs")
"""Starts of the type names of file systems that several hosts see at once."""


@rule("name.taken")
def name_taken(case: Case) -> Iterator[Said]:
    """A container of the workload's name that Reconciler did not make exists on the destination. It is never
    touched."""
    if not (case.arrives and case.destination):
        return
    for copy in case.index.named.get((case.destination.name, case.change.workload), ()):
        if copy.instance.labels.get(LABEL_WORKLOAD) != case.change.workload:
            yield Said(
                f"a container named {copy.instance.name} exists on {case.destination.name} and is not ours",
                f"rename it there: {copy.instance.runtime} rename {copy.instance.name} NEW-NAME",
            )


def _found(case: Case) -> tuple[FoundVolume, ...]:
    """Where the workload's volumes are."""
    if not (case.arrives and case.workload):
        return ()
    return wanted_volumes(case.workload, case.index, case.copy)


def _own(case: Case, host: HostFacts, volume: str) -> bool:
    """Whether a volume there carries the workload's label; one that is not there counts as its own."""
    there = next((v for v in host.volumes if v.name == volume), None)
    return there is None or there.labels.get(LABEL_WORKLOAD) == case.change.workload


def _taken_away(case: Case, host: str | None, volume: str) -> str:
    """Commands that take a copy of a volume away and keep it."""
    if case.wanted is not None and case.workload is not None:
        users = case.index.volumes.get((host, volume), ()) if host else ()
        return saved_and_removed(volume, case.workload.spec.runtime, users)
    seen = case.index.seen.get(host) if host else None
    there = next((facts.mountpoint for facts in seen.volumes if facts.name == volume), "") if seen else ""
    return f"mv {there or f'the folder of {volume}'} ELSEWHERE"


@rule("volume.taken")
def volume_taken(case: Case) -> Iterator[Said]:
    """A volume of that name that does not belong to the workload exists on the destination, or is what comes
    along. Volumes carry their workload's name as a label; one without it is nobody's to change or remove."""
    for found in _found(case):
        for name in dict.fromkeys(filter(None, (case.change.destination, found.at))):
            host = case.index.seen.get(name)
            if host and not _own(case, host, found.name):
                yield Said(
                    f"volume {found.name} exists on {name} and does not belong to this workload",
                    f"use another name for it in the spec, or move it away on {name}: "
                    f"{_taken_away(case, name, found.name)}",
                    host=name,
                )


@rule("volume.stale")
def volume_stale(case: Case) -> Iterator[Said]:
    """The destination has another copy of a volume that the workload has where it is, as an earlier run may have
    left it, and what comes would overwrite it. Nobody but you knows whether something in it is still needed."""
    for found in _found(case):
        if case.where in found.others and not found.unclear:
            yield Said(
                f"another copy of volume {found.name} is on {case.where}; the workload's is on {found.at}",
                f"keep it in a file and make room, on {case.where}: {_taken_away(case, case.where, found.name)}",
            )


@rule("volume.unclear")
def volume_unclear(case: Case) -> Iterator[Said]:
    """Several hosts have a volume of this workload, and it has no container that says which one it uses, as after
    a hand-over that was given up half-way. Reconciler does not choose for you, and never starts it with an empty
    one instead."""
    for found in _found(case):
        if found.unclear:
            hosts = ", ".join(filter(None, (found.at, *found.others)))
            yield Said(
                f"copies of volume {found.name} are on {hosts} (the newest by its label first)",
                f"look into them, then on each host with a wrong one: {_taken_away(case, found.at, found.name)}",
            )


@rule("volume.shared")
def volume_shared(case: Case) -> Iterator[Said]:
    """A named volume goes along with its workload and is removed where it was. Another container there that mounts
    it would lose its data under its feet."""
    for found in _found(case):
        if found.at is None or found.at == case.where:
            continue
        for copy in used_by_others(found.at, found.name, case.change.workload, case.index):
            yield Said(
                f"volume {found.name} is also mounted by {copy.instance.name} on {found.at}",
                f"give that container a volume of its own, or remove it: {copy.instance.runtime} rm"
                f" {copy.instance.name}; files that both need: a bind mount with `shared: true`, on storage that"
                " both hosts mount",
                host=found.at,
            )


@rule("image.gone")
def image_gone(case: Case) -> Iterator[Said]:
    """A restore needs the very image, by ID, that the container was made from. Neither host has it, so it can be
    neither used nor copied. This happens when an image was removed by force or rebuilt under its old name."""
    if not (case.moves and case.container and case.source and case.destination):
        return
    wanted = case.container.image_id
    if not any(image.id == wanted for host in (case.source, case.destination) for image in host.images):
        yield Said(
            f"the image {wanted.removeprefix('sha256:')[:12]} that it was made from is on neither"
            f" {case.source.name} nor {case.destination.name}",
            f"bring it back on {case.source.name}: {case.container.runtime} pull"
            f" {case.container.image_name or wanted}",
            host=case.source.name,
        )


@rule("image.differs", warns=True)
def image_differs(case: Case) -> Iterator[Said]:
    """The image's name means another image on the destination. The workload keeps the one it runs (it is copied by
    its ID), but when it is made anew there, it starts from the other one."""
    if not (case.moves and case.container and case.destination and case.wanted):
        return
    there = image_id(case.destination, case.wanted.image)
    if there and there != case.container.image_id:
        other = there.removeprefix("sha256:")[:12]
        yield Said(
            f"{case.wanted.image} is {other} on {case.destination.name} and"
            f" {case.container.image_id.removeprefix('sha256:')[:12]} where it runs",
            f"on {case.destination.name}: {case.engine} untag {other} {case.wanted.image},"
            " or name the image by digest in the spec",
        )


@rule("mount.source-missing")
def mount_source(case: Case) -> Iterator[Said]:
    """A bind-mounted path must exist on the host before the container is made; nobody but you knows what belongs
    there."""
    if not (case.ahead and case.wanted):
        return
    for mount in case.wanted.mounts:
        if mount.move and case.moves:
            continue
        if case.ahead.paths.get(mount.source) == "":
            yield Said(
                f"{mount.source}, which the container mounts, does not exist on {case.where}",
                f"make it there with what belongs in it (mkdir -p {mount.source}), or use a named volume",
            )


@rule("mount.stays", warns=True)
def mount_stays(case: Case) -> Iterator[Said]:
    """Bind-mounted folders are not part of a workload and do not move. What the workload wrote there stays on the
    source, unless both hosts mount the same storage. Files that it has open to write in one are a refusal: they
    are not there on the destination, or are others, and the restore fails or goes on in other files."""
    if not (case.moves and case.wanted):
        return
    for mount in case.wanted.mounts:
        kind = case.ahead.paths.get(mount.source, "") if case.ahead else ""
        if mount.read_only or mount.move or mount.shared or kind.startswith(SHARED_FILE_SYSTEMS):
            continue
        written = [
            path
            for path in (case.held.written if case.held else ())
            if _mounted(case.wanted, path) == mount.target
        ]
        if written:
            yield Said(
                f"it has files open to write in {mount.source}, which is bind-mounted and stays:"
                f" {together(written)}",
                "let the folder go along (`move: true`), say that both hosts mount the same storage"
                " (`shared: true`), or use a named volume",
                warn=False,
            )
        else:
            yield Said(
                f"{mount.source} is bind-mounted and writable; its contents stay on {case.origin}",
                "use a named volume, or copy it first:"
                f" rsync -a {mount.source} {case.where}:{mount.source.rpartition('/')[0]}/",
            )


def _mounted(container: Container, path: str) -> str:
    """The target of what a file inside is in; empty for the root filesystem."""
    targets = [mount.target for mount in container.mounts]
    targets += [volume.target for volume in container.volumes]
    targets += [*(tmpfs.target for tmpfs in container.tmpfs), *container.secret_files]
    return max((t for t in targets if path == t or path.startswith(f"{t}/")), key=len, default="")


@rule("mount.not-shared")
def mount_not_shared(case: Case) -> Iterator[Said]:
    """A bind mount with `shared: true` is a folder of storage that both hosts mount. They say it is of another
    kind, or another folder, there: what the workload has open would be something else after the move. Where
    they say the same, that is proven when a move begins: one host writes a file, and the other has to see it."""
    here = case.source.preflight.shared if case.source and case.source.preflight else {}
    there = case.ahead.shared if case.ahead else {}
    for mount in case.wanted.mounts if case.moves and case.wanted else ():
        mine, theirs = here.get(mount.source, ""), there.get(mount.source, "")
        if mount.shared and mine and theirs and mine != theirs:
            yield Said(
                f"{mount.source} on {case.where} is not the folder that it is on {case.origin}",
                "mount the same storage on both hosts, or let the folder go along: `move: true`",
            )


@rule("mount.not-movable")
def mount_not_movable(case: Case) -> Iterator[Said]:
    """A bind mount with `move: true` goes along as a folder. A file, a link or a place where something else is
    mounted cannot."""
    if not (case.moves and case.workload and case.source and case.source.preflight):
        return
    for mount in case.workload.spec.mounts:
        kind = case.source.preflight.folders.get(mount.source, Folder()).kind if mount.move else ""
        if kind in ("link", "other", "mountpoint"):
            words = {"link": "a link", "other": "no folder", "mountpoint": "a mount point"}
            yield Said(
                f"{mount.source} is {words[kind]} on {case.origin}, and only a folder can move",
                "mount the folder that it is in, or leave `move` out and keep it the same on both hosts",
                host=case.origin,
            )


@rule("mount.taken")
def mount_taken(case: Case) -> Iterator[Said]:
    """The place on the destination for a folder that goes along has files already, perhaps somebody else's.
    Nothing is written over them."""
    if not (case.moves and case.workload and case.ahead):
        return
    for mount in case.workload.spec.mounts:
        there = case.ahead.folders.get(mount.source, Folder()) if mount.move else Folder()
        if there.kind in ("", "absent", "empty"):
            continue
        whose = f", of the workload {there.owner}" if there.owner else ""
        what = {"folder": f"has files already{whose}", "mountpoint": "has something mounted on or below it"}
        yield Said(
            f"{mount.source} {what.get(there.kind, 'is no folder')} on {case.where}: nothing can come there",
            f"look at it there, then move it out of the way: mv {mount.source} {mount.source}.old",
        )


@rule("mount.left-behind")
def mount_left_behind(case: Case) -> Iterator[Said]:
    """Folders of bind mounts with `move: true` go along when a workload moves, not when it is made anew on another
    host: there it would find none of its files."""
    anew = case.change.kind is ChangeKind.RECREATE and case.change.source != case.change.destination
    for mount in case.wanted.mounts if case.wanted and anew else ():
        if mount.move:
            yield Said(
                f"{mount.source} would stay on {case.origin}: the workload is made anew on {case.where}",
                "do it in two applies: move it first, then change it",
            )
