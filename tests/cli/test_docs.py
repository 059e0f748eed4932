"""What documents promise: links that lead somewhere, and commands with options that the program has."""

import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer.main

from reconciler.cli.main import app
from tests.cli import man_page

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("specs/**/*.md")])
SOURCES = sorted([*(ROOT / "templates").rglob("*"), *(ROOT / "reconciler").rglob("*.py")])
TOLD = [*PAGES, *(path for path in SOURCES if path.is_file() and path.suffix != ".pyc")]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(
    r"""[`"](reconcile [^`"\n]+)[`"]|^\s*(?:\$ |- |run: |ExecStart=\S*/)?(reconcile [a-z-].*)$""", re.MULTILINE
)
PROGRAM: Any = typer.main.get_command(app)


def anchors(page: Path) -> set[str]:
    """As forges make them of headings."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def dead_links(page: Path) -> list[str]:
    dead = []
    for link in LINK.findall(page.read_text()):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if "://" in link or link.startswith("mailto:"):
            continue
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            dead.append(link)
    return dead


def unknown_words(line: str) -> list[str]:
    """Commands and options of a line that the program does not have."""
    try:
        words = shlex.split(line, comments=True)[1:]
    except ValueError:
        words = line.split()[1:]
    command, options = PROGRAM, {"--help", "-h"}
    options |= {name for option in PROGRAM.params for name in option.opts}
    valued = {name for option in PROGRAM.params if not option.is_flag for name in option.opts}
    unknown = []
    for before, word in zip(["", *words], words, strict=False):
        word = word.strip("[]().,:;…")
        if (
            word[:1] in "{"
            or word in ("|", "||", "&&", ">", ">>", "<", "\\", "#", "--", "cannot")
            or word.startswith("2>")
        ):
            break
        if before in valued:
            continue
        if word.startswith("--"):
            if word.partition("=")[0] not in options:
                unknown.append(word)
        elif hasattr(command, "commands") and re.fullmatch(r"[a-z][a-z-]+", word):
            if word not in command.commands:
                return [*unknown, word]
            command = command.commands[word]
            options |= {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    return unknown


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("reconcile plan specs/ --out FILE  # a comment --not", []),
        ("reconcile checkpoints list --json | jq --raw-output .", []),
        ("reconcile plan --nonsense", ["--nonsense"]),
        ("reconcile nonsense --all", ["nonsense"]),
        ("reconcile checkpoints nonsense", ["nonsense"]),
    ],
)
def test_unknown_words_are_found(line: str, found: list[str]) -> None:
    assert unknown_words(line) == found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert dead_links(page) == []


def test_what_is_read_from_the_environment_is_told() -> None:
    read = {
        name
        for file in (*ROOT.glob("reconciler/**/*.py"), *ROOT.glob("templates/**/*.j2"))
        for name in re.findall(r"RECONCILE_[A-Z_]+", file.read_text())
    }
    told = (ROOT / "docs" / "production.md").read_text()
    assert len(read) >= 8 and [name for name in sorted(read) if f"`{name}`" not in told] == []


def test_commands_that_are_told_are_there() -> None:
    found = {}
    for page in TOLD:
        for inline, line in CODE.findall(page.read_text(errors="replace")):
            if words := unknown_words(inline or line):
                found[f"{page.relative_to(ROOT)}: {inline or line}"] = words
    assert found == {}


def locked(package: str) -> str:
    found = re.search(rf"^{package}==(\S+)", (ROOT / "requirements/dev.txt").read_text(), re.MULTILINE)
    assert found, package
    return found[1]


@pytest.mark.skipif(version("typer") != locked("typer"), reason="another typer writes the page in other words")
def test_the_page_of_commands_is_as_the_program_is(tmp_path: Path) -> None:
    made = tmp_path / "commands.md"
    typer_program = Path(sys.executable).parent / "typer"
    words = [typer_program, "reconciler.cli.main", "utils", "docs", "--name", "reconcile", "--output", made]
    subprocess.run(words, check=True, capture_output=True, timeout=120, cwd=ROOT)
    assert made.read_text() == (ROOT / "docs/commands.md").read_text(), "run `make docs`"


@pytest.mark.skipif(not shutil.which("go-md2man"), reason="go-md2man is not there; make docs installs it")
def test_the_man_page_is_as_the_page_of_commands_is() -> None:
    commands = (ROOT / "docs/commands.md").read_text()
    assert (ROOT / "docs/reconcile.1").read_text() == man_page.page(commands), "run `make docs`"
