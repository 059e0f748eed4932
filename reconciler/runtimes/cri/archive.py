"""The archive that containerd makes a container from which waits to be restored. Pure.

In a checkpoint of containerd's own are images, files and the log, which it copies several times. Here is only what
it reads before it restores: images and files are where they are, and CRIU's config says so."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

DESCRIPTORS = "checkpoint/descriptors.json"
"""Is there so that its folder is."""
_NEVER = "0001-01-01T00:00:00Z"


def packed(name: str, image: str, reference: str, annotations: dict[str, str]) -> bytes:
    """`image`: as the container is made from it; `reference`: how containerd finds it. Annotations are those that
    the container has, whatever its maker says of them."""
    config = {
        "id": "",
        "name": name,
        "rootfsImage": image,
        "rootfsImageRef": reference,
        "rootfsImageName": image,
        "runtime": "io.containerd.runc.v2",
        "createdTime": _NEVER,
        "checkpointedTime": _NEVER,
        "restoredTime": _NEVER,
        "restored": False,
    }
    status = {"metadata": {"name": name}, "image": {"image": image}, "annotations": annotations}
    files: dict[str, Any] = {
        "config.dump": config,
        "spec.dump": {"ociVersion": "1.0.2"},
        "status.dump": status,
        DESCRIPTORS: [],
    }
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        folder = tarfile.TarInfo("checkpoint")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o700
        archive.addfile(folder)
        for path, content in files.items():
            body = json.dumps(content).encode()
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(body), 0o600
            archive.addfile(entry, io.BytesIO(body))
    return made.getvalue()
