"""Digests of what plans are made from: a saved plan is bound to them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

from reconciler.model.base import Model, canonical_json, digest
from reconciler.model.copying import is_copy
from reconciler.model.labels import LABEL_WORKLOAD
from reconciler.model.spec import Spec
from reconciler.model.world import World


def spec_digest(spec: Spec) -> str:
    """Digest of what the specs say, wherever it stands in the files."""
    parts = (
        *(spec.hosts, spec.clusters, spec.workloads, spec.policies, spec.networks),
        *(spec.checkpoint_policies, spec.checkpoint_stores),
    )
    made = hashlib.sha256()
    for piece in _pieces(parts):
        made.update(piece.encode())
    return made.hexdigest()


def _pieces(parts: Iterable[Mapping[str, Model]]) -> Iterator[str]:
    """The canonical JSON of all parts, an item at a time: of thousands in one go, no other thread of a watch, such
    as its page, would get a turn for a fifth of a second."""
    before = "["
    for part in parts:
        yield f"{before}{{"
        between = ""
        for name, item in sorted(part.items()):
            yield f"{between}{canonical_json(name)}:{canonical_json(item.model_dump(mode='json'))}"
            between = ","
        yield "}"
        before = ","
    yield "]"


def world_digest(world: World) -> str:
    """Digest of what plans depend on."""
    return digest(host_digests(world))


def host_digests(world: World) -> dict[str, str]:
    """By host, the digest of what plans depend on: containers, states, images, markers and volumes, not free
    memory or sizes, nor copies of checkpoints, which come and go by themselves. Empty for a host that was not
    seen."""
    return dict.fromkeys(world.unknown(), "") | {
        name: digest(
            {
                "instances": sorted(
                    (c.name, c.id, c.state.value, c.image_id) for c in host.instances if not _of_copy(c.labels)
                ),
                "markers": sorted((m.workload, m.epoch, m.phase) for m in host.markers if not is_copy(m.workload)),
                "networks": sorted(n.name for n in host.networks),
                "volumes": sorted(
                    (v.name, sorted(v.labels.items())) for v in host.volumes if not _of_copy(v.labels)
                ),
            }
        )
        for name, host in world.seen().items()
    }


def _of_copy(labels: Mapping[str, str]) -> bool:
    return is_copy(labels.get(LABEL_WORKLOAD, ""))
