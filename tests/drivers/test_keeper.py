"""Who stands between a lazy restore and CRIU's page daemon (templates/criu/keeper.pl)."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler.resources import data_path

KEEPER = data_path("templates", "criu", "keeper.pl")


def _removed(home: Path) -> None:
    home.rmdir()


def _cannot_note_itself(home: Path) -> None:
    (home / "keeper.pid").mkdir()


def _removed_while_it_waits(home: Path) -> None:
    """The daemon listens; then the folder with its note goes, as by `podman rm`."""
    (home / "pages").mkdir()
    listens = socket.socket(socket.AF_UNIX)
    listens.bind(str(home / "pages" / "lazy-pages.socket"))
    listens.listen()

    def remove() -> None:
        with listens, suppress(OSError):
            listens.accept()
            (home / "keeper.pid").unlink()

    threading.Thread(target=remove, daemon=True).start()


@pytest.mark.parametrize("spoil", [_removed, _cannot_note_itself, _removed_while_it_waits])
def test_a_page_daemon_that_nobody_asked_ends_with_its_keeper(tmp_path: Path, spoil: object) -> None:
    """It would wait for ever: whoever removed the container while its restore began has not seen it."""
    assert callable(spoil)
    (home := tmp_path / "h").mkdir()
    spoil(home)
    with subprocess.Popen(["sleep", "60"]) as daemon:
        try:
            argv = ["perl", str(KEEPER), str(home), str(daemon.pid)]
            keeper = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
            assert keeper.returncode != 0
            assert daemon.wait(timeout=5) == -signal.SIGTERM, keeper.stderr
        finally:
            daemon.kill()
