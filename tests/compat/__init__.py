"""Real programs moved between real hosts: `make compat`. See docs/compat.md for what came of it."""
