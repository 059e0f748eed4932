"""Nothing we ship or say installs by a name on a public index: those names belong to others, or may tomorrow."""

import itertools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOLD = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "ARCHITECTURE.md", ROOT / "CHANGELOG.md"]
TOLD += [path for folder in ("docs", "templates", "reconciler", ".ci") for path in (ROOT / folder).rglob("*.*")]
INSTALL = re.compile(r"\b(?:pip3?|pipx|uv pip|uv tool|npm) (?:install|run)\b")
WORD = re.compile(r"[-\w./\[\]=<>{}]+")
FILE = ("-r", "-e")


def by_name(text: str) -> list[str]:
    """What installing commands in a text ask an index for, wherever its lines end."""
    found = []
    for command in INSTALL.finditer(text):
        words = WORD.findall(text, command.end(), command.end() + 200)
        options = list(itertools.takewhile(lambda word: word.startswith("-"), words))
        named = words[len(options)] if len(options) < len(words) else ""
        if not (named.startswith(".") or set(options) & set(FILE)):
            found.append(f"{command[0]} {named}")
    return found


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("pip install reconciler==0.1.0", ["pip install reconciler==0.1.0"]),
        ("an extra: `pip install\n'reconciler[inspect]'`.", ["pip install reconciler[inspect]"]),
        ("run pip install -q --upgrade thing", ["pip install thing"]),
        ("pip install --require-hashes -r vendor/requirements.txt", []),
        ("`pip install .`, then", []),
    ],
)
def test_names_are_found(text: str, names: list[str]) -> None:
    assert by_name(text) == names


def test_no_template_document_or_message_installs_by_name() -> None:
    files = [path for path in TOLD if path.is_file() and path.suffix != ".pyc"]
    told = {path: by_name(path.read_text(errors="replace")) for path in files}
    assert {str(path): names for path, names in told.items() if names} == {}
