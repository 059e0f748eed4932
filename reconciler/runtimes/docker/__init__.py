"""The runtime `docker`: containers of the Docker Engine, moved by CRIU through its own checkpoint commands.

Excludes: transport (hosts), decisions (core), what is CRIU's (criu). Every module yields commands and reads
results. Nothing is loaded here: reading specs asks `unsupported` alone."""
