"""A Kubernetes API on 127.0.0.1: etcd and the API server of `build`, with KubeVirt's definitions, in a folder.

Everything it starts ends with it, also when its process is killed. What Kubernetes itself would do (schedule pods,
run them, collect garbage) is done by whoever tests: see `player`.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import MappingProxyType

from reconciler.errors import LabError
from reconciler.lab.tools import tail
from tests.kube.build import Programs

START_SECONDS = 120.0
"""Two seconds on an idle machine."""
STOP_SECONDS = 10.0
CRDS = Path(__file__).with_name("crds")
ADMIN = "admin"
NOBODY = "nobody"
"""May do only what RBAC objects of the test allow."""
CONTROLLER = "system:serviceaccount:kubevirt:kubevirt-controller"
GROUPS = MappingProxyType({ADMIN: "system:masters", CONTROLLER: "system:masters", NOBODY: ""})
SERVED = (
    "kubevirt.io/v1/kubevirts",
    "kubevirt.io/v1/virtualmachines",
    "kubevirt.io/v1/virtualmachineinstances",
    "kubevirt.io/v1/virtualmachineinstancemigrations",
    "migrations.kubevirt.io/v1alpha1/migrationpolicies",
)
BEGUN_NAMESPACES = ("default", "kubevirt")


class Cluster:
    """A running API server. Use `started`."""

    def __init__(self, programs: Programs, folder: Path) -> None:
        self.programs = programs
        self.folder = folder
        self.tokens = {user: secrets.token_hex(16) for user in GROUPS}
        self.url = ""
        self._running: list[subprocess.Popen[bytes]] = []

    @property
    def ca(self) -> Path:
        """The certificate that the server shows, with the one that signed it."""
        return self.folder / "apiserver.crt"

    def start(self) -> None:
        rows = (
            f'{self.tokens[user]},{user},{number},"{group}"' for number, (user, group) in enumerate(GROUPS.items())
        )
        (self.folder / "tokens.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        etcd = f"unix://{self.folder}/etcd.sock"
        # etcd advertises only what has a port; nobody asks there.
        listening = ["--listen-client-urls", etcd, "--advertise-client-urls", "http://127.0.0.1:2379"]
        peers = ["--listen-peer-urls", f"unix://{self.folder}/peer.sock"]
        data = ["--data-dir", str(self.folder / "etcd"), "--unsafe-no-fsync", "--log-level", "warn"]
        self._run("etcd", [str(self.programs.etcd), *listening, *peers, *data])
        self._run("server", [str(self.programs.server), "-etcd", etcd, "-folder", str(self.folder)])
        self._wait_ready()
        self.create(
            *({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n}} for n in BEGUN_NAMESPACES)
        )
        self.kubectl("create", "-f", str(CRDS))
        self.kubectl("wait", "--for=condition=Established", "crd", "--all", f"--timeout={START_SECONDS:.0f}s")
        self._wait_served()

    def stop(self) -> None:
        """End what was started, the API server first."""
        for process in reversed(self._running):
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_SECONDS)
        self._running.clear()

    def kubeconfig(
        self, user: str = ADMIN, *, server: str = "", token: str = "", namespace: str = "default"
    ) -> Path:
        """A file for clients: by default this server's and the user's own token. Each combination has its own."""
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "test", "cluster": {"server": server or self.url, "certificate-authority": str(self.ca)}}
            ],
            "users": [{"name": user, "user": {"token": token or self.tokens[user]}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user, "namespace": namespace}}],
            "current-context": "test",
        }
        text = json.dumps(document, indent=1)
        file = self.folder / f"kubeconfig-{user.rpartition(':')[2]}-{secrets.token_hex(3)}"
        file.write_text(text, encoding="utf-8")
        file.chmod(0o600)
        return file

    def kubectl(self, *words: str, input: str | None = None, user: str = ADMIN, check: bool = True) -> str:
        """What Debian's kubectl prints; LabError with its last words when it fails and `check` is set."""
        access = ["--server", self.url, "--certificate-authority", str(self.ca), "--token", self.tokens[user]]
        cache = ["--cache-dir", str(self.folder / "kubectl")]
        done = subprocess.run(
            [str(self.programs.kubectl), *access, *cache, *words],
            input=input,
            capture_output=True,
            text=True,
            env={"HOME": str(self.folder), "KUBECONFIG": "/dev/null"},
            timeout=START_SECONDS,
        )
        if check and done.returncode != 0:
            raise LabError(f"kubectl {words[0]} failed with status {done.returncode}", why=tail(done.stderr))
        return done.stdout

    def create(self, *objects: object) -> None:
        """Make objects, in order."""
        self.kubectl("create", "-f", "-", input="\n---\n".join(map(json.dumps, objects)))

    def _run(self, name: str, argv: Sequence[str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            # The kernel ends it with us, however we end.
            words = ["setpriv", "--pdeathsig", "KILL", "--", *argv]
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        self._running.append(process)

    def _wait_ready(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if any(process.poll() is not None for process in self._running):
                break
            with contextlib.suppress(OSError, ValueError):
                self.url = f"https://127.0.0.1:{int((self.folder / 'port').read_text())}"
                if self._get("/readyz") == "ok":
                    return
            time.sleep(0.05)
        logs = "\n".join(
            tail((self.folder / f"{name}.log").read_text(errors="replace")) for name in ("etcd", "server")
        )
        raise LabError("the API server for tests did not become ready", why=logs)

    def _wait_served(self) -> None:
        """Until all kinds can be listed: right after its definition a kind is refused with 429."""
        end = time.monotonic() + START_SECONDS
        for name in SERVED:
            while '"items"' not in (said := self._get(f"/apis/{name}")):
                if time.monotonic() > end:
                    raise LabError("KubeVirt's kinds are not served", why=said)
                time.sleep(0.05)

    def _get(self, path: str) -> str:
        trust = ssl.create_default_context(cafile=str(self.ca))
        request = urllib.request.Request(
            self.url + path, headers={"Authorization": f"Bearer {self.tokens[ADMIN]}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=5, context=trust) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            return error.read().decode()


@contextlib.contextmanager
def started(programs: Programs) -> Iterator[Cluster]:
    """A new cluster, gone when the block ends."""
    # Sockets' paths have little room: a short one, wherever pytest keeps its own.
    folder = Path(tempfile.mkdtemp(prefix="kube-"))
    cluster = Cluster(programs, folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
