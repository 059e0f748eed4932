"""Reconciler: move running containers between Linux hosts from specs committed to git."""

__version__ = "0.1.0"
