"""`make demo`: a running container moves between two real hosts while a client watches, then a move that fails.

Everything shown is real: sshd, Podman and CRIU on two hosts made of namespaces, specs in a git repository, and
the same `reconcile` commands a user types.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from reconciler.lab import DEMO_IMAGE, NETWORK, Lab, install_packages, remove
from reconciler.lab.probe import Probe, ProbeResult

LAB = "demo"
RECONCILE = Path(sys.executable).with_name("reconcile")
COLOR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
MEMORY_MIB = 64

WORKLOAD = """\
apiVersion: reconciler/v1alpha1
kind: Workload
metadata: {{name: counter}}
spec:
  container:
    image: {image}
    command: [/bin/counter, --memory, "{memory}", --port, "9000"]
    networks: [{{name: {network}, ip: {address}, mac: "02:00:00:00:01:00"}}]
  placement: {{host: h1}}
  health: {{tcp: {{port: 9000}}, within: 5s}}
"""

CRIU_THAT_CANNOT_RESTORE = """#!/bin/sh
[ "$1" = swrk ] && { echo "this CRIU was broken for the demo" >&2; exit 1; }
exec /usr/sbin/criu.real "$@"
"""


def say(text: str) -> None:
    print(f"\n\x1b[1m{text}\x1b[0m" if COLOR else f"\n{text}", flush=True)


def reconcile(folder: Path, *arguments: str, expect: int = 0) -> None:
    """Run the program as a user would, showing its output."""
    print(f"$ reconcile {' '.join(arguments)}", flush=True)
    journal = {"RECONCILE_JOURNAL": str(folder / ".git" / "reconcile.db")}
    done = subprocess.run([RECONCILE, *arguments], cwd=folder, env=os.environ | journal, check=False)
    if done.returncode != expect:
        raise SystemExit(f"reconcile ended with {done.returncode}, expected {expect}")


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=demo", "-c", "user.email=demo@localhost"]
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, stdout=subprocess.DEVNULL)


def place_on(folder: Path, host: str) -> None:
    """The one line a user changes, committed."""
    spec = folder / "specs" / "counter.yaml"
    old = spec.read_text()
    spec.write_text(
        "\n".join(
            line if "placement:" not in line else f"  placement: {{host: {host}}}" for line in old.splitlines()
        )
        + "\n"
    )
    git(folder, "commit", "-qam", f"Run the counter on {host}")
    color = ["--color=always"] if COLOR else []
    subprocess.run(["git", "-C", folder, "show", "--format=  %h %s", "-U0", *color], check=True)


def verdict(seen: ProbeResult) -> None:
    state = "the same connection, never reset" if seen.survived else f"BROKEN: {seen.error}"
    print(f"  client: {seen.replies} answers on {state}; its counter went {seen.first_count} -> {seen.last_count}")
    print(f"  client: longest wait {seen.longest_wait_seconds * 1000:.0f} ms (that is the downtime)")
    if not seen.survived:
        raise SystemExit(1)
    if not seen.memory_intact:
        raise SystemExit("the workload's memory is not what it was")
    print(f"  client: all {MEMORY_MIB} MiB of its memory are what they were ({seen.checksum_after})")


def main() -> None:
    started = time.monotonic()
    say("1. Two real hosts (namespaces with their own sshd, Podman, CRIU)")
    install_packages(lambda line: print(f"  {line}", flush=True))
    lab = Lab.up(LAB, hosts=2, report=lambda line: print(f"  {line}", flush=True))
    with tempfile.TemporaryDirectory(prefix="reconciler-demo-") as name:
        try:
            show(Path(name), lab)
        finally:
            remove(LAB)
    print(
        f"\nDone in {time.monotonic() - started:.0f} s; the hosts are gone again. Keep some with: reconcile lab up"
    )


def show(folder: Path, lab: Lab) -> None:
    address = str(lab.subnet[100])
    (folder / "specs").mkdir()
    (folder / "specs" / "hosts.yaml").write_text(lab.inventory_path.read_text())
    (folder / "specs" / "counter.yaml").write_text(
        WORKLOAD.format(image=DEMO_IMAGE, memory=MEMORY_MIB, network=NETWORK, address=address)
    )
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "A counter on h1")

    say("2. A workload that counts in memory and serves TCP, created on h1 from its spec")
    reconcile(folder, "apply", "--yes")

    say("3. A client connects once, and one line of the spec changes")
    probe = Probe(address, checksums=True).start()
    place_on(folder, "h2")
    reconcile(folder, "plan", "--out", ".git/plan.json")

    say("4. The reviewed plan is applied while the client keeps asking")
    reconcile(folder, "apply", ".git/plan.json")
    time.sleep(0.5)
    verdict(probe.stop())
    reconcile(folder, "apply", "--yes")

    say("5. Back to h1, but h1 cannot restore: the workload must run on where it was")
    lab.exec("h1", ["mv", "/usr/sbin/criu", "/usr/sbin/criu.real"])
    lab.exec("h1", ["sh", "-c", "cat > /usr/sbin/criu; chmod 755 /usr/sbin/criu"], input=CRIU_THAT_CANNOT_RESTORE)
    probe = Probe(address, checksums=True).start()
    place_on(folder, "h1")
    reconcile(folder, "apply", "--yes", expect=1)
    time.sleep(0.5)
    verdict(probe.stop())


if __name__ == "__main__":
    main()
