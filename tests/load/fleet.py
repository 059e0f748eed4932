"""Specs made by code, and the benchmark of loading them: `python -m tests.load.fleet [workloads]`."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from reconciler.load import load

HOSTS = 100


def host(n: int) -> str:
    return f"""---
apiVersion: reconciler/v1alpha1
kind: Host
metadata: {{name: h{n}}}
spec: {{address: 192.0.2.{n + 1}}}
"""


def workload(n: int) -> str:
    """One workload of 27 lines, as people write them."""
    return f"""---
apiVersion: reconciler/v1alpha1
kind: Workload
metadata:
  name: w{n}
  labels: {{team: web, tier: cache}}
spec:
  runtime: podman
  container:
    image: registry.example/redis@sha256:4f2a
    command: [redis-server, --save, ""]
    env:
      MODE: fast
      LEVEL: "3"
    networks:
      - name: lan
        ip: 10.{n // 62500}.{n // 250 % 250}.{n % 250 + 1}
    volumes:
      - name: data-{n}
        target: /data
    limits:
      memory: 512MiB
  placement:
    host: h{n % HOSTS}
  migration:
    policy: keep
  health: {{tcp: {{port: 6379}}, within: 5s}}
"""


def write_fleet(folder: Path, workloads: int) -> Path:
    """A folder with hosts, a policy and so many workloads in one file."""
    policy = "---\napiVersion: reconciler/v1alpha1\nkind: MigrationPolicy\nmetadata: {name: keep}\n"
    (folder / "hosts.yaml").write_text("".join(map(host, range(HOSTS))) + policy)
    (folder / "workloads.yaml").write_text("".join(map(workload, range(workloads))))
    return folder


def bench_load(workloads: int = 10_000) -> float:
    """Seconds to load and validate a fleet."""
    with tempfile.TemporaryDirectory() as folder:
        write_fleet(Path(folder), workloads)
        start = time.perf_counter()
        spec = load([folder])
        seconds = time.perf_counter() - start
    assert len(spec.workloads) == workloads
    return seconds


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    print(f"{count} workloads loaded and validated in {bench_load(count):.2f} s")
