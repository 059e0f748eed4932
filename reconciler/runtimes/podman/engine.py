"""What is Podman's own of an engine of OCI containers: answers, how a container is made and removed, secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.core.causes import telling
from reconciler.core.volumes import saved_and_removed
from reconciler.criu import restoring, rooms
from reconciler.criu.tasks import Tasks, config_file
from reconciler.errors import CommandFailed, HostError, Refused
from reconciler.guard import guard
from reconciler.model.command import Command, Fence, Program, Seconds
from reconciler.model.container import REGISTRY_PASSWORD, RestartPolicy
from reconciler.model.labels import LABEL_WORKLOAD
from reconciler.model.spec import Workload
from reconciler.model.world import ContainerFacts, NetworkFacts, VolumeFacts
from reconciler.runtimes.base import Handover, Located
from reconciler.runtimes.oci.containers import made_from, stop_limit
from reconciler.runtimes.oci.engine import Making, Phases
from reconciler.runtimes.oci.moving import EngineMoves, home_of
from reconciler.runtimes.oci.stores import PULL_LIMIT, login
from reconciler.runtimes.podman import options, parse, paths
from reconciler.runtimes.podman.noted import as_noted, notes
from reconciler.runtimes.podman.secluding import remove_network

INIT_FOLDERS = tuple(
    f"{top}/podman" for top in ("/usr/local/libexec", "/usr/local/lib", "/usr/libexec", "/usr/lib")
)
"""Where Podman looks for its helpers, in its order (helper_binaries_dir in containers.conf)."""
_NOT_FOUND = 125


class PodmanEngine(EngineMoves):
    NAME = "podman"
    TITLE = "Podman"
    LOOK_LIMIT: Seconds = 20.0
    WHEN_ENDED: Seconds = 5.0
    RESTORERS = "podman or CRIU"
    WAIT = ("--condition=exited", "--condition=stopped")

    # --- looking ---

    def looked(self, name: str, within: Seconds) -> Program[str]:
        """CommandFailed or ReplyLost also when another command holds it for too long."""
        argv = self.command("container inspect", name)
        result = yield Command(argv, timeout=within, ok=(0, _NOT_FOUND))
        if result.status == 0:
            return result.stdout
        if "no such container" in result.stderr.lower():
            return ""
        raise CommandFailed(
            f"Podman cannot say what {name} is",
            argv=argv,
            exit_code=result.status,
            stderr=result.stderr,
            why=telling(result.stderr),
        )

    def read(self, text: str) -> ContainerFacts | None:
        return next(iter(parse.containers(text)), None)

    def as_made(self, facts: ContainerFacts) -> Program[ContainerFacts]:
        workload = facts.labels.get(LABEL_WORKLOAD, "")
        return as_noted(facts, (yield from notes((workload,) if workload else ())))

    def tasks(self, container_id: str, home: str) -> Tasks:
        """What makes them runs in the cgroup of who watches it."""
        group = f"libpod-{container_id}"
        return Tasks(home, group, monitor="conmon", makers=f"/libpod-conmon-{container_id}")

    def oci_config(self, facts: ContainerFacts) -> Program[str]:
        yield from ()
        return f"{facts.userdata}/config.json"

    def version(self) -> Program[str]:
        result = yield Command(("podman", "--version"))
        return parse.version(result.stdout)

    def switches_restart(self) -> Program[bool]:
        return parse.keeps_updates((yield from self.version()))

    # --- images, networks, volumes ---

    def image_id(self, image: str) -> Program[str | None]:
        argv = self.command("image inspect", image, options=("--format", "{{.Id}}"))
        result = yield Command(argv, ok=(0, 1, _NOT_FOUND))
        return result.stdout.strip() or None

    def pull_as(self, image: str, user: str, password: bytes, options: Sequence[str]) -> Command:
        argv = self.shell("pull", image, *options)
        stdin = login(image, user, password, "docker.io")
        return Command(argv, stdin=stdin, timeout=PULL_LIMIT, changes=True, secret=True)

    def network(self, name: str) -> Program[NetworkFacts | None]:
        listed = yield Command(("podman", "network", "ls", "--format", "json"))
        return next((facts for facts in parse.networks(listed.stdout) if facts.name == name), None)

    def mtu(self, size: int) -> str:
        return f"mtu={size}"

    def volume(self, name: str) -> Program[VolumeFacts | None]:
        listed = yield Command(("podman", "volume", "ls", "--format", "json"))
        return next((v for v in parse.volumes(listed.stdout) if v.name == name), None)

    def look_into(self, volume: VolumeFacts) -> str:
        return f"podman volume export {volume.name}"

    def save_and_remove(self, volume: VolumeFacts) -> str:
        return f": {saved_and_removed(volume.name, self.NAME)}"

    # --- containers ---

    def making(
        self, workload: Workload, *, oci_runtime: str, restart: str, secrets: Mapping[str, bytes]
    ) -> Program[Making]:
        runtime = yield from _runtime_for(oci_runtime)
        yield from store_secrets(workload.metadata.name, secrets)
        argv = options.create_argv(
            workload,
            image=workload.container.image,
            oci_runtime=runtime,
            restart=restart,
            attach=True,
            init_path=(yield from init_path(workload)),
        )
        return Making(argv)

    def discard(self, found: ContainerFacts, fence: Fence, phases: Phases, *, whole: bool) -> Program[None]:
        yield from rooms.free(self.tasks_of(found), fence, phases)
        flags = ("--force", "--volumes") if whole else ("--force",)
        argv = self.command("rm", found.id, options=flags)
        yield from guard.run(fence, phases, argv, timeout=stop_limit(found))
        yield from remove_network(fence.workload)

    def drop_secrets(self, workload: str, facts: ContainerFacts) -> Program[None]:
        spec = made_from(facts)
        for section in (spec.get("secretEnv"), spec.get("secretFiles")):
            for variable in section if isinstance(section, dict) else ():
                name = paths.secret_name(workload, variable)
                yield Command(self.command("secret rm", name), changes=True, ok=(0, 1, _NOT_FOUND))

    # --- moves ---

    def check_movable(self, handover: Handover) -> Program[None]:
        """Refused where the restart policy cannot be switched off and on without making the container anew."""
        if handover.workload.container.restart is not RestartPolicy.NO and not (
            yield from self.switches_restart()
        ):
            have = yield from self.version()
            raise Refused(
                f"{handover.name} has a restart policy, which Podman {have} cannot switch off during a move",
                code="P435",
                fix="upgrade Podman to 5.1 or later, or set spec.container.restart to `no`",
            )

    def restore_argv(self, handover: Handover, staged: Located) -> tuple[str, ...]:
        config_of_criu = config_file(handover.name)
        return self.shell("restore", home_of(staged), staged.container_id, config_of_criu, *criu_options(handover))


def criu_options(handover: Handover) -> tuple[str, ...]:
    """Of both `podman container checkpoint` and `restore`."""
    return ("--keep", *restoring.options(handover))


def _runtime_for(oci_runtime: str) -> Program[str]:
    """The OCI runtime to make containers with: the given one, else runc where it is installed, else Podman's."""
    argv = ("/bin/sh", "-c", 'for r; do command -v "$r" >/dev/null && echo "$r" && exit; done; exit 0', "sh")
    result = yield Command((*argv, *((oci_runtime,) if oci_runtime else ("runc", "crun"))))
    found = result.stdout.strip()
    if oci_runtime and not found:
        raise HostError(f"{oci_runtime} is not installed", code="H213", fix=f"install {oci_runtime}")
    return found


def init_path(workload: Workload) -> Program[str]:
    """The program that Podman puts before a container's own, where the workload asks for one. By its own name:
    CRIU binds a link as the link that it is, and the restore fails. Empty: none is asked for, or Podman knows
    better."""
    if not workload.container.init:
        return ""
    look = 'for f; do if [ -x "$f/catatonit" ]; then readlink -f "$f/catatonit"; exit; fi; done'
    result = yield Command(("/bin/sh", "-c", look, "sh", *INIT_FOLDERS), ok=(0, 1))
    return result.stdout.strip()


def store_secrets(workload: str, secrets: Mapping[str, bytes]) -> Program[None]:
    """Make Podman secrets of a workload's values anew; they arrive on stdin and are in no argument list."""
    for variable, value in sorted(secrets.items()):
        if variable == REGISTRY_PASSWORD:
            continue
        name = paths.secret_name(workload, variable)
        yield Command(("podman", "secret", "rm", "--", name), changes=True, ok=(0, 1, _NOT_FOUND), secret=True)
        label = f"--label={LABEL_WORKLOAD}={workload}"
        argv = ("podman", "secret", "create", label, "--", name, "-")
        yield Command(argv, stdin=value, changes=True, secret=True)
