"""Frozen values that leave the process: specs, world, plans, records. Almost no behaviour, no I/O."""
