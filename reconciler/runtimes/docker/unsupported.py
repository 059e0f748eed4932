"""What of a `container` section Docker cannot do, or this driver does not do yet: refused, never dropped. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model.container import Container

Unsupported = tuple[tuple[str | int, ...], str, str]
"""Where in the section (as users write it), what is wrong, and the way out."""


def unsupported(container: Container) -> Iterator[Unsupported]:
    yield from _files(container)
    if (probe := container.healthcheck) is not None and not probe.disabled:
        why = "Docker runs a check that is given at its command line by a shell only"
        yield ("healthcheck",), why, "use spec.health, or `disabled: true` and a HEALTHCHECK in the image"
    if container.userns:
        yield ("userns",), "Docker has user namespaces for the whole engine only (userns-remap)", "leave it out"
    if container.oci_runtime not in (None, "runc"):
        yield ("ociRuntime",), "moves are known to work with runc", "leave it out"
    if container.logging and container.logging.driver == "passthrough":
        yield ("logging", "driver"), "Docker has no `passthrough`", "use json-file, journald or none"


def _files(container: Container) -> Iterator[Unsupported]:
    for target in container.secret_files:
        yield ("secretFiles", target), "Docker has no secrets outside of Swarm", "give it as `secretEnv`"
    for number, mount in enumerate(container.mounts):
        if mount.move:
            yield ("mounts", number, "move"), "folders of the host do not go along yet", "use a named volume"
        if mount.relabel:
            why = "Docker's `--mount` cannot relabel"
            yield ("mounts", number, "relabel"), why, "label the folder on the host: chcon -Rt container_file_t"
    for number, device in enumerate(container.devices):
        if device.cdi:
            yield ("devices", number, "cdi"), "CDI devices are not given yet", "give the device by `path`"
