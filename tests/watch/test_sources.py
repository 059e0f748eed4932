"""Specs under watch on a real disk and in a real repository, read by a real process of its own; and what systemd
is told."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from functools import partial
from pathlib import Path

import pytest

from reconciler.cli.reading import SpecReader, question, read_apart
from reconciler.errors import InputError
from reconciler.hosts.memory import run_virtual
from reconciler.load.mirror import Wanted
from reconciler.watch import notify
from reconciler.watch.source import FolderSource, GitSource
from tests.cli.memory_fleet import want
from tests.load.test_git import git

SOON = 60.0
OTHER_POLICY = """\
apiVersion: reconciler/v1alpha1
kind: SyncPolicy
metadata: {name: all}
spec: {suspend: moving house}
"""


def folder_source(folder: Path, look_every: float = 3600.0) -> FolderSource:
    load = partial(read_apart, question([folder], [], [], None))
    return FolderSource([folder], load, look_every)


async def test_an_edit_is_noticed_and_read(tmp_path: Path) -> None:
    want(tmp_path, web="h1")
    source = folder_source(tmp_path / "specs")
    try:
        spec = await source.read()
        assert spec and list(spec.workloads) == ["web"]
        want(tmp_path, web="h1", db="h2")
        await asyncio.wait_for(source.changed(), SOON)
        spec = await source.read()
        assert spec and sorted(spec.workloads) == ["db", "web"]
    finally:
        source.close()


async def test_what_is_no_spec_and_named_by_none_is_no_change(tmp_path: Path) -> None:
    """Such as the journal, the notes or a log in the folder of the specs: a watch fed itself with them."""
    want(tmp_path, web="h1")
    folder = tmp_path / "specs"
    (folder / "deep").mkdir()
    source = folder_source(folder, look_every=0.1)
    try:
        assert await source.read()

        async def written() -> None:
            for number in range(1000):
                for name in ("journal.db", "journal.db-wal", "log", ".hidden.yaml.swp", "deep/other"):
                    (folder / name).write_text(str(number))
                await asyncio.sleep(0.02)

        job = asyncio.create_task(written())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(source.changed(), 4.0)
        spec = folder / "all.yaml"
        spec.write_text(spec.read_text() + "# an edit\n")
        await asyncio.wait_for(source.changed(), SOON)
        job.cancel()
    finally:
        source.close()


@pytest.mark.parametrize("named", ["envFiles: [web.env]", "include"])
async def test_a_file_that_is_named_counts_also_before_it_is_there(tmp_path: Path, named: str) -> None:
    git(tmp_path, "init", "-q")
    want(tmp_path, web="h1")
    spec = tmp_path / "specs" / "all.yaml"
    if named == "include":
        (tmp_path / "specs" / "more.yaml").write_text("include: [../common.yaml]\n")
        file = tmp_path / "common.yaml"
    else:
        spec.write_text(spec.read_text().replace("container: {", f"container: {{{named}, "))
        file = tmp_path / "specs" / "web.env"
    source = folder_source(tmp_path / "specs", look_every=0.1)
    try:
        with pytest.raises(InputError):
            await source.read()
        await asyncio.wait_for(source.changed(), SOON)  # it was not looked at before
        with pytest.raises(InputError):
            await source.read()
        change = asyncio.create_task(source.changed())
        await asyncio.sleep(0.5)
        assert not change.done()
        file.write_text("COLOR=blue\n" if file.suffix == ".env" else OTHER_POLICY)
        await asyncio.wait_for(change, SOON)
        assert await source.read()
    finally:
        source.close()


async def test_what_a_look_finds_is_left_alone_for_a_while_too(tmp_path: Path) -> None:
    """The kernel tells nothing of files elsewhere; one may be half written."""
    git(tmp_path, "init", "-q")
    want(tmp_path, web="h1")
    shared = tmp_path / "common.yaml"
    shared.write_text((tmp_path / "specs" / "all.yaml").read_text())
    (tmp_path / "specs" / "all.yaml").write_text("include: [../common.yaml]\n")
    source = folder_source(tmp_path / "specs", look_every=0.1)
    try:
        await source.read()
        await asyncio.wait_for(source.changed(), SOON)
        await source.read()
        change, text = asyncio.create_task(source.changed()), shared.read_text()
        shared.write_text("")
        await asyncio.sleep(0.2)
        assert not change.done()
        shared.write_text(text.replace("host: h1", "host: h2"))
        await asyncio.wait_for(change, SOON)
        assert await source.read()
    finally:
        source.close()


async def test_a_folder_that_was_gone_is_found_again(tmp_path: Path) -> None:
    want(tmp_path, web="h1")
    source = folder_source(tmp_path / "specs", look_every=0.1)
    try:
        await source.read()
        shutil.rmtree(tmp_path / "specs")
        await asyncio.wait_for(source.changed(), SOON)
        with pytest.raises(InputError) as gone:
            await source.read()
        assert gone.value.diagnostics[0].code == "E101"
        want(tmp_path, web="h2")
        await asyncio.wait_for(source.changed(), SOON)
        spec = await source.read()
        assert spec and spec.workloads["web"].spec.placement.host == "h2"
    finally:
        source.close()


async def test_what_specs_include_from_elsewhere_counts(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    want(tmp_path, web="h1")
    shared = tmp_path / "common.yaml"
    shared.write_text((tmp_path / "specs" / "all.yaml").read_text())
    (tmp_path / "specs" / "all.yaml").write_text("include: [../common.yaml]\n")
    source = folder_source(tmp_path / "specs", look_every=0.1)
    try:
        await source.read()
        await asyncio.wait_for(source.changed(), SOON)  # it was not looked at before
        await source.read()
        shared.write_text(shared.read_text().replace("host: h1", "host: h2"))
        await asyncio.wait_for(source.changed(), SOON)
        spec = await source.read()
        assert spec and spec.workloads["web"].spec.placement.host == "h2"
    finally:
        source.close()


async def test_a_repository_is_read_again_only_at_another_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "-q", "-b", "main")
    want(work, web="h1")
    git(work, "add", ".")
    git(work, "commit", "-q", "-m", "one")
    source = GitSource(partial(read_apart, question([], [], [], Wanted(str(work), "main"))), every=0.01)
    first = await source.read()
    assert first and first.commit == git(work, "rev-parse", "HEAD")
    await source.changed()
    assert await source.read() is None
    want(work, web="h2")
    git(work, "commit", "-q", "-a", "-m", "two")
    second = await source.read()
    assert second and second.workloads["web"].spec.placement.host == "h2"
    git(work, "commit", "-q", "--amend", "-m", "rewritten")
    with pytest.raises(InputError) as rewritten:
        await source.read()
    assert rewritten.value.code == "E172"


def a_repository(folder: Path, **places: str) -> Path:
    work = folder / "work"
    work.mkdir()
    git(work, "init", "-q", "-b", "main")
    want(work, **places)
    git(work, "add", ".")
    git(work, "commit", "-q", "-m", "one")
    return work


@pytest.mark.parametrize(("takes", "waits"), [(0.0, 30.0), (3.0, 27.0), (29.0, 6.0), (100.0, 6.0)])
def test_a_repository_is_asked_from_question_to_question_never_later(takes: float, waits: float) -> None:
    async def load(known: str) -> None:
        await asyncio.sleep(takes)

    async def course() -> None:
        loop = asyncio.get_running_loop()
        for chance, early in ((0.0, 0.0), (1.0, 6.0)):
            source = GitSource(load, every=30.0, chance=partial(float, chance))
            await source.read()
            began = loop.time()
            await source.changed()
            assert loop.time() - began == pytest.approx(max(waits - early, 6.0))

    run_virtual(course())


async def test_rewritten_history_is_followed_once_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a watch that runs for years, too."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    work = a_repository(tmp_path, web="h1")
    assert await GitSource(SpecReader(question([], [], [], Wanted(str(work), "main")))).read()
    told: list[str] = []
    git(work, "commit", "-q", "--amend", "-m", "rewritten")
    source = GitSource(
        SpecReader(question([], [], [], Wanted(str(work), "main", allow_rewritten=True)), told.append)
    )
    assert await source.read()
    assert len(told) == 1 and "rewritten history is followed" in told[0]
    git(work, "commit", "-q", "--amend", "-m", "rewritten again")
    with pytest.raises(InputError) as refused:
        await source.read()
    assert refused.value.code == "E172" and len(told) == 1


async def test_values_and_signers_beside_a_repository_count_at_the_same_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    work = a_repository(tmp_path, web="h1")
    file = work / "specs" / "all.yaml"
    file.write_text(file.read_text().replace("placement: {host: h1}", "placement: {host: {{ values.host }}}"))
    git(work, "commit", "-q", "-a", "-m", "by values")
    values = tmp_path / "values.yaml"
    values.write_text("host: h1\n")
    source = GitSource(SpecReader(question([], [values], [], Wanted(str(work), "main"))))
    first = await source.read()
    assert first and first.workloads["web"].spec.placement.host == "h1"
    assert await source.read() is None
    values.write_text("host: h2\n")
    second = await source.read()
    assert second and second.workloads["web"].spec.placement.host == "h2"
    assert await source.read() is None
    values.unlink()
    with pytest.raises(InputError):
        await source.read()
    values.write_text("host: h2\n")
    assert await source.read() is None, "it is what it was"
    source.forget()
    assert await source.read(), "SIGHUP reads whatever is known"
    signers = tmp_path / "signers"
    signers.write_text("")
    source = GitSource(SpecReader(question([], [values], [], Wanted(str(work), "main", signers=signers))))
    with pytest.raises(InputError) as unsigned:
        await source.read()
    assert unsigned.value.code == "E173"


async def test_a_mirror_that_was_damaged_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    work = a_repository(tmp_path, web="h1")
    told: list[str] = []
    source = GitSource(SpecReader(question([], [], [], Wanted(str(work), "main")), told.append))
    assert await source.read()
    (objects,) = (tmp_path / "state").glob("**/*.git/objects")
    shutil.rmtree(objects)
    assert await source.read() is None, "and the commit is what it was"
    assert len(told) == 1 and "fetched anew" in told[0]


async def test_a_repository_that_cannot_be_reached_or_has_lost_its_branch_is_read_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look says why, and the next one that can be read counts, as if nothing had been."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    work, away = tmp_path / "work", tmp_path / "away"
    work.mkdir()
    git(work, "init", "-q", "-b", "main")
    want(work, web="h1")
    git(work, "add", ".")
    git(work, "commit", "-q", "-m", "one")
    source = GitSource(partial(read_apart, question([], [], [], Wanted(str(work), "main"))), every=0.01)
    assert await source.read()
    work.rename(away)
    with pytest.raises(InputError) as gone:
        await source.read()
    assert gone.value.code == "E170"
    away.rename(work)
    git(work, "branch", "-q", "-m", "main", "other")
    with pytest.raises(InputError) as lost:
        await source.read()
    assert lost.value.code == "E171"
    git(work, "branch", "-q", "-m", "other", "main")
    want(work, web="h2")
    git(work, "commit", "-q", "-a", "-m", "two")
    again = await source.read()
    assert again and again.workloads["web"].spec.placement.host == "h2"


async def test_a_reader_that_ends_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(InputError, match="has ended"):
        await folder_source(tmp_path).load("")


async def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listens:
        listens.bind(str(tmp_path / "notify"))
        listens.settimeout(SOON)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify.tell("READY=1", "STATUS=watching")
        assert listens.recv(100) == b"READY=1\nSTATUS=watching"
        notify.reloading()
        assert listens.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        monkeypatch.setenv("WATCHDOG_USEC", "20000")
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
        job = asyncio.create_task(notify.keep_alive())
        await asyncio.sleep(0.1)
        job.cancel()
        assert listens.recv(100) == listens.recv(100) == b"WATCHDOG=1"
        monkeypatch.setenv("WATCHDOG_PID", "1")
        await asyncio.wait_for(notify.keep_alive(), SOON)


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify.tell("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nowhere"))
    notify.tell("READY=1")
