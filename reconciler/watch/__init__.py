"""Keeping hosts as the specs want them for as long as it runs: it looks and decides, `apply` and `resume` act."""
