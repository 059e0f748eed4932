"""Making, starting, stopping and removing containers, and asking them whether they are well."""

from __future__ import annotations

import json
from collections.abc import Mapping

from reconciler.core import answers, unwell
from reconciler.core.made_from import changed_fields
from reconciler.errors import CommandFailed, HostError, Refused
from reconciler.guard import guard
from reconciler.guard import notes as guard_notes
from reconciler.model.base import parse_duration
from reconciler.model.command import Command, Fence, Program, Seconds
from reconciler.model.container import RestartPolicy
from reconciler.model.health import HealthCheck
from reconciler.model.labels import LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.plan import Phase
from reconciler.model.spec import Workload
from reconciler.model.world import ContainerFacts, InstanceState
from reconciler.resources import host_script
from reconciler.runtimes.oci.engine import ASIDE, Making, Phases, at_once
from reconciler.runtimes.oci.stores import EngineStores

NO_RESTART = RestartPolicy.NO.value
AT_ONCE: Seconds = 0.5
"""In which a program that cannot work has mostly given up."""
STOP_LIMIT: Seconds = 60.0
_WENT = 76
"""How `make.sh` ends when a volume went away."""
_SLACK: Seconds = 20.0
"""What a last attempt of a check may take beyond its `within`."""


class EngineContainers(EngineStores):
    """The abilities `lifecycle` and `checks`."""

    def ours(self, name: str, workload: str) -> Program[ContainerFacts | None]:
        """The container with this name; Refused when it is not one of this workload's."""
        found = yield from self.inspect(name)
        if found is not None and found.labels.get(LABEL_WORKLOAD) != workload:
            rename = f"{self.NAME} rename {name} ..."
            raise Refused(
                f"a container named {name} is there already, and Reconciler did not make it",
                code="P431",
                fix=f"rename or remove it ({rename}), or give the workload another name",
            )
        return found

    def make(self, how: Making, workload: Workload, fence: Fence, phases: Phases) -> Program[str]:
        """Make a container; returns its ID. CommandFailed, and nothing is left of it, where somebody has removed
        one of its volumes right before."""
        volumes = (volume.name for volume in workload.container.volumes)
        argv = shell("make", self.NAME, LABEL_WORKLOAD, fence.workload, *volumes, "--", *how.argv)
        made = yield from guard.run(fence, phases, argv, stdin=how.stdin, secret=how.secret, ok=(0, _WENT))
        if made.status == _WENT:
            raise CommandFailed(
                f"a volume of {fence.workload} went away while its container was made",
                code="C350",
                why=made.stderr.strip(),
                fix="plan again; nothing was started without its data",
            )
        return answers.full_id(made.stdout.strip().rpartition("\n")[2], "the ID of the container it made")

    def create(
        self, workload: Workload, fence: Fence, *, oci_runtime: str, secrets: Mapping[str, bytes]
    ) -> Program[str]:
        name, spec = workload.metadata.name, workload.container
        found = yield from self.ours(name, name)
        if found is not None:
            if found.state.has_processes:
                return found.id
            if not changed_fields(spec, found.labels.get(LABEL_SPEC, "")):
                yield from self._mounts_its_own(workload)
                return found.id
            yield from self.discard(found, fence, guard.SETTLED, whole=False)
        if (yield from self.image_id(spec.image)) is None:
            raise HostError(f"the image {spec.image} is not there", code="H214", fix="pull or copy it first")
        yield from self._mounts_its_own(workload)
        restart = spec.restart_option
        how = yield from self.making(workload, oci_runtime=oci_runtime, restart=restart, secrets=secrets)
        yield from guard.mark(fence, Phase.RUNNING, "owner")
        return (yield from self.make(how, workload, fence, guard.LIVE))

    def _mounts_its_own(self, workload: Workload) -> Program[None]:
        """Refused unless its volumes are there with its label: engines make a missing one, empty and without."""
        for volume in workload.container.volumes:
            yield from self.locate_volume(volume.name, workload.metadata.name)

    def start(self, workload: Workload, fence: Fence) -> Program[None]:
        name = workload.metadata.name
        found = yield from self.ours(name, name)
        if found is None:
            raise CommandFailed(f"{name} cannot be started: its container is not there")
        if found.state is InstanceState.PAUSED:
            yield from guard.run(fence, guard.LIVE, self.command("unpause", found.id))
        elif found.state is not InstanceState.RUNNING:
            if found.state is InstanceState.CREATED:  # a host that went down may have kept `make` from looking
                yield from self._mounts_its_own(workload)
            yield from guard.mark(fence, Phase.RUNNING, "owner")
            yield from guard.run(fence, guard.LIVE, self.command("start", found.id))
        if workload.spec.health is None:  # else the check finds out
            yield from self._not_ended(name)

    def _not_ended(self, workload: str) -> Program[None]:
        """CommandFailed when it has failed within a moment of its start and nothing starts it again."""
        yield at_once(self, workload, AT_ONCE)
        found = yield from self.ours(workload, workload)
        if found is None or found.state.has_processes or found.restart != NO_RESTART:
            return
        if found.exit_code != 0:
            raise (yield from self.ended(found))

    def stop(self, workload: str, fence: Fence) -> Program[None]:
        found = yield from self.ours(workload, workload)
        if found is not None:
            yield from self._stop(found, fence)

    def _stop(self, found: ContainerFacts, fence: Fence) -> Program[None]:
        if found.state.has_processes:
            argv = self.command("stop", found.id)
            yield from guard.run(fence, guard.SETTLED, argv, timeout=stop_limit(found))

    def remove(self, workload: str, fence: Fence) -> Program[None]:
        found = yield from self._remove(workload, workload, fence)
        if found is not None:
            yield from self.drop_secrets(workload, found)

    def remove_aside(self, workload: str, fence: Fence) -> Program[None]:
        yield from self._remove(workload + ASIDE, workload, fence)

    def _remove(self, name: str, workload: str, fence: Fence) -> Program[ContainerFacts | None]:
        found = yield from self.ours(name, workload)
        if found is not None:
            if self.FORCE_KILLS:
                yield from self._stop(found, fence)
            yield from self.discard(found, fence, guard.SETTLED, whole=False)
        return found

    def set_aside(self, workload: str, fence: Fence) -> Program[None]:
        """What ran is noted before it is stopped: `bring_back` starts it again. No reboot starts it meanwhile. One
        that is aside beside what runs was left there by a controller that has lost its journal."""
        aside = workload + ASIDE
        old, found = (yield from self.ours(aside, workload)), (yield from self.ours(workload, workload))
        if found is None or (old is not None and not found.state.has_processes):
            return
        if old is not None:
            yield from self.remove_aside(workload, fence)
        if found.state.has_processes or (yield from _noted(workload)) != found.id:
            ran = found.id if found.state.has_processes else ""
            yield from guard_notes.write(workload, "aside", ran.encode())
        yield from self._switch_restart(found, fence, on=False)
        yield from self._stop(found, fence)
        yield from guard.run(fence, guard.SETTLED, self.command("rename", found.id, aside))

    def bring_back(self, workload: str, fence: Fence) -> Program[None]:
        old = yield from self.ours(workload + ASIDE, workload)
        if old is not None:
            yield from self.remove(workload, fence)
            yield from guard.run(fence, guard.SETTLED, self.command("rename", old.id, workload))
        found = yield from self.ours(workload, workload)
        if found is None:
            return
        yield from self._switch_restart(found, fence, on=True)
        if not found.state.has_processes and (yield from _noted(workload)) == found.id:
            yield from guard.run(fence, guard.LIVE, self.command("start", found.id))
        yield Command(("rm", "-f", "--", f"{guard.workload_dir(workload)}/aside"), changes=True)

    def _switch_restart(self, found: ContainerFacts, fence: Fence, *, on: bool) -> Program[None]:
        """The restart policy, as the container was made with, or none. Where an engine cannot change it, a reboot
        at the wrong moment may start a container that was set aside."""
        spec = made_from((yield from self.as_made(found)))
        wanted = str(spec.get("restart", NO_RESTART)) if on else NO_RESTART
        if found.restart == wanted:
            return
        if on and (retries := spec.get("restartRetries")):
            wanted = f"{wanted}:{retries}"
        if (yield from self.switches_restart()):
            argv = self.command("update", found.id, options=(f"--restart={wanted}",))
            yield from guard.run(fence, guard.SETTLED, argv)

    def health(self, workload: str, check: HealthCheck, address: str) -> Program[None]:
        """The waiting is done on the host, so that a slow connection costs one trip, and ends at once when the
        workload has ended: then its exit code and its last words are what a user wants to know."""
        within = parse_duration(check.within)
        facts = yield from self.ours(workload, workload)
        if facts is None:
            raise CommandFailed(f"{workload} is not healthy: its container is gone", code=unwell.UNHEALTHY)
        head = (self.NAME, str(round(within * 100)), facts.id, str(facts.pid), facts.restart or NO_RESTART)
        if check.command is not None:
            argv = shell("health", *head, "command", *check.command)
        elif check.tcp is not None:
            argv = shell("health", *head, "tcp", address or "127.0.0.1", str(check.tcp.port))
        else:
            assert check.http is not None
            http = (address or "127.0.0.1", str(check.http.port), check.http.path)
            argv = shell("health", *head, "http", *http)
        try:
            yield Command(argv, timeout=within + _SLACK)
        except CommandFailed as error:
            now = yield from self.ours(workload, workload)
            if now is not None and not now.state.has_processes:
                raise (yield from self.ended(now, error.where)) from error
            raise unwell.unhealthy(workload, check, error) from error

    def ended(self, facts: ContainerFacts, where: str = "") -> Program[CommandFailed]:
        """The error about a container that has ended. Undoing removes it, so what it said last is in the error."""
        show = 'exec "$1" logs --tail "$2" -- "$3" 2>&1'
        argv = ("/bin/sh", "-c", show, "sh", self.NAME, str(unwell.LAST_WORDS), facts.id)
        said = yield Command(argv, timeout=20, ok=tuple(range(256)))
        output = said.stdout if said.status == 0 else ""
        return unwell.ended(facts.name, facts.exit_code, output, where)


def shell(name: str, *arguments: str) -> tuple[str, ...]:
    """The argument list that runs a script that serves every engine."""
    return ("/bin/sh", "-c", host_script("oci", name), name, *arguments)


def made_from(facts: ContainerFacts) -> dict[str, object]:
    """The spec that its label has, as far as that can be read."""
    try:
        found = json.loads(facts.labels.get(LABEL_SPEC, "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def stop_limit(found: ContainerFacts) -> Seconds:
    """An engine's own patience is what the container was made with."""
    try:
        return STOP_LIMIT + parse_duration(str(made_from(found).get("stopTimeout", "10s")))
    except ValueError:
        return STOP_LIMIT


def _noted(workload: str) -> Program[str]:
    """The ID of the container that ran when it was set aside; empty when none did."""
    noted = yield Command(("cat", f"{guard.workload_dir(workload)}/aside"), ok=(0, 1))
    return noted.stdout.strip()
