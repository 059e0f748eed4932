"""systemd's unit files as text: sections, keys, continued lines, and what systemd would fill in. What is in other
sections than [Container] is judged here, too."""

from __future__ import annotations

import re
import shlex

from reconciler.load.foreign.base import Service

Unit = dict[str, dict[str, list[str]]]
TRUE = frozenset({"1", "yes", "y", "true", "t", "on"})
FALSE = frozenset({"0", "no", "n", "false", "f", "off"})
_SPECIFIER = re.compile(r"%(?:%|([AaBbCDdEfGgHhIiJjLlMmNnoPpqSsTtUuVvWwYy]))")
_ALONE = {"Restart"}
_TOLD = {
    "After": "workloads start by themselves, maybe on other hosts: programs have to try again",
    "TimeoutStartSec": "how long a workload has to become well is said by its health check",
}
_TOLD |= dict.fromkeys(("Before", "Wants"), _TOLD["After"])
_TOLD |= dict.fromkeys(
    ("WantedBy", "RequiredBy"),
    "its host starts it at boot where `restart` says so, and plans whenever it is not there",
)
_QUIET = {"Description", "Documentation", "SourcePath"}


def sections(text: str) -> Unit:
    """A key may come several times, an empty value forgets those before. ValueError: a line that is none."""
    found: Unit = {}
    section: dict[str, list[str]] | None = None
    for number, line in _lines(text):
        if line.startswith("[") and line.endswith("]"):
            section = found.setdefault(line[1:-1], {})
            continue
        key, sign, value = line.partition("=")
        if section is None or not sign or not key.strip():
            raise ValueError(f"line {number} is no KEY=VALUE below a [Section]: {line:.100}")
        if value.strip():
            section.setdefault(key.strip(), []).append(value.strip())
        else:
            section.pop(key.strip(), None)
    return found


def _lines(text: str) -> list[tuple[int, str]]:
    """With the number of each: continued ones are one, and comments in between are no part of it."""
    found: list[tuple[int, str]] = []
    begun: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped[:1] in ("#", ";") or not (stripped or begun):
            continue
        begun.append(line.removesuffix("\\"))
        if not line.endswith("\\"):
            found.append((number, " ".join(begun).strip()))
            begun = []
    if begun:
        found.append((text.count("\n") + 1, " ".join(begun).strip()))
    return [one for one in found if one[1]]


def plain(one: Service, given: dict[str, list[str]]) -> dict[str, list[str]]:
    """Values as they are when nothing has to be filled in; one where systemd would do so is named and left out."""
    found: dict[str, list[str]] = {}
    for key, values in given.items():
        for value in values:
            wanted = [match[0] for match in _SPECIFIER.finditer(value) if match[1]]
            if wanted:
                one.lose(f"{key}={value}", f"systemd fills in {wanted[0]}: write what it stands for")
            else:
                found.setdefault(key, []).append(value.replace("%%", "%"))
    return found


def words(key: str, value: str) -> list[str]:
    """As a shell splits them. ValueError says where."""
    try:
        return shlex.split(value)
    except ValueError as error:
        raise ValueError(f"{key}={value:.100}: {error}") from None


def beside(one: Service, unit: Unit) -> None:
    """What the other sections say, which is not the container's."""
    for section, given in unit.items():
        if section == "Container" or section.startswith("X-"):
            continue
        for key, values in given.items():
            if key in _QUIET or (section == "Service" and key in _ALONE) or key.startswith("X-"):
                continue
            what = f"[{section}] {key}={' '.join(values)}"
            if key in _TOLD:
                one.tell(what, _TOLD[key])
            else:
                one.lose(what, "there is no field for it: no unit of systemd starts, stops or orders a workload")
