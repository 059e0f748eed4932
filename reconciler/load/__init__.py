"""YAML of users to a Spec, or every finding at once as file:line:col. Contacts no host.

`run` walks paths and includes; `files` reads, `reconciler.load.render` fills templates, `compose` reads YAML,
`objects` checks one document, `rules` all of them together; `codes` explains.
"""

from reconciler.load.codes import CODES, explain
from reconciler.load.files import default_paths
from reconciler.load.run import Loaded, load, load_all
from reconciler.load.values import read_values

__all__ = ["CODES", "Loaded", "default_paths", "explain", "load", "load_all", "read_values"]
