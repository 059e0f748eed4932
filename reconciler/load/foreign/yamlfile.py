"""YAML of others, with the scalars of YAML 1.2 as compose has them: each key once, and no more of it than a file
may hold when every alias is counted as often as it is used."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from reconciler.errors import InputError
from reconciler.load import files
from reconciler.load.limits import MAX_DEPTH, MAX_NODES


class _Loader(yaml.SafeLoader):
    """Without YAML 1.1's `yes`, `on` and 22:22."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?$", "-+0123456789."),
    ("null", r"^(?:~|null|Null|NULL|)$", "~nN\0"),
    ("merge", r"^<<$", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^$"), [""])
_ONE = 1000
"""Characters of a text that count as one value."""
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def read_yaml(path: Path) -> Any:
    """What one document holds. InputError: E189; files.Unreadable."""
    shown, loader = files.shown(path), _Loader(files.read_text(path))
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _Bounds().size(node, 0)
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{shown}:{mark.line + 1}:{mark.column + 1}" if mark else shown
        raise InputError("not YAML as compose has it", code="E189", where=where, why=error.problem or "") from None
    except RecursionError:
        raise InputError("not a compose file", code="E189", where=shown, why="it is nested too deep") from None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError("not a compose file", code="E189", where=shown, why=str(error)) from None
    finally:
        loader.dispose()


class _Bounds:
    """How many values there are below a node, each node looked at once."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self._above: set[int] = set()

    def size(self, node: yaml.Node, depth: int) -> int:
        if id(node) in self._above:
            raise _wrong(node, "it is an alias inside of what it stands for")
        if depth > MAX_DEPTH:
            raise _wrong(node, "it is nested too deep")
        known = self._sizes.get(id(node))
        if known is not None:
            return known
        self._above.add(id(node))
        long = len(node.value) // _ONE if isinstance(node, yaml.ScalarNode) else 0
        total = 1 + long + sum(self.size(below, depth + 1) for below in _below(node))
        if total > MAX_NODES:
            raise _wrong(node, f"with its aliases there are more than {MAX_NODES} values in it")
        self._above.discard(id(node))
        self._sizes[id(node)] = total
        return total


def _below(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise _wrong(key, f"the key `{key.value:.100}` is there twice")
                seen.add((key.tag, key.value))
        return [one for pair in node.value for one in pair]
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if _SURROGATE.search(node.value):
        raise _wrong(node, "there is a character in it that cannot be written")
    return []


def _wrong(node: yaml.Node, why: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=why, problem_mark=node.start_mark)
