"""Templates: the only place that imports Jinja2.

Two kinds. Templates that ship with the package (`render_shipped`) are ours and trusted. Templates in users'
specs (`render_spec`) come from pull requests: they get a small language (values, for, if, set, a few filters)
in which nothing can reach Python or run without end. Every statement outside that language is refused before
anything runs; what is left is counted in steps and in characters.
"""

from __future__ import annotations

import difflib
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from types import TracebackType
from typing import Any, Final

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from reconciler.load.templates import Rendered, RenderFault, TemplateFault
from reconciler.resources import data_path

MAX_TEMPLATE_CHARS: Final = 256 * 2**10
MAX_OUTPUT_CHARS: Final = 32 * 2**20
MAX_STEPS: Final = 200_000
MAX_SECONDS: float = 10.0
MAX_VALUE_CHARS: Final = 64 * 2**10
MAX_RANGE: Final = 20_000
_SPEC: Final = "<spec>"


def render_shipped(*parts: str, **context: Any) -> str:
    """A template of the package, such as `render_shipped("init", "README.md.j2", name="fleet")`."""
    return _shipped_environment().get_template("/".join(parts)).render(context)


@cache
def _shipped_environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(data_path("templates")),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701  the output is text, never HTML
    )


def render_spec(text: str, values: Mapping[str, Any]) -> Rendered:
    """Render a user's file with `values`; TemplateFault when it cannot be done within the limits."""
    if len(text) > MAX_TEMPLATE_CHARS:
        raise TemplateFault(
            RenderFault.LIMIT,
            f"templates of more than {MAX_TEMPLATE_CHARS:,} characters are refused",
            1,
        )
    environment = _SpecEnvironment()
    try:
        code = environment.compile(_checked(environment, text), name=_SPEC, filename=_SPEC)
        template = jinja2.Template.from_code(environment, code, {**environment.globals, "values": values})
        chunks: list[str] = []
        size = 0
        for chunk in template.generate():
            size += len(chunk)
            if size > MAX_OUTPUT_CHARS:
                raise TemplateFault(
                    RenderFault.LIMIT, f"the template writes more than {MAX_OUTPUT_CHARS:,} characters"
                )
            chunks.append(chunk)
    except TemplateFault as fault:
        fault.line = fault.line or _line_of(fault.__traceback__)
        raise
    except jinja2.TemplateSyntaxError as error:
        raise TemplateFault(RenderFault.SYNTAX, error.message or "cannot be understood", error.lineno) from None
    except jinja2.UndefinedError as error:
        raise _undefined(str(error), _line_of(error.__traceback__), values) from None
    except SecurityError as error:
        line = _line_of(error.__traceback__)
        raise TemplateFault(RenderFault.REFUSED, _first_line(error), line) from None
    except (RecursionError, MemoryError):
        raise TemplateFault(RenderFault.LIMIT, "the template is too deep", 1) from None
    except Exception as error:  # anything a filter or an operator raises on odd values
        line = _line_of(error.__traceback__)
        raise TemplateFault(RenderFault.SYNTAX, f"cannot be computed: {_first_line(error)}", line) from None
    return _without_markers("".join(chunks))


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:200]


def _line_of(traceback: TracebackType | None) -> int:
    line = 1
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == _SPEC:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


def _undefined(message: str, line: int, values: Mapping[str, Any]) -> TemplateFault:
    match = re.search(r"has no attribute '([^']*)'|^'([^']*)' is undefined", message)
    if match is None:
        return TemplateFault(RenderFault.UNDEFINED, message, line)
    name = match[1] or match[2] or ""
    if match[2]:
        hint = f"values are reached as `values.{name}`"
        return TemplateFault(RenderFault.UNDEFINED, f"undefined variable `{name}`", line, subject=name, hint=hint)
    near = difflib.get_close_matches(name, list(map(str, values)), 1)
    hint = f"did you mean `{near[0]}`?" if near else f"give it with --set {name}=... or in a --values file"
    return TemplateFault(RenderFault.UNDEFINED, f"no value `{name}` was given", line, subject=name, hint=hint)


# The small language ------------------------------------------------------------------------------------

_ALLOWED_NODES: Final = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign, nodes.Keyword),
    *(nodes.Name, nodes.NSRef, nodes.Const, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Slice),
    *(nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Test, nodes.Call, nodes.CondExpr, nodes.Concat),
    *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.FloorDiv, nodes.Mod),
)
_FUNCTIONS: Final = frozenset({"range", "namespace"})
_METHODS: Final = frozenset({"items", "keys", "values", "lower", "upper", "startswith", "endswith"})
_TESTS: Final = frozenset(
    {"defined", "undefined", "none", "string", "number", "mapping", "sequence", "even", "odd"}
    | {"boolean", "integer", "true", "false", "in", "eq", "ne", "lt", "le", "gt", "ge"}
)


def _checked(environment: _SpecEnvironment, text: str) -> nodes.Template:
    """The syntax tree, if all of it is in the small language, with loops and joins counted."""
    tree = environment.parse(text, name=_SPEC, filename=_SPEC)
    pending: list[nodes.Node] = [tree]
    while pending:
        node = pending.pop()
        if problem := _refusal(node):
            raise TemplateFault(RenderFault.REFUSED, problem, node.lineno)
        if isinstance(node, nodes.For):
            node.iter = nodes.Filter(node.iter, "counted", [], [], None, None, lineno=node.lineno)
        pending.extend(node.iter_child_nodes())
        for name, child in list(node.iter_fields()):
            setattr(node, name, [_limited(c) for c in child] if isinstance(child, list) else _limited(child))
    tree.set_environment(environment)
    return tree


def _limited(node: Any) -> Any:
    """Joins go through the counted filter; lists made here hold plain values only, so that sharing them
    cannot grow without end."""
    if isinstance(node, nodes.Concat):
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, "join", [], [], None, None, lineno=node.lineno)
    if isinstance(node, nodes.List | nodes.Dict) or (isinstance(node, nodes.Tuple) and node.ctx == "load"):
        return nodes.Filter(node, "flat", [], [], None, None, lineno=node.lineno)
    return node


def _refusal(node: nodes.Node) -> str:
    """Why a node is not in the small language; empty when it is."""
    if not isinstance(node, _ALLOWED_NODES):
        return f"`{type(node).__name__.lower()}` is not allowed in specs"
    if isinstance(node, nodes.For) and node.recursive:
        return "recursive loops are not allowed in specs"
    if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
        return f"`{node.attr}` reaches for Python's internals"
    if isinstance(node, nodes.Filter) and node.name not in (*_FILTERS, "counted", "flat"):
        return f"the filter `{node.name}` is not allowed; there are {', '.join(_FILTERS)}"
    if isinstance(node, nodes.Test) and node.name not in _TESTS:
        return f"the test `{node.name}` is not allowed"
    if isinstance(node, nodes.Call):
        called = node.node
        known = isinstance(called, nodes.Name) and called.name in _FUNCTIONS
        if not known and not (isinstance(called, nodes.Getattr) and called.attr in _METHODS):
            return f"only {', '.join(sorted(_FUNCTIONS))} and {', '.join(sorted(_METHODS))} may be called"
    return ""


class _SpecEnvironment(ImmutableSandboxedEnvironment):
    """One per rendering, because it counts."""

    intercepted_binops = frozenset({"+", "*", "%"})

    def __init__(self) -> None:
        self.steps = 0
        self.deadline = time.monotonic() + MAX_SECONDS
        super().__init__(
            undefined=jinja2.StrictUndefined,
            keep_trailing_newline=True,
            optimized=False,
            cache_size=0,
            finalize=_shown,
            extensions=[_LineMarkers],
            autoescape=False,
        )
        self.globals = {"range": self._range, "namespace": jinja2.utils.Namespace}
        self.filters = {name: self._stepped(function) for name, function in _FILTERS.items()}
        self.filters |= {"counted": self._counted, "flat": _flat}
        self.tests = {name: test for name, test in self.tests.items() if name in _TESTS | {"=="}}

    def _step(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise TemplateFault(RenderFault.LIMIT, f"the template takes more than {MAX_STEPS:,} steps")
        if time.monotonic() > self.deadline:
            raise TemplateFault(RenderFault.LIMIT, f"the template takes longer than {MAX_SECONDS:g} s")

    def _stepped(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **kwargs: Any) -> Any:
            self._step()
            return function(*args, **kwargs)

        return stepped

    def _counted(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self._step()
            yield item

    def _range(self, *bounds: int) -> range:
        numbers = range(*bounds)
        if len(numbers) > MAX_RANGE:
            raise TemplateFault(RenderFault.LIMIT, f"range of more than {MAX_RANGE:,} numbers")
        return numbers

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        self._step()
        return super().call(context, obj, *args, **kwargs)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Keys of values win over methods, so that a value may be called `items`."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        self._step()
        if operator == "%" and not isinstance(left, int | float):
            raise SecurityError("`%` is for numbers only")
        if operator == "*" and not (isinstance(left, int | float) and isinstance(right, int | float)):
            raise SecurityError("`*` is for numbers only")
        result = super().call_binop(context, operator, left, right)
        return _capped(result)


def _capped(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > 64:
        raise TemplateFault(RenderFault.LIMIT, "a number grows beyond 64 bits")
    if isinstance(value, str | list | tuple) and len(value) > MAX_VALUE_CHARS:
        raise TemplateFault(RenderFault.LIMIT, f"a value grows beyond {MAX_VALUE_CHARS:,} characters")
    return value


def _shown(value: Any) -> Any:
    """What an expression writes: text and numbers on one line; `tojson` for all else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, jinja2.Undefined | str | int | float):
        if isinstance(value, str) and "\n" in value:
            raise SecurityError("a value of several lines would break the YAML; write it with `| tojson`")
        return value
    raise SecurityError("a list or mapping cannot be written as it is; write it with `| tojson`")


def _join(items: Iterable[Any], separator: str = "") -> str:
    parts: list[str] = []
    size = 0
    for item in items:
        parts.append(str(_shown(item)))
        size += len(parts[-1]) + len(separator)
        _capped_length(size)
    return separator.join(parts)


def _capped_length(size: int) -> None:
    if size > MAX_VALUE_CHARS:
        raise TemplateFault(RenderFault.LIMIT, f"a value grows beyond {MAX_VALUE_CHARS:,} characters")


def _flat(items: Any) -> Any:
    for item in items.values() if isinstance(items, dict) else items:
        if isinstance(item, list | tuple | Mapping):
            raise SecurityError("a list or mapping made in a template holds plain values only")
    return items


def _to_json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    _capped_length(len(text))
    return text


def _default(value: Any, default: Any = "", empty: bool = False) -> Any:
    return default if isinstance(value, jinja2.Undefined) or (empty and not value) else value


_FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "default": _default,
    "d": _default,
    "first": lambda items: next(iter(items)),
    "int": int,
    "items": lambda mapping: list(mapping.items()),
    "join": _join,
    "last": lambda items: list(items)[-1],
    "length": len,
    "list": list,
    "lower": lambda text: str(text).lower(),
    "sort": sorted,
    "string": str,
    "tojson": _to_json,
    "trim": lambda text: str(text).strip(),
    "unique": lambda items: list(dict.fromkeys(items)),
    "upper": lambda text: str(text).upper(),
}


# Where a rendered line came from -----------------------------------------------------------------------

_EDGE: Final = "\x00"
_MARKER = re.compile(f"{_EDGE}(\\d+){_EDGE}")


class _LineMarkers(Extension):
    """Writes the line number after every line end of the template's own text, between NULs, which no
    spec file can hold; `_without_markers` takes them out again."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        for token in stream:
            if token.type != "data" or "\n" not in token.value:
                yield token
                continue
            head, *lines = token.value.split("\n")
            marked = (f"\n{_EDGE}{token.lineno + n}{_EDGE}{line}" for n, line in enumerate(lines, 1))
            yield Token(token.lineno, "data", head + "".join(marked))


def _without_markers(text: str) -> Rendered:
    lines: list[int] = []
    shown: list[str] = []
    current = 1
    for line in text.split("\n"):
        if marker := _MARKER.search(line):
            current = int(marker[1])
            line = _MARKER.sub("", line)
        lines.append(current)
        shown.append(line)
    return Rendered("\n".join(shown), tuple(lines))
