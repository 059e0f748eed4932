"""What the destination has already under the names a workload needs, and what it lacks."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.images import image_id
from reconciler.core.rules.base import Case, Said, rule
from reconciler.model.labels import LABEL_WORKLOAD

SHARED_FILE_SYSTEMS = ("nfs", "ceph", "gluster", "lustre", "gfs", "ocfs", "cifs", "smb", "9p", "beegfs")
"""Starts of the type names of file systems that several hosts see at once."""


@rule("name.taken")
def name_taken(case: Case) -> Iterator[Said]:
    """A container of the workload's name that Reconciler did not make exists on the destination. It is never
    touched."""
    if not (case.arrives and case.destination):
        return
    for copy in case.index.named.get((case.destination.name, case.change.workload), ()):
        if copy.container.labels.get(LABEL_WORKLOAD) != case.change.workload:
            yield Said(
                f"a container named {copy.container.name} exists on {case.destination.name} and is not ours",
                f"rename it there: podman rename {copy.container.name} NEW-NAME",
            )


@rule("volume.taken")
def volume_taken(case: Case) -> Iterator[Said]:
    """A volume of that name that does not belong to the workload exists on the destination."""
    if not (case.arrives and case.destination and case.wanted):
        return
    wanted = {volume.name for volume in case.wanted.volumes}
    for volume in case.destination.volumes:
        if volume.name in wanted and volume.labels.get(LABEL_WORKLOAD) != case.change.workload:
            yield Said(
                f"volume {volume.name} exists on {case.destination.name} and does not belong to this workload",
                f"remove or rename it there: podman volume rm {volume.name}",
            )


@rule("volume.shared")
def volume_shared(case: Case) -> Iterator[Said]:
    """A named volume moves with its workload and is removed on the source afterwards. Another container there
    that mounts it would lose its data under its feet."""
    if not (case.moves and case.source and case.wanted):
        return
    for volume in case.wanted.volumes:
        for copy in case.index.volumes.get((case.source.name, volume.name), ()):
            if copy.container.labels.get(LABEL_WORKLOAD) != case.change.workload:
                yield Said(
                    f"volume {volume.name} is also mounted by {copy.container.name} on {case.source.name}",
                    f"give that container a volume of its own, or remove it: podman rm {copy.container.name}",
                    host=case.source.name,
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
            f"bring it back on {case.source.name}: podman pull {case.container.image_name or wanted}",
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
        yield Said(
            f"{case.wanted.image} is {there.removeprefix('sha256:')[:12]} on {case.destination.name} and"
            f" {case.container.image_id.removeprefix('sha256:')[:12]} where it runs",
            f"on {case.destination.name}: podman untag {there.removeprefix('sha256:')[:12]} {case.wanted.image},"
            " or name the image by digest in the spec",
        )


@rule("mount.source-missing")
def mount_source(case: Case) -> Iterator[Said]:
    """A bind-mounted path must exist on the host before the container is made; nobody but you knows what belongs
    there."""
    if not (case.ahead and case.wanted):
        return
    for mount in case.wanted.mounts:
        if case.ahead.paths.get(mount.source) == "":
            yield Said(
                f"{mount.source}, which the container mounts, does not exist on {case.where}",
                f"make it there with what belongs in it (mkdir -p {mount.source}), or use a named volume",
            )


@rule("mount.stays", warns=True)
def mount_stays(case: Case) -> Iterator[Said]:
    """Bind-mounted folders are not part of a workload and do not move. Open files in them must be the same
    on the destination, and what the workload wrote there stays on the source, unless both hosts mount the same
    storage."""
    if not (case.moves and case.wanted):
        return
    for mount in case.wanted.mounts:
        kind = case.ahead.paths.get(mount.source, "") if case.ahead else ""
        if not mount.read_only and not kind.startswith(SHARED_FILE_SYSTEMS):
            yield Said(
                f"{mount.source} is bind-mounted and writable; its contents stay on {case.origin}",
                f"use a named volume, or copy it first: rsync -a {mount.source}/ {case.where}:{mount.source}/",
            )
