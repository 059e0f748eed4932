"""Carrying plans out: drivers on hosts, one step, the loop, leases, looks at hosts."""
