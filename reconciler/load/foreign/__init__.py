"""Specs from what others wrote: compose files and Quadlet units. What can be said is, the rest is named."""
