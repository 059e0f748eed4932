"""The only remote I/O of the project."""
