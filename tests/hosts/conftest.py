"""Real: sshd, on a free port of 127.0.0.1 with keys of its own, or in the lab. Fake: `sudo`, a script on PATH."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from reconciler.hosts.link import LinkOptions
from reconciler.hosts.ssh import SshFleet
from reconciler.hosts.ssh.connection import SshLimits
from reconciler.lab import Lab
from reconciler.model.spec import Host
from tests.hosts.links import KEY, sh
from tests.lab.conftest import clean_lab, lab, lab_factory, pytest_collection_modifyitems

__all__ = ["clean_lab", "lab", "lab_factory", "pytest_collection_modifyitems"]

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin")


def keygen(path: Path, *options: str) -> Path:
    """Make an ed25519 key."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", *options, "-f", path], check=True)
    return path


def host_doc(name: str, **spec: object) -> Host:
    """A Host as a spec would have it."""
    return Host.model_validate(
        {"apiVersion": "reconciler/v1alpha1", "kind": "Host", "metadata": {"name": name}, "spec": spec}
    )


class Server:
    """An sshd of this test. `home` is where its users' start-up files are, `bin` is first on their PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.bin = folder / "bin"
        self.home.mkdir()
        self.bin.mkdir()
        self.identity = keygen(folder / "id")
        self.host_key = keygen(folder / "host_key")
        shutil.copy(folder / "id.pub", folder / "authorized_keys")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, *extra: str) -> None:
        config = self.folder / "sshd_config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.host_key}\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {self.folder}/authorized_keys\nStrictModes no\nPasswordAuthentication no\n"
            f"PermitRootLogin prohibit-password\nSetEnv HOME={self.home} "
            f"PATH={self.bin}:/usr/bin:/bin:/usr/sbin:/sbin\n" + "".join(f"{line}\n" for line in extra)
        )
        Path("/run/sshd").mkdir(exist_ok=True)
        argv = [str(SSHD), "-D", "-e", "-f", str(config)]
        self._process = subprocess.Popen(argv, stderr=(self.folder / "log").open("ab"))
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text())

    def sessions(self) -> list[int]:
        """Process IDs of the connections' own sshd processes."""
        done = subprocess.run(["pgrep", "-P", str(self.pid)], capture_output=True, text=True, check=False)
        return [int(line) for line in done.stdout.split()]

    def connections(self) -> list[int]:
        """The same, and their children: newer versions of OpenSSH leave the connection to one of those."""
        sessions = self.sessions()
        words = ["pgrep", "-P", ",".join(map(str, sessions)), "-x", "sshd(-.*)?"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return sessions + [int(line) for line in done.stdout.split()]

    def drop(self) -> None:
        """Kill all connections; the server goes on."""
        for pid in self.sessions():
            subprocess.run(["pkill", "-9", "-P", str(pid), "-x", "sshd(-session)?"], check=False)
            with suppress(ProcessLookupError):
                os.kill(pid, 9)

    def stop(self) -> None:
        if self._process:
            self.drop()
            self._process.kill()
            self._process.wait()
            self._process = None

    def command(self, name: str, text: str) -> None:
        """Put a shell script on the users' PATH."""
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def spec(self, name: str = "here", **more: object) -> Host:
        values: dict[str, object] = {
            "address": "127.0.0.1",
            "port": self.port,
            "user": getpass.getuser(),
            "hostKey": (self.folder / "host_key.pub").read_text().strip(),
            "identityFile": str(self.identity),
        }
        return host_doc(name, **{k: v for k, v in {**values, **more}.items() if v is not None})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A running sshd."""
    if SSHD is None:
        pytest.skip("needs the package openssh-server")
    made = Server(tmp_path)
    made.start()
    yield made
    made.stop()


Fleets = Callable[..., SshFleet]


@pytest.fixture
async def fleets() -> AsyncIterator[Fleets]:
    """Makes fleets that are closed after the test."""
    made: list[SshFleet] = []

    def make(*hosts: Host, links: LinkOptions | None = None, **limits: float) -> SshFleet:
        fleet = SshFleet(
            {host.metadata.name: host for host in hosts},
            limits=SshLimits(**limits),  # type: ignore[arg-type]
            links=links,
        )
        made.append(fleet)
        return fleet

    yield make
    for fleet in made:
        await fleet.close()


def lab_hosts(lab: Lab) -> list[Host]:
    """The lab's hosts as specs."""
    return [Host.model_validate(doc) for doc in yaml.safe_load_all(lab.inventory_path.read_text())]


@pytest.fixture
def hosts(clean_lab: Lab) -> Iterator[Lab]:
    """Real: lab hosts, with a tmpfs of their own at /run/t and nothing of an earlier test."""
    script = "umount /run/t 2>/dev/null || true; mkdir -p /run/t; mount -t tmpfs tmpfs /run/t; rm -rf /root/t"
    for host in clean_lab.hosts:
        sh(clean_lab, host.name, script)
    yield clean_lab
    script = "umount /run/t; iptables -F OUTPUT; rm -rf /usr/local/bin/ssh /root/t /root/evil"
    for host in clean_lab.hosts:
        sh(clean_lab, host.name, script)


@pytest.fixture
async def fleet(hosts: Lab, fleets: Fleets) -> AsyncIterator[SshFleet]:
    """A fleet of the lab's hosts; links are closed after the test."""
    made = fleets(*lab_hosts(hosts))
    yield made
    for source, destination in (("h1", "h2"), ("h2", "h1")):
        for key in (KEY, "other"):
            await made.close_link(source, destination, key)
