"""Whatever the machine refuses, it is one error with a way out and never a traceback. Real: the program, in a
process of its own where its surroundings matter, folders, disks and limits; made up: a host that never answers."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.cli import main

RECONCILE = Path(sys.executable).with_name("reconcile")
SPECS = """\
apiVersion: reconciler/v1alpha1
kind: Host
metadata: {name: h1}
spec: {address: 127.0.0.1, port: 9, identityFile: /nonexistent}
---
apiVersion: reconciler/v1alpha1
kind: Workload
metadata: {name: web}
spec: {container: {image: "localhost/app:1"}, placement: {host: h1}}
"""
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="mounts and other users need root")
OTHERS = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", "")


@pytest.fixture
def others() -> None:
    """Some Pythons lie where nobody but root may read them."""
    if subprocess.run(OTHERS, check=False, capture_output=True).returncode != 0:
        pytest.skip(f"other users cannot start {sys.executable}")


DECIDE = ("--evidence", "seen")


@pytest.fixture
def specs(tmp_path):
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "web.yaml").write_text(SPECS)
    return tmp_path


def run(folder, *arguments, shell='exec "$@"', **more):
    """The program under a shell that first does something to its surroundings."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "RECONCILE_"))}
    environment |= {"NO_COLOR": "1", "XDG_STATE_HOME": str(folder / "state")} | more
    return subprocess.run(
        ["bash", "-c", shell, "bash", RECONCILE, *arguments],
        cwd=folder,
        env={name: value for name, value in environment.items() if value is not None},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
    )


@pytest.fixture
def here(specs, monkeypatch, capsys):
    """The program in this process: it takes a tenth of the time."""
    closed_terminal = signal.getsignal(signal.SIGHUP)
    monkeypatch.chdir(specs)
    monkeypatch.setenv("XDG_STATE_HOME", str(specs / "state"))
    monkeypatch.delenv("RECONCILE_JOURNAL", raising=False)
    monkeypatch.delenv("RECONCILE_TRACE", raising=False)

    def invoke(*arguments):
        code = main.run(list(arguments))
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, said.out, said.err)

    yield invoke
    signal.signal(signal.SIGHUP, closed_terminal)  # some commands ignore it from then on


@pytest.fixture
def gone(specs, here):
    """A current folder that somebody has removed."""
    (specs / "gone").mkdir()
    os.chdir(specs / "gone")
    (specs / "gone").rmdir()
    return here


def refused(done, *says, code=1):
    text = done.stdout + done.stderr
    assert done.returncode == code, text
    assert (
        "error[" in text and "Traceback" not in text and "R001" not in text and "mistake in reconcile" not in text
    )
    assert all(word in text for word in says), text


LEADING_OUT = [
    ("plan",),
    ("status",),
    ("validate",),
    ("init",),
    ("apply", "--yes"),
    ("hosts", "add", "h9", "192.0.2.1"),
    ("resolve", "web", "--lost", *DECIDE),
]


@pytest.mark.parametrize("arguments", LEADING_OUT, ids=lambda a: a[0])
def test_a_folder_that_was_deleted_under_us(gone, arguments):
    refused(gone(*arguments), "R002", "the current folder is gone", "fix")


def test_a_deleted_folder_does_not_matter_where_none_is_needed(specs, gone):
    assert gone("explain", "R002").returncode == 0
    assert gone("plan", str(specs / "specs")).returncode == 7
    refused(gone("plan", str(specs / "specs"), "--out", "p"), "R002")


def test_a_program_that_starts_in_a_deleted_folder(specs):
    shell = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    refused(run(specs, "plan", shell=shell), "R002", "the current folder is gone", "fix")


@NEEDS_ROOT
def test_a_folder_that_may_not_be_read(specs, others):
    (specs / "closed").mkdir(mode=0o700)
    shell = 'cd closed && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"'
    done = run(specs, "validate", shell=shell)
    assert done.returncode in (1, 4) and "error[" in done.stderr and "R001" not in done.stderr, done.stderr
    assert "ermission denied" in done.stderr


MOUNT = """exec unshare --mount sh -c '
    mkdir -p "$XDG_STATE_HOME" && mount -t tmpfs {} none "$XDG_STATE_HOME" && {} exec "$@"' sh "$@" """
FILL = 'head -c 65000 /dev/zero > "$XDG_STATE_HOME/fill" 2>/dev/null;'
STATES = {
    "read-only": (MOUNT.format("-o ro", ""), "Read-only"),
    "full": (MOUNT.format("-o size=64k", FILL), "full"),
    "a file": ('echo > "$XDG_STATE_HOME"; exec "$@"', "Not a directory"),
}
WRITING = [("apply", "--yes"), ("resume",), ("resolve", "web", "--lost", *DECIDE), ("forget", "h1", *DECIDE)]


@NEEDS_ROOT
@pytest.mark.parametrize("shell", STATES.values(), ids=STATES)
@pytest.mark.parametrize("arguments", WRITING[:2], ids=lambda a: a[0])
def test_a_journal_that_cannot_be_kept(specs, arguments, shell):
    refused(run(specs, *arguments, shell=shell[0]), "S601", shell[1], "--journal")


@NEEDS_ROOT
@pytest.mark.parametrize("shell", [STATES["read-only"], STATES["a file"]], ids=["read-only", "a file"])
def test_a_state_folder_for_no_lab(specs, shell):
    refused(run(specs, "lab", "up", "--name", "never", shell=shell[0]), "R002", "state")


@NEEDS_ROOT
def test_what_only_reads_needs_no_state_folder(specs):
    for words in (("plan",), ("get",)):
        assert run(specs, *words, shell=STATES["read-only"][0]).returncode == 7
    assert run(specs, "history", shell=STATES["a file"][0]).returncode == 0


@NEEDS_ROOT
def test_a_user_without_a_home(specs, others):
    shell = 'exec setpriv --reuid=12345 --regid=12345 --clear-groups "$@"'
    done = run(specs, "history", shell=shell, HOME=None, XDG_STATE_HOME=None)
    refused(done, "R002", "no home folder", "XDG_STATE_HOME")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_descriptors(specs, closed):
    done = run(specs, "validate", shell=f'exec "$@" {closed}')
    assert done.returncode == 0 and "Traceback" not in done.stderr


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_{name}, ({value}, {value}))
sys.argv[1:] = ["plan", "--json"]
from reconciler.cli.entry import main
main()
"""


@pytest.mark.parametrize(("name", "value"), [("NOFILE", 8), ("AS", 90 * 2**20), ("FSIZE", 0)])
def test_limits_of_the_machine(specs, name, value):
    argv = [sys.executable, "-c", LIMITED.format(name=name, value=value)]
    done = subprocess.run(argv, cwd=specs, capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    assert done.returncode in (1, 7) and "Traceback" not in text and "R001" not in text, text


INTERRUPTED = """
import sys
class Blow:
    def find_spec(self, name, path, target=None):
        if name == "{at}":
            raise {error}
sys.meta_path.insert(0, Blow())
sys.argv[1:] = ["plan"]
from reconciler.cli.entry import main
main()
"""


@pytest.mark.parametrize(
    ("at", "error", "code", "says"),
    [
        ("typer", "KeyboardInterrupt", 130, "interrupted"),
        ("reconciler.cli.output", "KeyboardInterrupt", 130, "interrupted"),
        ("typer", 'ImportError("no typer")', 1, "R003"),
        ("reconciler.cli.output", 'SyntaxError("torn")', 1, "R003"),
        ("reconciler.load", "KeyboardInterrupt", 130, "interrupted"),
        ("reconciler.load", 'ImportError("cannot map")', 1, "R003"),
    ],
)
def test_a_start_that_fails(specs, at, error, code, says):
    program = INTERRUPTED.format(at=at, error=error)
    done = subprocess.run([sys.executable, "-c", program], cwd=specs, capture_output=True, text=True, check=False)
    assert done.returncode == code and says in done.stderr and "Traceback" not in done.stderr, done.stderr


NO_FILE = {
    "trace to a pipe": (("--trace", "pipe", "plan"), 4, "the trace cannot be written"),
    "trace to a folder": (("--trace", "specs", "plan"), 4, "Is a directory"),
    "journal in a pipe": (("plan", "--journal", "pipe"), 1, "not a file"),
    "history in a pipe": (("history", "--journal", "pipe"), 1, "not a file"),
    "apply with a pipe": (("apply", "--yes", "--journal", "pipe"), 1, "not a file"),
    "plan into a pipe": (("plan", "--out", "pipe"), 4, "no file"),
    "plan into a folder": (("plan", "--out", "specs"), 4, "no file"),
    "plan into a device": (("plan", "--out", "/dev/null"), 4, "no file"),
    "specs in a pipe": (("validate", "pipe"), 4, "not a regular file"),
    "values in a pipe": (("plan", "--values", "pipe"), 4, "not a regular file"),
}


@pytest.mark.parametrize(("arguments", "code", "says"), NO_FILE.values(), ids=NO_FILE)
def test_what_is_no_file_is_neither_waited_for_nor_replaced(specs, here, arguments, code, says):
    os.mkfifo("pipe")
    refused(here(*arguments), says, code=code)
    assert Path("/dev/null").is_char_device() and (specs / "pipe").is_fifo() and (specs / "specs").is_dir()


NOBODY_KNOWS = {
    "get": (("get", "nope"), "E101"),
    "status": (("status", "nope"), "E101"),
    "forget": (("forget", "nope", *DECIDE), "E199"),
    "resolve": (("resolve", "wep", "--lost", *DECIDE), "did you mean web?"),
    "owner": (("resolve", "web", "--owner", "nope", *DECIDE), "E146"),
    "history": (("history", "nope"), "E197"),
    "rehearse": (("plan", "--rehearse", "nope"), "E101"),
    "runtimes": (("runtimes", "nope"), "E146"),
    "limit": (("history", "--limit", "9" * 30), "E190"),
}


@pytest.mark.parametrize(("arguments", "says"), NOBODY_KNOWS.values(), ids=NOBODY_KNOWS)
def test_a_name_that_nobody_knows(here, arguments, says):
    refused(here(*arguments), says, code=4)


def test_to_have_asked_nobody_is_not_to_have_found_nothing(here):
    for command in ("status", "resume"):
        done = here(command)
        assert done.returncode == 7 and "No host could be seen" in done.stdout and "h1" in done.stdout


@pytest.mark.parametrize("wanted", ["a workload", "hosts only"])
def test_where_no_host_is_seen_all_commands_end_alike(here, specs, wanted):
    if wanted == "hosts only":
        (specs / "specs/web.yaml").write_text(SPECS.partition("---")[0])
    changing = [
        ("plan", "--allow-empty"),
        ("plan", "--detailed-exitcode", "--allow-empty"),
        ("apply", "--yes", "--allow-empty"),
    ]
    for command in (*changing, ("get",), ("status",), ("resume",), ("doctor",)):
        done = here(*command)
        assert done.returncode == 7, (command, done)
        assert "h1" in done.stdout and "Nothing to do" not in done.stdout and "as specified" not in done.stdout


ENCODINGS = {
    "utf-16": SPECS.encode("utf-16"),
    "utf-32": SPECS.encode("utf-32"),
    "latin-1": SPECS.replace("web", "wéb").encode("latin-1"),
    "ebcdic": SPECS.encode("cp500"),
    "shift-jis": SPECS.replace("web", "日本").encode("shift-jis"),
    "surrogates": SPECS.replace("web", "\ud800").encode("utf-8", "surrogatepass"),
}


@pytest.mark.parametrize("data", ENCODINGS.values(), ids=ENCODINGS)
def test_specs_in_another_encoding(specs, here, data):
    (specs / "specs" / "web.yaml").write_bytes(data)
    refused(here("validate"), "E110", "save the file as UTF-8", code=4)


def test_names_and_terminals_that_are_not_utf_8(specs):
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    shell = '"$@" "$(printf \'\\xff\\xfe\')"'
    refused(run(specs, "validate", shell=shell, **plain), "no such file", code=4)
    told = run(specs, "validate", "--json", shell=shell, **plain).stdout
    assert "E101" in told and json.loads(told)
    (specs / "specs" / "日本.yaml").write_text("a: b\n")
    refused(run(specs, "validate", **plain), "specs/", code=4)
