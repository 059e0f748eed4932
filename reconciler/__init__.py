"""Reconciler: move running containers between Linux hosts from specs committed to git."""

import logging

__version__ = "0.1.0"

logging.getLogger(__name__).addHandler(logging.NullHandler())  # off, unless somebody asks
