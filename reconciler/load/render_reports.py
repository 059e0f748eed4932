"""Templates of reports: those that ship with the package, or a user's own of the same name in their place.

A user's are run in a sandbox: what they get is plain data, they call nothing but macros, `range` and the methods
of mappings, and everything they do is counted, so that a report ends whatever it says.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment

from reconciler.errors import InputError
from reconciler.load.files import is_inside, repository_root
from reconciler.resources import data_path

EVENT: Final[Mapping[str, Any]] = {
    "type": "watch.ended",
    "timestamp": "2026-11-26T10:00:00.000Z",
    "data": {
        "text": "done",
        "workload": "web",
        "run": "20261126-100000-3fa9",
        "state": "done",
        "code": "",
        "commit": "",
        "host": "",
    },
}
"""News as templates of events get it: each field is there, empty where it says nothing."""
REPORTS: Final = ("plan.md.j2", "plan.html.j2", "apply.md.j2", "apply.html.j2")
"""Reports there are; `page.html.j2` is what the pages have in common."""
MAX_TEMPLATE_BYTES: Final = 256 * 2**10
MAX_OUTPUT_CHARS: Final = 32 * 2**20
MAX_STEPS: Final = 2_000_000
MAX_SECONDS: Final = 20.0
MAX_VALUE_CHARS: Final = 2**20
_FILTERS: Final = (
    *("e", "escape", "safe", "default", "d", "first", "last", "length", "list", "items", "join", "lower", "upper"),
    *("title", "trim", "round", "int", "string", "sort", "unique", "map", "selectattr", "rejectattr", "tojson"),
)
_METHODS: Final = ("items", "keys", "values")


def render_report(name: str, folder: Path | None, **data: Any) -> str:
    """A report as one of its templates says; InputError when a user's own fails."""
    environment = _ReportEnvironment(folder)
    try:
        chunks, size = [], 0
        for chunk in environment.get_template(name).generate(data):
            size += len(chunk)
            if size > MAX_OUTPUT_CHARS:
                raise SecurityError(f"it writes more than {MAX_OUTPUT_CHARS:,} characters")
            chunks.append(chunk)
        return "".join(chunks)
    except Exception as error:  # whatever a template does to odd values
        if folder is None:
            raise
        raise _failed(name, folder, error) from error


def event_renderer(path: Path) -> Callable[[Mapping[str, Any]], str]:
    """What a user's own template makes of one piece of news (`type`, `timestamp`, `data`); InputError when it is
    none, or fails at the example. The renderer raises InputError, too: a template may fail at other news."""
    name = path.name if path.name.endswith(".j2") else ""
    if not name or not os.path.lexists(path):
        raise InputError("a template of events is a file named .j2", code="E190", where=str(path))

    def render(news: Mapping[str, Any]) -> str:
        return render_report(name, path.parent, **news)

    render(EVENT)
    return render


def check_templates(folder: Path | None) -> None:
    """InputError where a folder of templates is none, has no template of a report's name, or one that is not in
    the language: so that nothing has begun when it is found."""
    if folder is None:
        return
    if not folder.is_dir():
        raise InputError("there is no such folder of templates", code="E190", where=str(folder))
    environment = _ReportEnvironment(folder)
    own = [name for name in (*REPORTS, "page.html.j2") if os.path.lexists(folder / name)]
    if not own:
        known = ", ".join(REPORTS)
        raise InputError(
            "no template of a report is in it", code="E188", where=str(folder), fix=f"name it {known}"
        )
    for name in own:
        try:
            environment.get_template(name)
        except Exception as error:
            raise _failed(name, folder, error) from error


def _failed(name: str, folder: Path, error: Exception) -> InputError:
    line = f":{error.lineno}" if isinstance(error, jinja2.TemplateSyntaxError) else ""
    said = (str(error) or type(error).__name__).splitlines()[0][:300]
    return InputError(
        "a template failed",
        code="E188",
        where=f"{folder / name}{line}",
        why=said,
        fix="mend it, or do without it",
    )


class _ReportEnvironment(ImmutableSandboxedEnvironment):
    """One per rendering, because it counts."""

    intercepted_binops = frozenset({"+", "*", "%", "**"})

    def __init__(self, folder: Path | None) -> None:
        self.steps, self.deadline = 0, time.monotonic() + MAX_SECONDS
        shipped = data_path("templates", "report")
        folders = [one for one in (folder, shipped) if one is not None]
        super().__init__(
            loader=jinja2.FunctionLoader(lambda name: _source(name, folders)),
            undefined=jinja2.StrictUndefined,
            keep_trailing_newline=True,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=lambda name: bool(name and name.endswith(".html.j2")),
            cache_size=0,
        )
        self.globals = {"range": self._range, "namespace": jinja2.utils.Namespace}
        self.filters = {name: self.filters[name] for name in _FILTERS} | {"counted": self._counted}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = nodes.Filter(loop.iter, "counted", [], [], None, None, lineno=loop.lineno)
        tree.set_environment(self)
        return tree

    def _step(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise SecurityError(f"it takes more than {MAX_STEPS:,} steps")
        if time.monotonic() > self.deadline:
            raise SecurityError(f"it takes longer than {MAX_SECONDS:g} s")

    def _counted(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self._step()
            yield item

    def _range(self, *bounds: int) -> range:
        return range(*bounds)

    def is_safe_callable(self, obj: Any) -> bool:
        own = isinstance(obj, Macro | LoopContext) or obj in (self.globals["range"], self.globals["namespace"])
        of_mapping = isinstance(getattr(obj, "__self__", None), Mapping) and obj.__name__ in _METHODS
        return own or of_mapping or type(obj).__module__ == "jinja2.runtime"

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
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if operator == "**" or (operator in "*%" and not numbers):
            raise SecurityError(f"`{operator}` is for numbers only, `**` for none")
        result = super().call_binop(context, operator, left, right)
        if isinstance(result, str | list | tuple) and len(result) > MAX_VALUE_CHARS:
            raise SecurityError(f"a value grows beyond {MAX_VALUE_CHARS:,} characters")
        return result


def _source(name: str, folders: Iterable[Path]) -> tuple[str, str, Callable[[], bool]] | None:
    """A template by its name alone; the first folder that has it."""
    if "/" in name or not name.endswith(".j2"):
        return None
    for folder in folders:
        if os.path.lexists(file := folder / name):
            return _text(file, folder), str(file), lambda: True
    return None


def _text(file: Path, folder: Path) -> str:
    """A template may be a link to another one of its repository, and to nothing else: many read reports, and who
    may write links may not read all that this program can."""
    real = Path(os.path.realpath(file))
    if not is_inside(real, repository_root(folder)):
        raise SecurityError("it is a link out of the repository, or of its folder")
    if real.suffix != ".j2":
        raise SecurityError("it is a link to what is no template: its name does not end with .j2")
    descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    with open(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SecurityError("it is not a regular file")
        data = opened.read(MAX_TEMPLATE_BYTES + 1)
    if len(data) > MAX_TEMPLATE_BYTES:
        raise SecurityError(f"it has more than {MAX_TEMPLATE_BYTES:,} bytes")
    return data.decode("utf-8")
