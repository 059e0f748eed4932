"""What moves workloads: a package each."""
