"""Specs out of repositories on disk, good and bad. Real: git and the program; nothing is faked."""

import inspect
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from reconciler.cli import main
from reconciler.commands.binding import bind, refuse_other_specs
from reconciler.errors import InputError, StalePlan
from reconciler.load import blobs, load, mirror
from reconciler.load.git import ask
from reconciler.load.mirror import Wanted, mirrored, taken
from reconciler.model.world import World
from tests.load.test_git import git

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
SPEC = """\
apiVersion: reconciler/v1alpha1
kind: Host
metadata: {name: h1}
spec: {address: 127.0.0.1, port: 9, identityFile: /nonexistent}
---
apiVersion: reconciler/v1alpha1
kind: Workload
metadata: {name: NAME}
spec: {container: {image: "localhost/app:1"}, placement: {host: h1}}
"""


class Origin:
    """A bare repository, and a clone that somebody works in."""

    def __init__(self, folder):
        self.bare, self.work, self.home = folder / "origin.git", folder / "work", folder / "home"
        git(folder, "init", "-q", "--bare", "-b", "main", str(self.bare))
        git(folder, "clone", "-q", str(self.bare), str(self.work))
        git(self.work, "checkout", "-q", "-b", "main")
        self.commit("web")

    def commit(self, name, *arguments):
        (self.work / "specs").mkdir(exist_ok=True)
        (self.work / "specs" / "web.yaml").write_text(SPEC.replace("NAME", name))
        git(self.work, "add", "-A")
        git(self.work, "commit", "-q", "-m", name, *arguments)
        git(self.work, "push", "-q", "--force", "--all")
        return git(self.work, "rev-parse", "HEAD")

    def read(self, ref="", path="specs", repo=None, **more):
        """Commit and workloads."""
        with taken(Wanted(str(repo or self.bare), ref, path, **more), self.home) as found:
            return found.commit, sorted(load([found.path], allow_empty=True).workloads)


@pytest.fixture
def origin(tmp_path):
    return Origin(tmp_path)


def test_branch_tag_commit_and_what_is_new(origin):
    first = git(origin.work, "rev-parse", "HEAD")
    git(origin.work, "tag", "v1")
    git(origin.work, "push", "-q", "--tags")
    assert origin.read() == origin.read("main") == origin.read("v1") == origin.read(first) == (first, ["web"])
    second = origin.commit("shop")
    assert origin.read() == (second, ["shop"]) and origin.read("main")[0] == second
    assert origin.read("v1") == origin.read(first[:12]) == (first, ["web"])
    assert origin.read(path="")[1] == ["shop"] and origin.read(path="specs/web.yaml")[1] == ["shop"]
    assert mirrored(Wanted(str(origin.bare)), second, origin.home).roots == (first,)


BAD = {
    "gone": ({"repo": "/nonexistent"}, "E170"),
    "not git": ({"repo": "/usr"}, "E170"),
    "ext": ({"repo": "ext::sh -c 'touch ran'"}, "E170"),
    "git": ({"repo": "git://127.0.0.1/x"}, "E170"),
    "http": ({"repo": "http://127.0.0.1/x"}, "E170"),
    "file": ({"repo": "file:///etc"}, "E170"),
    "option": ({"repo": "--upload-pack=touch ran"}, "E170"),
    "refused": ({"repo": "https://user:hunter2@127.0.0.1:9/x"}, "E170"),
    "no branch": ({"ref": "nope"}, "E171"),
    "no commit": ({"ref": "0" * 40}, "E171"),
    "odd name": ({"ref": "--all"}, "E171"),
    "expression": ({"ref": "main^{tree}"}, "E171"),
    "range": ({"ref": "a..b"}, "E171"),
    "no path": ({"path": "nope"}, "E171"),
    "path above": ({"path": "../../etc"}, "E171"),
}


@pytest.mark.parametrize(("asked", "code"), BAD.values(), ids=BAD)
def test_what_cannot_be_read(origin, monkeypatch, asked, code):
    monkeypatch.chdir(origin.work)
    with pytest.raises(InputError) as refused:
        origin.read(**asked)
    error = refused.value
    assert error.code == code and not Path("ran").exists()
    assert "hunter2" not in f"{error.what} {error.where} {error.why} {error.fix}"


def test_rewritten_history_is_told_and_followed_only_when_allowed(origin):
    for ref in ("", "main"):
        origin.read(ref)
    new = origin.commit("other", "--amend")
    for ref in ("", "main"):
        for _ in range(2):
            with pytest.raises(InputError, match="rewritten") as refused:
                origin.read(ref)
            assert refused.value.code == "E172" and "--allow-rewritten" in refused.value.fix
        assert origin.read(ref, allow_rewritten=True) == origin.read(ref) == (new, ["other"])


def test_specs_that_were_refused_are_not_remembered(origin):
    origin.read()
    first = git(origin.work, "rev-parse", "HEAD")
    origin.commit("Not A Name")
    with pytest.raises(InputError):
        origin.read()
    git(origin.work, "reset", "-q", "--hard", first)
    origin.commit("shop")
    assert origin.read()[1] == ["shop"], "what came after the last good one may be mended by force"


def test_a_branch_that_is_gone(origin):
    git(origin.work, "branch", "side")
    git(origin.work, "push", "-q", "--all")
    origin.read("side")
    git(origin.work, "push", "-q", "origin", ":side")
    with pytest.raises(InputError, match="no branch"):
        origin.read("side")


def test_a_branch_and_a_tag_of_one_name_are_not_guessed(origin):
    git(origin.work, "tag", "both")
    git(origin.work, "push", "-q", "--tags")
    git(origin.work, "checkout", "-q", "-b", "both")
    origin.commit("shop")
    with pytest.raises(InputError, match="a branch, a tag and a commit"):
        origin.read("both")


def test_an_empty_repository(tmp_path):
    git(tmp_path, "init", "-q", "--bare", "empty.git")
    for ref in ("", "main"):
        with pytest.raises(InputError), taken(Wanted(str(tmp_path / "empty.git"), ref), tmp_path / "home"):
            pass


def test_hooks_and_attributes_of_the_repository_have_no_say(origin, tmp_path):
    (origin.work / ".gitattributes").write_text("*.yaml filter=evil export-subst export-ignore\n")
    for place in (origin.bare, origin.work / ".git"):
        hook = place / "hooks" / "post-checkout"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        hook.chmod(0o755)
    origin.commit("web2")
    assert origin.read()[1] == ["web2"] and not (tmp_path / "ran").exists()


def test_links_inside_are_followed_as_in_a_folder(origin):
    (origin.work / "shared").mkdir()
    shared = SPEC[SPEC.index("apiVersion", 20) :].replace("NAME", "shop")
    (origin.work / "shared" / "shop.yaml").write_text(shared)
    (origin.work / "specs" / "shop.yaml").symlink_to("../shared/shop.yaml")
    (origin.work / "README").symlink_to("nowhere")
    origin.commit("web")
    assert origin.read()[1] == sorted(load([origin.work / "specs"]).workloads) == ["shop", "web"]


@pytest.mark.parametrize("target", ["/etc/hostname", "/etc", "../../../../etc"])
def test_links_out_of_the_repository_are_refused_not_left_out(origin, target):
    """Left out, what they lead to would be missing, as if somebody had removed it."""
    (origin.work / "specs" / "link.yaml").symlink_to(target)
    origin.commit("web2")
    with pytest.raises(InputError) as refused:
        origin.read()
    assert [found.code for found in refused.value.diagnostics] == ["E121"]
    with pytest.raises(InputError):
        origin.read(path="specs/link.yaml")


@pytest.mark.parametrize("target", ["/etc", "../../../../etc"])
def test_the_folder_that_is_read_unless_another_is_named_is_no_link_out_either(origin, target):
    git(origin.work, "mv", "specs", "others")
    (origin.work / "specs").symlink_to(target)
    git(origin.work, "add", "-A")
    git(origin.work, "commit", "-q", "-m", "link")
    git(origin.work, "push", "-q", "origin", "main")
    with pytest.raises(InputError) as refused, taken(Wanted(str(origin.bare)), origin.home):
        pass
    assert refused.value.code == "E171"


def hand_made(folder, *entries):
    """A tree that git itself would not make; its hash."""
    lines = "".join(f"{mode} {kind} {name}\t{path}\n" for mode, kind, name, path in entries)
    words = ["git", "-C", str(folder), "mktree", "--missing"]
    return subprocess.run(words, input=lines, text=True, check=True, capture_output=True).stdout.strip()


def test_nothing_is_written_through_a_link(origin, tmp_path):
    """A tree with a link and a folder of the same name."""
    outside = tmp_path / "outside"
    outside.mkdir()
    for name, text in (("link", str(outside)), ("spec", SPEC.replace("NAME", "evil"))):
        (origin.work / name).write_text(text)
    blobs = {name: git(origin.work, "hash-object", "-w", name) for name in ("link", "spec")}
    folder = hand_made(origin.work, ("100644", "blob", blobs["spec"], "evil.yaml"))
    both = hand_made(origin.work, ("120000", "blob", blobs["link"], "a"), ("040000", "tree", folder, "a"))
    commit = git(origin.work, "commit-tree", "-m", "evil", both)
    git(origin.work, "push", "-q", "--force", "origin", f"{commit}:refs/heads/evil")
    with pytest.raises(InputError) as refused:
        origin.read("evil", path="")
    assert refused.value.code == "E170" and not list(outside.iterdir())


def test_a_repository_that_is_too_large(origin, monkeypatch):
    (origin.work / "blob").write_bytes(os.urandom(300_000))
    origin.commit("large")
    monkeypatch.setattr(mirror, "MOST_BYTES", 100_000)
    with pytest.raises(InputError) as refused:
        origin.read()
    assert refused.value.code == "E170"
    monkeypatch.undo()
    assert origin.read()[1] == ["large"]
    monkeypatch.setattr(blobs, "MOST_TEXT", 10)
    with pytest.raises(InputError, match="larger than"):
        origin.read()


def test_years_of_commits_stay_one_pack(origin, monkeypatch):
    monkeypatch.setattr(mirror, "MOST_PACKS", 3)
    most = 0
    for number in range(9):
        origin.commit(f"w{number}")
        commit, _ = origin.read()
        (home,) = origin.home.glob("*.git")
        most = max(most, len(list(home.glob("objects/pack/*.pack"))))
    assert 1 < most <= 4, most
    assert commit == git(origin.work, "rev-parse", "HEAD"), "what was fetched is there after it"


def test_git_that_does_not_answer_is_ended(origin, tmp_path, monkeypatch):
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    assert ask(tmp_path, ["fetch"], timeout=0.2).why == "no answer within 0 s"
    slow.unlink()
    monkeypatch.setenv("PATH", str(slow.parent))
    assert "No such file" in ask(tmp_path, ["fetch"]).why


def test_nobody_waits_for_ever_for_a_mirror(origin, monkeypatch):
    with taken(Wanted(str(origin.bare)), origin.home):
        monkeypatch.setattr(mirror, "FETCH_TIMEOUT_S", 0.1)
        with pytest.raises(InputError, match="another process"):
            origin.read()


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_only_what_an_allowed_signer_has_signed(origin, tmp_path):
    for name in ("anna", "eve"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    signers = tmp_path / "signers"
    signers.write_text(f"test@example.org {(tmp_path / 'anna.pub').read_text()}")
    with pytest.raises(InputError, match="not signed"):
        origin.read(signers=signers)
    git(origin.work, "config", "gpg.format", "ssh")
    for name, good in (("eve", False), ("anna", True)):
        git(origin.work, "config", "user.signingKey", str(tmp_path / name))
        origin.commit(name, "-S")
        if good:
            assert origin.read(signers=signers)[1] == ["anna"]
        else:
            with pytest.raises(InputError) as refused:
                origin.read(signers=signers)
            assert refused.value.code == "E173"
    with pytest.raises(InputError, match="cannot be read"):
        origin.read(signers=tmp_path / "nope")
    commit = origin.commit("plain")
    for tag, key in (("by-anna", "anna"), ("by-eve", "eve")):
        git(origin.work, "config", "user.signingKey", str(tmp_path / key))
        git(origin.work, "tag", "-s", "-m", tag, tag)
    git(origin.work, "tag", "light")
    git(origin.work, "push", "-q", "--tags")
    assert origin.read("by-anna", signers=signers) == (commit, ["plain"]), "the tag vouches for its commit"
    for ref in ("main", commit, "by-eve", "light"):
        with pytest.raises(InputError, match="not signed"):
            origin.read(ref, signers=signers)


def test_a_plan_is_bound_to_the_repository_wherever_it_is_read_from(origin):
    with taken(Wanted(str(origin.bare), "main", "specs"), origin.home) as found:
        spec = load([found.path]).model_copy(update={"commit": found.commit})
    bound = bind(spec, World(), mirrored(Wanted(str(origin.bare)), found.commit, origin.home))
    assert bound.commit == found.commit and bound.roots and bound.remote == str(origin.bare)
    origin.commit("shop")
    commit, _ = origin.read()
    later = bind(
        spec.model_copy(update={"commit": commit}),
        World(),
        mirrored(Wanted(str(origin.bare)), commit, origin.home),
    )
    with pytest.raises(StalePlan) as refused:
        refuse_other_specs(bound, later)
    assert found.commit[:7] in refused.value.why


@pytest.fixture
def program(origin, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("RECONCILE_JOURNAL", raising=False)

    def invoke(*arguments):
        code = main.run(list(arguments))
        said = capsys.readouterr()
        return code, said.out + said.err

    return invoke


def test_every_command_that_reads_specs_can_read_a_repository(origin, program):
    commit = git(origin.work, "rev-parse", "HEAD")
    at = ("--repo", str(origin.bare), "--ref", "main")
    code, said = program("plan", *at)
    assert code == 7 and f"specs at {commit[:7]}\n" in said
    for command in (("get",), ("status",), ("resume",), ("doctor",)):
        code, said = program(*command, *at, "--path", "specs")
        assert code == 7 and "h1" in said, said
    assert program("validate", *at)[0] == 0
    code, said = program("forget", "nope", "--evidence", "seen", *at)
    assert code == 4 and "E199" in said


@pytest.mark.parametrize(
    "words", [["--repo", ""], ["--repo", "REPO", "--ref", ""], ["--repo", "REPO", "--path", ""], ["--ref", ""]]
)
def test_what_is_empty_is_nothing_that_was_left_out(origin, program, tmp_path, words):
    """A variable that is not set: it read the specs that lay there, or another branch."""
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "web.yaml").write_text(SPEC.replace("NAME", "local"))
    code, said = program("validate", *(str(origin.bare) if word == "REPO" else word for word in words))
    assert code == 4 and "is empty" in said


def test_no_command_that_takes_specs_is_forgotten():
    """By their parameters; `import` and `hosts add` write specs, into files."""
    every = [(info.name or info.callback.__name__, info) for info in main.app.registered_commands]
    for group in main.app.registered_groups:
        every += [
            (f"{group.name} {i.name or i.callback.__name__}", i) for i in group.typer_instance.registered_commands
        ]
    names = {name: inspect.signature(info.callback).parameters for name, info in every}
    reading = {name for name, parameters in names.items() if parameters.keys() & {"paths", "specs"}}
    assert len(reading) > 25
    assert {name for name in reading if "repo" not in names[name]} == {"import", "hosts add"}


def test_looking_at_a_workload_or_its_checkpoints_by_the_specs_of_a_repository(origin, program):
    at = ("--repo", str(origin.bare), "--ref", "main")
    for command in (("logs", "web"), ("exec", "web", "true"), ("checkpoints", "list"), ("checkpoint", "web")):
        code, said = program(*command, *at)
        assert code in (1, 7) and "h1" in said, said
    code, said = program("checkpoints", "import", str(origin.work), *at)
    assert (code == 4 and "no checkpoint" in said.lower()) or "pstree" in said


def test_findings_name_files_as_the_repository_does(origin, program):
    origin.commit("Not A Name")
    code, said = program("validate", "--repo", str(origin.bare))
    assert code == 4 and "--> specs/web.yaml:8:18" in said and "/tmp" not in said.replace(str(origin.bare), "")


def test_what_is_said_twice_or_for_nothing(origin, program):
    assert program("plan", "specs", "--repo", str(origin.bare))[0] == 4
    code, said = program("plan", "--ref", "main")
    assert code == 4 and "--ref needs --repo" in said
    assert "no such file" in program("plan", "specs")[1], "what was said of another command is forgotten"
