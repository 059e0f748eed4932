"""Every field of what containerd answers replaced by a lie, and every answer left out: taken as the type it has,
or refused; nothing else is raised. Real: CRI's messages and their reading. Fake: the host."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from reconciler.errors import CommandFailed, HostError
from reconciler.hosts.base import pump
from reconciler.model.command import Command
from reconciler.model.container import Container
from reconciler.model.world import HostFacts
from reconciler.runtimes.cri import configs, messages
from reconciler.runtimes.cri.driver import CriDriver
from reconciler.runtimes.cri.observing import _ASKED
from tests.unit.lies import LIES, ODD, Liar, harmless
from tests.unit.test_lying_answers import check, places, replaced

POD, CONTAINER, IMAGE = "a" * 64, "b" * 64, "c" * 64
WANTED = Container.model_validate({"image": "app:1", "env": {"A": "1"}})
MADE = configs.pod("web", WANTED, "uid-1")
HELD = configs.container("web", WANTED, f"sha256:{IMAGE}")
POD_INFO = {"pid": 7, "runtimeSpec": {"annotations": {}}}
INFO = {"pid": 8, "runtimeSpec": {"annotations": {"a": "b"}, "linux": {"cgroupsPath": "/k8s/x"}}, "config": {}}
CONFIG = {
    "containerd": {"runtimes": {"runc": {"options": {"SystemdCgroup": True}, "ContainerAnnotations": ["a"]}}}
}
STATUS = {"id": CONTAINER, "metadata": {"name": "web"}, "state": 1, "created_at": 5, "started_at": 6}
STATUS |= {"image": {"image": "app:1"}, "image_ref": f"sha256:{IMAGE}", "image_id": f"sha256:{IMAGE}"}
STATUS |= {"annotations": HELD["annotations"], "labels": HELD["labels"]}
NETWORK = {"ip": "10.0.0.7", "additional_ips": [{"ip": "fd00::7"}]}
HONEST: dict[str, dict[str, Any]] = {
    "versions": {"runtime_name": "containerd", "runtime_version": "2.1.5"},
    "status": {"status": {"conditions": [{"type": "RuntimeReady", "status": 1}]}, "info": {"config": CONFIG}},
    "pods": {
        "items": [
            {
                "id": POD,
                "metadata": MADE["metadata"],
                "created_at": 5,
                "labels": MADE["labels"],
                "annotations": MADE["annotations"],
            }
        ]
    },
    "containers": {"containers": [{"id": CONTAINER, "pod_sandbox_id": POD, "state": 1, "created_at": 6}]},
    "images": {"images": [{"id": f"sha256:{IMAGE}", "repo_tags": ["app:1"], "repo_digests": [], "size": 9}]},
    "podanswer": {
        "status": {"id": POD, "metadata": MADE["metadata"], "network": NETWORK},
        "info": {"info": POD_INFO},
    },
    "containeranswer": {"status": STATUS, "info": {"info": INFO}},
}
DETAILS = ("podanswer", "containeranswer")


def framed(kind: str, fields: Mapping[str, Any]) -> str:
    told = dict(fields)
    if "info" in told:
        told["info"] = messages.pairs({key: json.dumps(value) for key, value in told["info"].items()})
    return base64.b64encode(messages.framed(kind, told)).decode()


def answered(kinds: tuple[str, ...], told: Mapping[str, Mapping[str, Any]], without: str = "") -> str:
    parts = [
        f"\n@@ call {n}\ngrpc 0 \n{framed(kind, told[kind])}\n" for n, kind in enumerate(kinds) if kind != without
    ]
    return "".join([*parts, "\n@@ ours\nyes\n", "\n@@ end\n"])


async def seen(told: Mapping[str, Mapping[str, Any]], without: str = "") -> bool:
    lists = tuple(call.answer for call in _ASKED)

    def answer(command: Command) -> str:
        if "observe" in command.argv:
            return answered(lists, told, without)
        return answered(DETAILS, told, without) if "calls" in command.argv else ""

    refusals: list[HostError | CommandFailed] = []
    try:
        facts = await pump(CriDriver().observe(HostFacts(name="h1")), Liar("h1", answer))
    except (HostError, CommandFailed) as error:
        refusals.append(error)
    if refusals:
        (refusal,) = refusals
        assert harmless(f"{refusal} {refusal.fix}") and refusal.code in ("C363", "H217", "H290")
        return False
    for found in (*facts.instances, *facts.images):
        check(found)
    assert harmless(" ".join((facts.version or "", *facts.settings)))
    return bool(facts.instances)


async def test_the_truth_is_believed() -> None:
    assert await seen(HONEST)


@pytest.mark.parametrize("kind", HONEST)
async def test_an_answer_that_lacks(kind: str) -> None:
    assert not await seen(HONEST, without=kind)


@pytest.mark.parametrize("kind", HONEST)
async def test_a_field_that_lies(kind: str) -> None:
    honest = HONEST[kind]
    for place in places(honest):
        for lie in (*(one for one in LIES if len(one) < 1000), *ODD):
            told = {**HONEST, kind: replaced(honest, place, lie)}
            try:
                framed(kind, told[kind])
            except (TypeError, ValueError, AttributeError, KeyError):
                continue  # no message can hold it
            await seen(told)
