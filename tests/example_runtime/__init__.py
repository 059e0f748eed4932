"""A third party's runtime, as small as one can be: programs without images, networks or moves. Its command line is
`memrt`'s, so that the simulation's machines can run it; it keeps its own apart by their names."""

import json

from reconciler.model.base import canonical_json
from reconciler.model.command import Command
from reconciler.model.labels import LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.world import ContainerFacts, InstanceState
from reconciler.runtimes.small import DID_NOT, RAN, SmallRuntime

OURS = "plain."


class Plain(SmallRuntime):
    NAME = "plain"

    def look(self):
        result = yield Command(("memrt", "observe"))
        listed = json.loads(result.stdout)["containers"]
        return "1.0", tuple(_facts(one) for one in listed if one["name"].startswith(OURS))

    def making(self, name, workload, secrets):
        wanted = workload.container
        argv = ("memrt", "create", OURS + name, "", wanted.image, wanted.restart.value)
        return argv, canonical_json(wanted).encode()

    def starting(self, instance):
        return "memrt", "start", instance

    def stopping(self, instance):
        return "memrt", "stop", instance

    def removing(self, instance):
        return "memrt", "rm", instance

    def renaming(self, instance, name):
        return "memrt", "rename", instance, OURS + name


def _facts(one):
    name = one["name"].removeprefix(OURS)
    workload = name.removesuffix(DID_NOT).removesuffix(RAN)
    return ContainerFacts(
        id=one["id"],
        name=name,
        image_id=one["image"],
        state=InstanceState(one["state"]),
        labels={LABEL_WORKLOAD: workload, LABEL_SPEC: one["spec"]},
    )
