"""A third party's runtime, as small as one can be: programs without images, networks or moves. Its command line is
`memrt`'s, so that the simulation's machines can run it; it keeps its own apart by their names."""

import json
from collections.abc import Mapping

from reconciler.model.base import canonical_json
from reconciler.model.command import Command, Program
from reconciler.model.labels import LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.spec import Workload
from reconciler.model.world import ContainerFacts, InstanceState
from reconciler.runtimes.small import DID_NOT, RAN, Argv, SmallRuntime

OURS = "plain."


class Plain(SmallRuntime):
    NAME = "plain"

    def look(self) -> Program[tuple[str, tuple[ContainerFacts, ...]] | None]:
        result = yield Command(("memrt", "observe"))
        listed = json.loads(result.stdout)["containers"]
        return "1.0", tuple(_facts(one) for one in listed if one["name"].startswith(OURS))

    def making(self, name: str, workload: Workload, secrets: Mapping[str, bytes]) -> tuple[Argv, bytes]:
        wanted = workload.container
        argv = ("memrt", "create", OURS + name, "", wanted.image, wanted.restart.value)
        return argv, canonical_json(wanted).encode()

    def starting(self, instance: str) -> Argv:
        return "memrt", "start", instance

    def stopping(self, instance: str) -> Argv:
        return "memrt", "stop", instance

    def removing(self, instance: str) -> Argv:
        return "memrt", "rm", instance

    def renaming(self, instance: str, name: str) -> Argv:
        return "memrt", "rename", instance, OURS + name


def _facts(one: Mapping[str, str]) -> ContainerFacts:
    name = one["name"].removeprefix(OURS)
    workload = name.removesuffix(DID_NOT).removesuffix(RAN)
    return ContainerFacts(
        id=one["id"],
        name=name,
        image_id=one["image"],
        state=InstanceState(one["state"]),
        labels={LABEL_WORKLOAD: workload, LABEL_SPEC: one["spec"]},
    )
