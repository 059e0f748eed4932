"""Install what the tests need on this machine, or say what is missing. Used by the Makefile."""

import os
import shutil
import subprocess
import sys

from reconciler.errors import ReconcilerError
from reconciler.lab import install_packages

TEST_PROGRAMS = {"busybox": "busybox-static", "git": "git", "restic": "restic", "sshd": "openssh-server"}


def main() -> int:
    if os.geteuid() != 0:
        print("not root: tests on real hosts are skipped", file=sys.stderr)
        return 0
    try:
        install_packages(lambda line: print(line, file=sys.stderr))
    except ReconcilerError as error:
        print(f"{error}\n{error.fix}", file=sys.stderr)
        return 1
    missing = [package for program, package in TEST_PROGRAMS.items() if not shutil.which(program)]
    if not missing:
        return 0
    # A server package must not start its service on this machine.
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    subprocess.run(["apt-get", "-q", "update"], check=True, stdout=subprocess.DEVNULL)
    argv = ["apt-get", "-qqy", "--no-install-recommends", "install", *missing]
    return subprocess.run(argv, env=environment, stdout=sys.stderr).returncode


if __name__ == "__main__":
    sys.exit(main())
