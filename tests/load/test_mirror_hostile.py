"""What somebody who may push to a repository, or a machine that loses power, does to those who read it. Real: git,
ssh-keygen, gpg and the program."""

import os
import resource
import shutil
import subprocess
import tempfile

import pytest

from reconciler.errors import InputError
from reconciler.load import blobs, load, mirror
from reconciler.load.git import ask
from reconciler.load.mirror import Wanted, taken, tip
from tests.load.test_git import git
from tests.load.test_mirror import SPEC, Origin, hand_made

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
HAS_KEYGEN = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")


@pytest.fixture
def origin(tmp_path):
    return Origin(tmp_path)


def publish(origin, *names):
    git(origin.work, "push", "-q", "--force", "--all")
    git(origin.work, "push", "-q", "--force", "--tags")


def refused(origin, code, *arguments, **more):
    with pytest.raises(InputError) as error:
        origin.read(*arguments, **more)
    assert error.value.code == code, str(error.value)
    return error.value


# --- whatever a spec names is there ---


def with_env(origin, name, text="COLOR=blue\n"):
    """A workload with an environment file."""
    file = origin.work / "specs" / name
    if text is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    named = f'image: "localhost/app:1", envFiles: ["{name}"]'
    (origin.work / "specs" / "env.yaml").write_text(
        SPEC[SPEC.index("apiVersion", 20) :].replace("NAME", "shop").replace('image: "localhost/app:1"', named)
    )


def environment(origin, path="specs"):
    with taken(Wanted(str(origin.bare), "", path), origin.home) as found:
        return dict(load([found.path]).workloads["shop"].spec.container.env)


@pytest.mark.parametrize("name", ["web.env", ".env", "../conf/web", "../conf/a b.conf", "deep/er/x.env"])
def test_environment_files_are_read_whatever_they_are_called(origin, name):
    with_env(origin, name)
    origin.commit("web")
    local = load([origin.work / "specs"]).workloads["shop"].spec.container.env
    assert environment(origin) == dict(local) == {"COLOR": "blue"}


def test_environment_files_behind_links_are_read(origin):
    with_env(origin, "../conf/real", "COLOR=red\n")
    (origin.work / "more").symlink_to("conf")
    with_env(origin, "link.env", None)
    (origin.work / "specs" / "link.env").symlink_to("../more/real")
    origin.commit("web")
    assert environment(origin) == {"COLOR": "red"}


def test_a_folder_without_specs_can_be_included_as_in_a_folder(origin):
    (origin.work / "empty").mkdir()
    (origin.work / "empty" / "README").write_text("nothing yet\n")
    (origin.work / "specs" / "all.yaml").write_text("include: [../empty]\n")
    origin.commit("web")
    assert origin.read()[1] == ["web"]


def test_environment_files_that_are_not_there_lead_out_or_are_too_large_are_refused(origin, monkeypatch):
    for name, code in (("none.env", "E158"), ("link.env", "E121"), ("../../x.env", "E121"), ("big.env", "E158")):
        with_env(origin, name, None)
        for link in ("link.env", "big.env"):
            (origin.work / "specs" / link).unlink(missing_ok=True)
        (origin.work / "specs" / "link.env").symlink_to("/etc/hostname")
        (origin.work / "specs" / "big.env").write_bytes(b"#" * 5000)
        origin.commit("web")
        monkeypatch.setattr("reconciler.load.files.MAX_FILE_BYTES", 4000)
        monkeypatch.setattr(blobs, "MAX_FILE_BYTES", 4000)
        with pytest.raises(InputError) as error:
            origin.read()
        assert [found.code for found in error.value.diagnostics] == [code]


def test_what_no_spec_names_is_not_written(origin):
    with_env(origin, "web.env")
    (origin.work / "large").write_bytes(os.urandom(300_000))
    origin.commit("web")
    with taken(Wanted(str(origin.bare), "", "specs"), origin.home) as found:
        load([found.path])
        there = sorted(p.name for p in found.root.rglob("*") if p.is_file())
    assert there == [".git", "env.yaml", "web.env", "web.yaml"]


# --- signatures ---


@pytest.fixture
def keys(tmp_path):
    for name in ("anna", "eve"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    signers = tmp_path / "signers"
    signers.write_text(f"test@example.org {(tmp_path / 'anna.pub').read_text()}")
    return signers


def signs(origin, key):
    git(origin.work, "config", "gpg.format", "ssh")
    git(origin.work, "config", "user.signingKey", str(key))


@HAS_KEYGEN
@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")
@pytest.mark.parametrize("kind", ["commit", "tag"])
def test_a_key_of_the_controllers_keyring_is_no_allowed_signer(origin, keys, monkeypatch, kind):
    with tempfile.TemporaryDirectory(prefix="gpg", dir="/tmp") as home:  # short: an agent's socket is there
        monkeypatch.setenv("GNUPGHOME", home)
        quick = [
            "gpg",
            "-q",
            "--batch",
            "--passphrase",
            "",
            "--quick-gen-key",
            "eve@example.org",
            "ed25519",
            "sign",
        ]
        try:
            subprocess.run(quick, check=True, capture_output=True)
            git(origin.work, "config", "gpg.format", "openpgp")
            git(origin.work, "config", "user.signingKey", "eve@example.org")
            if kind == "commit":
                commit = origin.commit("evil", "-S")
            else:
                commit = origin.commit("evil")
                git(origin.work, "tag", "-s", "-m", "v1", "v1")
            publish(origin)
            git(origin.work, f"verify-{kind}", commit if kind == "commit" else "v1")  # git itself is content
            told = refused(origin, "E173", "main" if kind == "commit" else "v1", signers=keys)
            assert "SSH" in told.why
        finally:
            subprocess.run(["gpgconf", "--kill", "gpg-agent"], check=False)


@HAS_KEYGEN
def test_a_signed_tag_counts_at_its_own_name_only(origin, keys, tmp_path):
    signs(origin, tmp_path / "anna")
    old = origin.commit("old")
    git(origin.work, "tag", "-s", "-m", "one", "v1")
    origin.commit("new")
    git(origin.work, "tag", "v2", git(origin.work, "rev-parse", "refs/tags/v1"))
    publish(origin)
    assert origin.read("v1", signers=keys) == (old, ["old"])
    assert "v1" in refused(origin, "E173", "v2", signers=keys).why


@HAS_KEYGEN
def test_why_a_commit_is_not_signed_is_told(origin, keys, tmp_path):
    assert refused(origin, "E173", signers=keys).why == "it has no signature"
    signs(origin, tmp_path / "eve")
    origin.commit("evil", "-S")
    assert "status" not in refused(origin, "E173", signers=keys).why


def test_a_branch_cannot_take_the_name_of_a_commit(origin):
    first = git(origin.work, "rev-parse", "HEAD")
    git(origin.work, "checkout", "-q", "-b", "evil")
    origin.commit("evil")
    for name in (first, first[:10]):
        git(origin.work, "push", "-q", "origin", f"HEAD:refs/heads/{name}")
    assert origin.read(first) == (first, ["web"])
    refused(origin, "E171", first[:10])


# --- history ---


def test_no_branch_hides_what_was_read_of_another(origin):
    """`release` and `release/1` cannot both be references, and a branch may be called `head`."""
    git(origin.work, "branch", "release")
    publish(origin)
    origin.read("release")
    git(origin.work, "branch", "-m", "release", "release/1")
    git(origin.work, "push", "-q", "origin", ":release")
    publish(origin)
    origin.read("release/1")
    git(origin.work, "checkout", "-q", "release/1")
    origin.commit("other", "--amend")
    refused(origin, "E172", "release/1")
    git(origin.work, "checkout", "-q", "main")
    git(origin.work, "branch", "head", "main")
    origin.commit("next")
    origin.read()
    assert origin.read("head")[1] == ["web"], "the default branch is further on"


def test_a_commit_that_cannot_be_remembered_is_not_followed_silently(origin):
    origin.read()
    (seen,) = origin.home.glob("*.seen")
    shutil.rmtree(seen)
    seen.write_text("in the way")
    refused(origin, "E170")
    seen.unlink()
    origin.read()
    (note,) = seen.iterdir()
    note.write_text("")
    assert str(note) in refused(origin, "E170").why


# --- a mirror that is damaged, or fills the disk ---


def zeroed(file):
    file.chmod(0o644)
    file.write_bytes(b"\0" * file.stat().st_size)


DAMAGE = {
    "no objects": lambda m: shutil.rmtree(m / "objects"),
    "no packs": lambda m: [file.unlink() for file in (m / "objects/pack").iterdir()],
    "packs of zeros": lambda m: [zeroed(file) for file in m.glob("objects/pack/*.pack")],
    "indexes of zeros": lambda m: [zeroed(file) for file in m.glob("objects/pack/*.idx")],
    "halved packs": lambda m: [
        os.truncate(file, file.stat().st_size // 2) for file in m.glob("objects/pack/*.pack")
    ],
    "branches of zeros": lambda m: [zeroed(file) for file in m.rglob("refs/*/*") if file.is_file()],
    "no references": lambda m: shutil.rmtree(m / "refs"),
    "packed references of zeros": lambda m: (m / "packed-refs").write_bytes(b"\0" * 100),
    "no HEAD": lambda m: (m / "HEAD").unlink(),
    "a HEAD of zeros": lambda m: zeroed(m / "HEAD"),
    "settings of zeros": lambda m: zeroed(m / "config"),
    "locks": lambda m: [
        (m / name).touch() for name in ("refs/heads/main.lock", "packed-refs.lock", "config.lock")
    ],
}


@pytest.mark.parametrize("moved", [False, True], ids=["same commit", "next commit"])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_mirror_that_git_cannot_read_is_fetched_anew_and_history_still_counts(origin, damage, moved):
    origin.commit("two")
    read = origin.read()
    (folder,) = origin.home.glob("*.git")
    damage(folder)
    if moved:
        read = origin.commit("three"), ["three"]
    assert tip(Wanted(str(origin.bare)), origin.home) == read[0]
    assert origin.read() == origin.read() == read
    origin.commit("other", "--amend")
    refused(origin, "E172")


def test_a_blob_that_is_lost_is_told_and_there_the_next_time(origin):
    origin.read()
    with_env(origin, "web.env")
    origin.commit("web2")

    def lose_it():
        with taken(Wanted(str(origin.bare), "", "specs"), origin.home) as found:
            (folder,) = origin.home.glob("*.git")
            for file in folder.glob("objects/pack/*"):
                file.unlink()
            load([found.path])

    with pytest.raises(InputError) as lost:
        lose_it()
    assert lost.value.code == "E170"
    assert environment(origin) == {"COLOR": "blue"}


def test_a_repository_that_cannot_be_reached_costs_no_mirror(origin):
    origin.read()
    (folder,) = origin.home.glob("*.git")
    there = folder.stat().st_ino
    away = origin.bare.rename(origin.bare.with_name("away"))
    origin.bare.mkdir()
    refused(origin, "E170")
    origin.bare.rmdir()
    away.rename(origin.bare)
    origin.read()
    assert folder.stat().st_ino == there and not list(origin.home.glob("*.damaged"))


def test_a_new_mirror_is_told(origin):
    origin.read()
    (folder,) = origin.home.glob("*.git")
    shutil.rmtree(folder / "objects")
    with taken(Wanted(str(origin.bare)), origin.home) as found:
        assert len(found.told) == 1 and "fetched anew" in found.told[0]
    with taken(Wanted(str(origin.bare)), origin.home) as found:
        assert found.told == ()


def test_what_a_fetch_that_was_ended_has_left_does_not_add_up(origin, monkeypatch):
    origin.read()
    (folder,) = origin.home.glob("*.git")
    (origin.work / "blob").write_bytes(os.urandom(300_000))
    origin.commit("large")
    monkeypatch.setattr(mirror, "MOST_BYTES", 100_000)
    for _ in range(3):
        refused(origin, "E170")
        left = [file for file in folder.rglob("tmp_*") if file.is_file()]
        assert sum(file.stat().st_size for file in left) <= 100_000 and len(left) <= 1
    monkeypatch.undo()
    origin.read()
    assert not list(folder.rglob("tmp_*"))


def test_many_small_fetches_do_not_add_up_to_more_than_a_large_one_may_be(origin, monkeypatch):
    monkeypatch.setattr(mirror, "MOST_BYTES", 200_000)
    for number in range(4):
        (origin.work / "blob").write_bytes(os.urandom(60_000))
        origin.commit("web", *(["--amend"] if number else []))
        origin.read(allow_rewritten=True)
        assert sum(file.stat().st_size for file in origin.home.rglob("*.pack")) <= 200_000
    for number in range(4):
        (origin.work / f"blob{number}").write_bytes(os.urandom(60_000))
    origin.commit("web")
    refused(origin, "E170", allow_rewritten=True)
    assert sum(file.stat().st_size for file in origin.home.rglob("*.pack")) <= 200_000


def test_a_few_trees_that_name_each_other_are_not_listed_to_the_end(origin, monkeypatch):
    blob = git(origin.work, "hash-object", "-w", "specs/web.yaml")
    tree = hand_made(origin.work, *(("100644", "blob", blob, f"f{n}.txt") for n in range(10)))
    for _ in range(8):
        tree = hand_made(origin.work, *(("040000", "tree", tree, f"d{n}") for n in range(10)))
    commit = git(origin.work, "commit-tree", "-m", "many", tree)
    git(origin.work, "push", "-q", "origin", f"{commit}:refs/heads/many")
    monkeypatch.setattr(blobs, "MOST_LISTED", 2**20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "more than 1 MiB" in refused(origin, "E170", "many", path="").why
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "KiB"


def test_a_commit_that_needs_much_memory_is_refused(origin, monkeypatch):
    (origin.work / "said").write_bytes(b"large " * 20_000_000)
    commit = git(origin.work, "commit-tree", "-F", "said", "HEAD^{tree}")
    git(origin.work, "push", "-q", "origin", f"{commit}:refs/heads/large")
    monkeypatch.setattr(mirror, "MOST_MEMORY", 100 * 2**20)
    assert "memory" in refused(origin, "E170").why.lower()


def test_a_server_may_say_as_much_as_it_likes(tmp_path, monkeypatch):
    fake = tmp_path / "git"
    fake.write_text("#!/bin/sh\nyes loud | head -c 30000000 >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    answer = ask(tmp_path, ["fetch"])
    assert (answer.why, answer.status) == ("loud; loud; loud", 1)


# --- what is shown ---


@pytest.mark.parametrize(
    ("repo", "command"),
    [
        ("https://127.0.0.1:1/x.git", "git ls-remote https://127.0.0.1:1/x.git"),
        ("https://me:hunter2@127.0.0.1:1/x.git", "git ls-remote https://127.0.0.1:1/x.git"),
        ("https://hunter2@127.0.0.1:1/x.git", "git ls-remote https://127.0.0.1:1/x.git"),
        ("ssh://git:hunter2@127.0.0.1:1/x.git", "git ls-remote ssh://git@127.0.0.1:1/x.git"),
        ("git@127.0.0.1:a/x.git", "git ls-remote git@127.0.0.1:a/x.git"),
        ("https://127.0.0.1:1/x.git?a=b&c", "git ls-remote 'https://127.0.0.1:1/x.git?a=b&c'"),
    ],
)
def test_the_command_that_is_named_can_be_run(origin, monkeypatch, repo, command):
    monkeypatch.setenv("PATH", str(origin.home))  # no git: nobody is asked
    shutil.copytree(origin.bare, origin.home / "x", dirs_exist_ok=True)
    mirrored = mirror._Mirror(Wanted(repo), origin.home)
    assert mirrored._see == command


def test_a_full_disk_is_told(origin, monkeypatch):
    def full(*arguments, **more):
        raise OSError(28, "No space left on device", "/tmp/x")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", full)
    assert "No space left" in refused(origin, "E170").why
