"""The lock fits pyproject, pins by hash alone, and says nothing of the machine or the index it was made with."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PIN = re.compile(r"([a-z0-9-]+)==([^ ;]+)(?: ; [^\\]+)?((?: \\\n +--hash=sha256:[0-9a-f]{64})+)\n")


def pins(lock: str) -> dict[str, tuple[str, str]]:
    """Version and hashes by package."""
    return {
        name: (version, hashes)
        for name, version, hashes in PIN.findall((ROOT / "requirements" / lock).read_text())
    }


def unmet(wanted: list[str], lock: str) -> list[str]:
    """Requirements that a lock does not meet."""
    versions = {name: version for name, (version, _) in pins(lock).items()}
    asked = [Requirement(text) for text in wanted]
    return [str(r) for r in asked if not r.specifier.contains(versions.get(canonicalize_name(r.name), "0"))]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_a_lock_is_pins_and_hashes_and_nothing_else(path: Path) -> None:
    text = path.read_text()
    assert "/" not in text
    assert PIN.sub("", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).strip() == ""


def test_runtime_lock_fits() -> None:
    assert unmet(PROJECT["dependencies"], "runtime.txt") == [], "run: make lock"


def test_dev_lock_fits_with_the_build_backend() -> None:
    extras = [text for texts in PROJECT["optional-dependencies"].values() for text in texts]
    backend = PYPROJECT["build-system"]["requires"]
    assert unmet([*PROJECT["dependencies"], *extras, *backend], "dev.txt") == [], "run: make lock"


def test_tests_run_what_users_get() -> None:
    assert pins("runtime.txt").items() <= pins("dev.txt").items()


def test_make_installs_nothing_that_is_not_locked() -> None:
    lines = (ROOT / "Makefile").read_text().splitlines()
    installs = [line for line in lines if "(PIP) install" in line or "pip install" in line]
    assert installs
    for line in installs:
        assert "--require-hashes" in line or "--no-deps --no-build-isolation" in line, line
