"""Running this machine's own programs for the lab, and saying what is missing. Knows nothing of hosts."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from reconciler.errors import LabError

Report = Callable[[str], None]
"""Receives one line of progress."""

ERROR_TAIL_LINES = 12

_COMMAND_PACKAGES = {
    "ip": "iproute2",
    "tc": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setsid": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
_BUILD_COMMAND_PACKAGES = {"debootstrap": "debootstrap", "gcc": "gcc", "gpgv": "gpgv"}
_BACKEND_COMMAND_PACKAGES = {"vm": {"mkfs.ext4": "e2fsprogs"}}
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""What debootstrap checks the signature of the mirror's index with."""


def silent(_line: str) -> None:
    """The default `Report`: says nothing."""


def tail(text: str, lines: int = ERROR_TAIL_LINES) -> str:
    """The last lines of a program's output."""
    return "\n".join(text.strip().splitlines()[-lines:])


def run(
    argv: Sequence[str | Path], *, check: bool = True, input: str | None = None, what: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program of this machine; LabError with its last words when it fails and `check` is set."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(words, capture_output=True, text=True, input=input, check=False)
    except FileNotFoundError as error:
        raise LabError(f"the program {words[0]} is not installed", code="L702") from error
    if check and done.returncode != 0:
        raise LabError(
            what or f"`{' '.join(words)}` failed with status {done.returncode}",
            why=tail(done.stderr or done.stdout),
        )
    return done


def require_root() -> None:
    """The lab makes namespaces, mounts and bridges: it needs root."""
    if os.geteuid() != 0:
        raise LabError("the lab needs root", code="L701", fix="run the same command with sudo")


def missing_packages(backend: str = "namespace", *, build: bool = True) -> tuple[str, ...]:
    """Debian packages the lab needs and this machine lacks; `build`: also those that build its images."""
    builders = _BUILD_COMMAND_PACKAGES | _BACKEND_COMMAND_PACKAGES.get(backend, {})
    wanted = _COMMAND_PACKAGES | (builders if build else {})
    missing = {package for command, package in wanted.items() if not shutil.which(command, path=_path())}
    if build and (missing & {"gcc"} or not _has_static_libc()):
        missing.add("libc6-dev")
    if build and not _KEYRING.exists():
        missing.add("debian-archive-keyring")
    return tuple(sorted(missing))


def require_packages(backend: str = "namespace", *, build: bool) -> None:
    """LabError naming the packages to install."""
    missing = missing_packages(backend, build=build)
    if missing:
        raise LabError(
            f"the lab needs packages this machine lacks: {', '.join(missing)}",
            code="L702",
            fix=f"apt-get install --no-install-recommends {' '.join(missing)}, or `reconcile lab up --install`",
        )


def install_packages(report: Report = silent, backend: str = "namespace") -> tuple[str, ...]:
    """Install what `missing_packages` names, with apt-get. Returns what was installed."""
    missing = missing_packages(backend)
    if not missing:
        return ()
    require_root()
    if not shutil.which("apt-get"):
        raise LabError("the lab can only install packages with apt-get", code="L702", fix=" ".join(missing))
    report(f"installing {', '.join(missing)}")
    run(["apt-get", "-q", "update"])
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    run([*environment, "apt-get", "-qy", "--no-install-recommends", "install", *missing])
    return missing


@contextmanager
def locked(path: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold an exclusive lock on `path` (made if needed); waits for whoever holds it, after calling `on_wait`."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not _is_same_file(descriptor, path):
                continue  # whoever held it removed the file: only the new one counts
            yield
            return
        finally:
            os.close(descriptor)


def write_private(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(0o600)
    temporary.replace(path)


def words(items: Iterable[Path]) -> str:
    """Paths as one argument, for scripts that split at spaces."""
    return " ".join(str(item) for item in items)


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _path() -> str:
    """PATH with the folders for administrators, which a plain user's PATH lacks."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def _has_static_libc() -> bool:
    done = run(["gcc", "-print-file-name=libc.a"], check=False)
    return Path(done.stdout.strip()).is_absolute()
