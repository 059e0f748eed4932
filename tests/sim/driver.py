"""A driver for the runtime in memory: the order of guard operations is the Podman driver's, the commands are
`memrt`'s. Real: all of `reconciler.guard.guard`. Not modelled: networks' addresses, secrets."""

import json

from reconciler.errors import CommandFailed, Refused
from reconciler.guard import guard
from reconciler.model.base import canonical_json, parse_duration
from reconciler.model.command import Command, Tree
from reconciler.model.labels import ANNOTATION_CRIU, LABEL_EPOCH, LABEL_RUN, LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.plan import Phase
from reconciler.model.world import (
    ContainerFacts,
    ContainerMount,
    HostFacts,
    ImageFacts,
    InstanceState,
    NetworkFacts,
    Versions,
    VolumeFacts,
)
from reconciler.runtimes.base import Alive, Held, Located, Round

LIVE = (guard.NONE, Phase.RUNNING, Phase.CONFIRMED)
SETTLED = (*LIVE, Phase.RETIRED, Phase.FENCED)
STATES = {"frozen": InstanceState.HELD}
GIB = 2**30
DRAIN_LIMIT = 600.0
TOOLS = ("iptables-restore", "nsenter", "flock", "setsid", "timeout", "tar", "ip", "perl")


def memrt(*words, changes=True, stdin=b"", **more):
    return Command(("memrt", *words), changes=changes, stdin=stdin, **more)


def show(name):
    """The container (or None) with what else the runtime knows of it."""
    result = yield memrt("show", name, changes=False)
    return json.loads(result.stdout)


def fenced(fence, phases, *words, **more):
    return (yield from guard.run(fence, phases=phases, argv=("memrt", *words), **more))


class SimDriver:
    NAME = "podman"

    def observe(self, host):
        markers = yield from guard.markers()
        result = yield memrt("observe", changes=False)
        seen = json.loads(result.stdout)
        return HostFacts(
            name=host,
            machine=seen["machine"],
            arch="x86_64",
            runtimes={"podman": "5.4.2"},
            versions=Versions(podman="5.4.2", runc="1.1.15", crun="1.28", criu="4.2", kernel="6.18.0"),
            features=("uffd", "mem_dirty_track"),
            tools=TOOLS,
            memory_free_bytes=8 * GIB,
            disk_free_bytes=50 * GIB,
            clock_offset_s=seen["clock"],
            instances=tuple(_facts(c) for c in seen["containers"]),
            images=tuple(
                ImageFacts(id=i, names=(f"localhost/{i}:1",), size_bytes=s) for i, s in seen["images"].items()
            ),
            networks=tuple(NetworkFacts(name=n, driver=d) for n, d in seen["networks"].items()),
            volumes=tuple(_volume(n, v) for n, v in seen["volumes"].items()),
            markers=markers,
        )

    def alive(self, workload):
        shown = yield from guard.show(workload)
        if shown and shown[0].hook.state == "starting":
            return Alive(True, True, detail="being dumped")
        found = yield from show(workload)
        container = found["container"]
        running = bool(container) and container["state"] == "running"
        frozen = bool(container) and container["state"] == "frozen"
        return Alive(container is not None, running, frozen=frozen, restorable=found["restorable"])

    def prepare_host(self):
        yield from guard.install()

    def pull_image(self, image):
        result = yield memrt("pull", _image(image))
        return result.stdout

    def create_network(self, name, network):
        yield memrt("network", name, network.driver)

    def _find_volume(self, name, workload):
        result = yield memrt("observe", changes=False)
        found = json.loads(result.stdout)["volumes"].get(name)
        if found and found["workload"] != workload:
            raise Refused(f"the volume {name} belongs to {found['workload']}")
        return found

    def _check_free(self, name, fence, run):
        found = yield from self._find_volume(name, fence.workload)
        if found and found["run"] != run:
            raise Refused(f"a volume {name} is there already")
        return not found

    def create_volume(self, name, fence, run):
        if (yield from self._check_free(name, fence, run)):
            yield from fenced(fence, guard.ANY, "volume", name, fence.workload, str(fence.epoch), run)

    def locate_volume(self, name, workload):
        if (yield from self._find_volume(name, workload)) is None:
            raise CommandFailed(f"the volume {name} is not there")
        return Tree("volume", f"/volumes/{name}", name)

    def keep_volume(self, tree):
        yield memrt("keep-volume", tree.name)

    def remove_volume(self, name, fence, made_by=""):
        found = yield from self._find_volume(name, fence.workload)
        if found and made_by in ("", found["run"]):
            yield from fenced(fence, guard.ANY, "volume-rm", name)

    # --- plain containers ---

    def create(self, workload, fence, *, oci_runtime, secrets):
        name, wanted = workload.metadata.name, workload.container
        found = (yield from show(name))["container"]
        text = canonical_json(wanted)
        if found:
            if found["state"] in ("running", "frozen") or found["spec"] == text:
                return found["id"]
            yield from fenced(fence, SETTLED, "rm", found["id"])
        for volume in wanted.volumes:
            yield from self.locate_volume(volume.name, name)
        yield from guard.mark(fence, Phase.RUNNING, "owner")
        argv = ("create", name, name, _image(wanted.image), wanted.restart.value)
        result = yield from fenced(fence, LIVE, *argv, stdin=text.encode())
        return result.stdout

    def start(self, workload, fence):
        name = workload.metadata.name
        found = (yield from show(name))["container"]
        if found is None:
            raise CommandFailed(f"{name} cannot be started: its container is not there")
        if found["state"] != "running":
            yield from guard.mark(fence, Phase.RUNNING, "owner")
            yield from fenced(fence, LIVE, "start", found["id"])

    def update(self, workload, fence, run):
        name, wanted = workload.metadata.name, workload.container
        found = (yield from show(name))["container"]
        if found is None:
            raise CommandFailed(f"{name} is not there")
        text = canonical_json(wanted)
        if found["spec"] != text:
            argv = ("update", found["id"], wanted.restart.value)
            yield from fenced(fence, LIVE, *argv, stdin=text.encode())

    def update_back(self, workload, fence, run):
        if found := (yield from show(workload))["container"]:
            yield from fenced(fence, LIVE, "update-back", found["id"])

    def stop(self, workload, fence):
        found = (yield from show(workload))["container"]
        if found and found["state"] in ("running", "frozen"):
            yield from fenced(fence, SETTLED, "stop", found["id"])

    def remove(self, workload, fence):
        yield from self._remove(workload, fence, SETTLED)

    def _remove(self, name, fence, phases):
        """By ID: a late command must not hit a successor of the same name."""
        if found := (yield from show(name))["container"]:
            yield from fenced(fence, phases, "rm", found["id"], ok=(0, 125))
            if (yield from show(name))["container"]:
                raise CommandFailed(f"{name} could not be removed")

    def set_aside(self, workload, fence):
        aside = f"{workload}_aside"
        if (yield from show(aside))["container"]:
            return
        shown = yield from show(workload)
        found = shown["container"]
        if found is None:
            return
        ran = found["state"] in ("running", "frozen")
        if ran or shown["note"] != found["id"]:
            yield memrt("write", workload, found["id"] if ran else "")
        yield from fenced(fence, SETTLED, "restart", found["id"], "no")
        yield from fenced(fence, SETTLED, "stop", found["id"])
        yield from fenced(fence, SETTLED, "rename", found["id"], aside)

    def bring_back(self, workload, fence):
        aside = f"{workload}_aside"
        old = (yield from show(aside))["container"]
        if old:
            yield from self.remove(workload, fence)
            yield from fenced(fence, SETTLED, "rename", old["id"], workload)
        found = yield from show(workload)
        here = found["container"]
        if here is None:
            return
        policy = json.loads(here["spec"]).get("restart", "no")
        yield from fenced(fence, SETTLED, "restart", here["id"], policy)
        if here["state"] != "running" and found["note"] == here["id"]:
            yield from fenced(fence, LIVE, "start", here["id"])
        yield memrt("write", workload, "")

    def remove_aside(self, workload, fence):
        yield from self._remove(f"{workload}_aside", fence, SETTLED)

    def health(self, workload, check, address):
        yield memrt("health", workload, changes=False)

    # --- moves: destination ---

    def stage(self, handover, *, secrets):
        name, fence, wanted = handover.name, handover.fence, handover.workload.container
        old = (yield from show(name))["container"]
        if old and old["state"] in ("running", "frozen"):
            raise Refused(f"a copy of {name} runs on {handover.move.destination} already")
        shown = yield from guard.show(name)
        marker = shown[0].marker if shown else None
        reserved, settled = (Phase.RESERVED,), (*SETTLED, Phase.RESERVED)
        if old:
            yield from fenced(fence, settled, "discard", name)
            yield from fenced(fence, settled, "rm", old["id"])
        for volume in wanted.volumes:
            left = marker and marker.role == "destination" and marker.phase in (Phase.FENCED, Phase.RESERVED)
            if left and marker.run:
                yield from self.remove_volume(volume.name, fence, marker.run)
            yield from self._check_free(volume.name, fence, handover.run)
        yield from guard.mark(fence, Phase.RESERVED, "destination", run=handover.run, peer=handover.move.source)
        for volume in wanted.volumes:
            yield from self.create_volume(volume.name, fence, handover.run)
        argv = ("create", name, name, handover.move.image_id, "no")
        result = yield from fenced(fence, reserved, *argv, stdin=canonical_json(wanted).encode())
        return Located(result.stdout, _trees(handover))

    def unstage(self, handover):
        name = handover.name
        fence = yield from self._fence_here(handover)
        phases = (guard.NONE, Phase.RESERVED, Phase.FENCED, Phase.RETIRED)
        if (yield from show(name))["container"]:
            yield from fenced(fence, phases, "stop-pages", name)
            yield from fenced(fence, phases, "discard", name)
            yield from self._remove(name, fence, phases)
        for volume in handover.workload.container.volumes:
            yield from self.remove_volume(volume.name, fence, handover.run)
        yield from guard.mark(fence, Phase.FENCED, "destination", run=handover.run, peer=handover.move.source)

    def _fence_here(self, handover):
        shown = yield from guard.show(handover.name)
        marker = shown[0].marker if shown else None
        if marker and marker.phase == Phase.FENCED and marker.epoch > handover.fence.epoch:
            return type(handover.fence)(handover.name, marker.epoch)
        return handover.fence

    def commit_destination(self, handover):
        shown = yield from guard.show(handover.name)
        marker = shown[0].marker if shown else None
        if marker and (marker.epoch, marker.phase) == (handover.fence.epoch, Phase.RUNNING):
            return
        peer = handover.move.source
        yield from guard.mark(handover.fence, Phase.COMMITTED, "destination", run=handover.run, peer=peer)

    def restore(self, handover):
        found = (yield from show(handover.name))["container"]
        if found is None:
            raise CommandFailed("the staged container is gone")
        if found["state"] != "running":
            how = "lazy" if handover.move.follows else "eager"
            yield from fenced(handover.fence, (Phase.COMMITTED,), "restore", handover.name, how)

    def verify(self, handover):
        found = (yield from show(handover.name))["container"]
        if found is None or found["state"] != "running":
            raise CommandFailed(f"{handover.name} does not run on {handover.move.destination}")

    def _drain(self, handover, ok):
        yield memrt("drain", handover.name, f"{DRAIN_LIMIT:g}", timeout=DRAIN_LIMIT + 30, ok=ok)

    def confirm(self, handover):
        yield from self._drain(handover, (0, 1))
        run, peer = handover.run, handover.move.source
        yield from guard.mark(handover.fence, Phase.RUNNING, "owner", run=run, peer=peer)
        yield from self._restart(handover, handover.fence, Phase.RUNNING, on=True)

    def finish(self, handover):
        shown = yield from guard.show(handover.name)
        if shown and shown[0].marker and shown[0].marker.epoch > handover.fence.epoch:
            return
        if (yield from show(handover.name))["container"]:
            yield from self._drain(handover, (0,))
            yield memrt("discard", handover.name)

    def fence_off(self, handover, epoch):
        name, fence = handover.name, type(handover.fence)(handover.name, epoch)
        shown, move = (yield from guard.show(name)), handover.move
        source = bool(shown) and shown[0].marker is not None and shown[0].marker.role == "source"
        role, peer = ("source", move.destination) if source else ("destination", move.source)
        yield from guard.mark(fence, Phase.FENCED, role, run=handover.run, peer=peer)
        if shown and shown[0].hook.state == "held":
            return False
        found = (yield from show(name))["container"]
        if found:
            yield memrt("stop-pages", name)
        if found and found["state"] == "running":
            yield from fenced(fence, (Phase.FENCED,), "stop", name)
        return True

    def hang_up(self, handover):
        yield memrt("write", handover.name, "hang up")

    # --- moves: source ---

    def locate(self, handover):
        name = handover.name
        shown = yield from guard.show(name)
        if not (shown and shown[0].hook.state in ("starting", "held")):
            found = (yield from show(name))["container"]
            if found is None or found["state"] != "running" or found["id"] != handover.move.container_id:
                raise Refused(f"{name} cannot move: it does not run as planned")
            peer = handover.move.destination
            yield from guard.mark(handover.fence, Phase.RESERVED, "source", run=handover.run, peer=peer)
            yield from self._restart(handover, handover.fence, Phase.RESERVED, on=False)
        return Located(handover.move.container_id, _trees(handover))

    def pre_dump(self, handover, number):
        yield from fenced(handover.fence, (Phase.RESERVED,), "pre-dump", handover.name)
        return Round(2**20 if number == 1 else 2**16, Tree("round", f"/rounds/{number}", handover.name))

    def take_round(self, handover, number):
        yield memrt("write", handover.name, f"round {number}")
        return Tree("round", f"/rounds/{number}", handover.name)

    def build_on(self, handover, number):
        yield memrt("write", handover.name, f"builds on {number}")

    def hold(self, handover):
        outcome = yield from guard.hold(
            handover.fence,
            ("memrt", "dump", handover.name),
            cutover=handover.move.cutover,
            silence_s=parse_duration(handover.policy.silence_limit),
            freeze_s=parse_duration(handover.policy.freeze_limit),
            fence_network=True,
            run=handover.run,
            peer=handover.move.destination,
            timeout=60.0,
        )
        if outcome.what == "resumed" or (outcome.what == "exited" and outcome.status != 0):
            raise CommandFailed(f"{handover.name} could not be held", exit_code=outcome.status)
        return Held(image_bytes=2**20)

    def resume(self, handover, fence):
        name = handover.name
        outcome = yield from guard.resume(fence, run=handover.run)
        found = yield from show(name)
        if found["container"] is None:
            raise CommandFailed(f"{name} cannot resume: its container is gone")
        runs = found["container"]["state"] == "running"
        if outcome.what == "gone" and not runs:
            yield from fenced(fence, (Phase.HELD,), "restore", name)
        # Else it was never frozen, or let go: when it does not run it has ended by itself, and is left so.
        if outcome.what == "gone":
            yield from guard.mark(fence, Phase.RUNNING, "owner", run=handover.run)
        yield from self._restart(handover, fence, Phase.RUNNING, on=True)
        yield memrt("discard", name)
        yield from guard.clean(name)

    def commit_source(self, handover):
        yield from guard.commit(handover.fence)

    def retire(self, handover):
        name, fence = handover.name, handover.fence
        shown = yield from guard.show(name)
        marker = shown[0].marker if shown else None
        if marker and (marker.phase, marker.epoch) == (Phase.RETIRED, fence.epoch):
            return
        if marker is None:
            # Deleted. Who lets go has proof that the destination runs, which is what it would say.
            peer = handover.move.destination
            yield from guard.mark(fence, Phase.COMMITTED, "source", run=handover.run, peer=peer)
        yield from guard.release(fence)
        if (yield from show(name))["container"]:
            yield from fenced(fence, (Phase.COMMITTED, Phase.FENCED), "discard", name)
            yield from self._remove(name, fence, (Phase.COMMITTED, Phase.FENCED))
        for volume in handover.workload.container.volumes:
            yield from self.remove_volume(volume.name, fence)
        yield from guard.mark(fence, Phase.RETIRED, "source", run=handover.run, peer=handover.move.destination)
        yield from guard.clean(name)

    def _restart(self, handover, fence, phase, *, on):
        policy = handover.workload.container.restart.value
        if policy != "no":
            yield from fenced(fence, (phase,), "restart", handover.name, policy if on else "no")


def _trees(handover):
    volumes = handover.workload.container.volumes
    images = Tree("images", f"/images/{handover.name}", handover.name)
    return (images, *(Tree("volume", f"/volumes/{v.name}", v.name) for v in volumes))


def _volume(name, volume):
    labels = {LABEL_WORKLOAD: volume["workload"], LABEL_EPOCH: str(volume["epoch"]), LABEL_RUN: volume["run"]}
    return VolumeFacts(name=name, mountpoint=f"/volumes/{name}", labels=labels)


def _image(wanted):
    return wanted.rpartition("/")[2].partition(":")[0]


def _facts(container):
    return ContainerFacts(
        id=container["id"],
        name=container["name"],
        image_id=container["image"],
        state=STATES.get(container["state"]) or InstanceState(container["state"]),
        labels={LABEL_WORKLOAD: container["workload"], LABEL_SPEC: container["spec"]},
        annotations={ANNOTATION_CRIU: "x"},
        mounts=tuple(
            ContainerMount(kind="volume", name=v["name"], target=v["target"])
            for v in json.loads(container["spec"] or "{}").get("volumes", ())
        ),
        oci_runtime="runc",
        memory_bytes=32 * 2**20,  # too little for a pre-copy that nobody demands
    )
