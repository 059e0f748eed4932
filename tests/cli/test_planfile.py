"""Plan files: complete, sealed, versioned, and bound to what they were made for."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from reconciler.commands.app import Seen, refuse_stale
from reconciler.commands.binding import bind, refuse_other_specs
from reconciler.commands.planfile import SavedPlan, read_plan, write_plan
from reconciler.core.planner import make_plan
from reconciler.errors import InputError, StalePlan
from reconciler.load import gitinfo
from tests.core.worlds import container, facts, host, spec, unknown, workload, world

H1, H2 = host("h1"), host("h2")
WORLD = world(facts("h1", container(workload(on="h1"))), facts("h2"))
SPEC = spec(H1, H2, workload(on="h2"))


def made(desired=SPEC, seen=WORLD, paths=()):
    return SavedPlan(make_plan(desired, seen), bind(desired, seen, gitinfo.repository(paths)))


def test_a_plan_comes_back_as_it_was(tmp_path):
    write_plan(made(), tmp_path / "p.json")
    saved = read_plan(tmp_path / "p.json")
    assert saved == made()
    assert (tmp_path / "p.json").stat().st_mode & 0o077 == 0
    refuse_other_specs(saved.binding, made().binding)
    refuse_stale(saved, Seen(WORLD, make_plan(SPEC, WORLD)))


@pytest.mark.parametrize("change", ["destination", "digest", "version", "commit"])
def test_an_edited_or_foreign_plan_is_refused(tmp_path, change):
    path = tmp_path / "p.json"
    write_plan(made(), path)
    text = path.read_text()
    edits = {
        "destination": lambda: text.replace('"destination": "h2"', '"destination": "h9"'),
        "digest": lambda: text.replace('"digest": "', '"digest": "0'),
        "version": lambda: json.dumps(json.loads(text) | {"version": 99}),
        "commit": lambda: text.replace('"commit": null', '"commit": "4f2a91c"'),
    }
    assert edits[change]() != text
    path.write_text(edits[change]())
    with pytest.raises(StalePlan) as refused:
        read_plan(path)
    assert refused.value.exit_code == 8


def test_what_is_no_plan_file_is_bad_input(tmp_path):
    for content in ("", "[]", "hello", "\x00"):
        (tmp_path / "x").write_text(content)
        with pytest.raises(InputError):
            read_plan(tmp_path / "x")


def test_a_plan_is_stale_when_the_workload_has_moved_meanwhile():
    elsewhere = world(facts("h1"), facts("h2", container(workload(on="h1"))))
    with pytest.raises(StalePlan) as refused:
        refuse_stale(made(), Seen(elsewhere, make_plan(SPEC, elsewhere)))
    assert "h1, h2" in str(refused.value)


def test_a_host_that_cannot_be_seen_any_more_is_another_world():
    less = world(facts("h1", container(workload(on="h1"))), unknown("h2"))
    with pytest.raises(StalePlan, match="h2"):
        refuse_stale(made(), Seen(less, make_plan(SPEC, less)))


def test_a_plan_file_cannot_be_written_to_nowhere(tmp_path):
    with pytest.raises(InputError):
        write_plan(made(), tmp_path / "no" / "folder" / "p.json")


@pytest.mark.parametrize(
    ("here", "said"),
    [
        (spec(H1, H2, workload(on="h1")), "the specs say something else"),
        (spec(host("h1", address="10.9.9.9"), H2, workload(on="h2")), "host h1 was root@"),
        (spec(H1, workload(on="h2")), "and is not there"),
        (SPEC.model_copy(update={"commit": "8e1d02b7"}), "its specs were in no commit, these are at 8e1d02b"),
    ],
)
def test_other_specs_are_named(here, said):
    with pytest.raises(StalePlan) as refused:
        refuse_other_specs(made().binding, bind(here, world(), gitinfo.Repository()))
    assert said in refused.value.why and refused.value.exit_code == 8


def test_another_release_made_it(monkeypatch):
    saved = made().binding.model_copy(update={"program": "9.9"})
    with pytest.raises(StalePlan, match=r"reconcile 9\.9 made it"):
        refuse_other_specs(saved, made().binding)


def git(folder, *arguments):
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def repository(folder: Path, text="a: 1\n", remote=""):
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "a.yaml").write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", folder.name)
    if remote:
        git(folder, "remote", "add", "origin", remote)
    return folder


def bound(folder):
    return bind(SPEC, WORLD, gitinfo.repository([folder]))


def test_another_repository_with_the_same_specs_is_refused(tmp_path):
    one, other = repository(tmp_path / "one"), repository(tmp_path / "other")
    with pytest.raises(StalePlan, match="in another repository"):
        refuse_other_specs(bound(one), bound(other))


def test_a_clone_is_the_same_repository_also_a_shallow_one(tmp_path):
    one = repository(tmp_path / "one", remote="git@example.org:team/fleet.git")
    (one / "a.yaml").write_text("a: 2\n")
    git(one, "commit", "-qam", "second")
    for name, depth, remote in (
        ("clone", (), ""),
        ("shallow", ("--depth", "1"), "https://ci:secret@example.org/team/fleet"),
    ):
        git(tmp_path, "clone", "-q", *depth, f"file://{one}", name)
        if remote:
            git(tmp_path / name, "remote", "set-url", "origin", remote)
        refuse_other_specs(bound(one), bound(tmp_path / name))
    assert "secret" not in bound(tmp_path / "shallow").remote
    git(tmp_path / "shallow", "remote", "set-url", "origin", "https://example.org/team/other")
    with pytest.raises(StalePlan, match="in another repository"):
        refuse_other_specs(bound(one), bound(tmp_path / "shallow"))


def test_a_device_or_a_pipe_is_not_replaced_by_a_plan_and_a_link_stays_one(tmp_path: Path) -> None:
    pipe, link, file = tmp_path / "pipe", tmp_path / "link", tmp_path / "p.json"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="could not be written"):
        write_plan(made(), pipe)
    assert pipe.is_fifo()
    link.symlink_to(file)
    write_plan(made(), link)
    assert link.is_symlink() and read_plan(file) == made()
