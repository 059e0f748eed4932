"""Templates of the page that a watch serves. They ship with the package and are nobody else's to change: unlike
those of reports they are compiled once."""

from __future__ import annotations

from functools import cache
from typing import Any

import jinja2

from reconciler.resources import data_path


def render_page(name: str, **data: Any) -> str:
    """One page; all data is escaped."""
    return _environment().get_template(name).render(data)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(data_path("templates", "page")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
        auto_reload=False,
    )
