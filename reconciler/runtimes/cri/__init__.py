"""The runtime `cri`: pods of one container that containerd runs, asked through the Container Runtime Interface.

CRI is gRPC on a socket of the host. It is called there, by curl, because what starts, restores or removes anything
has to go through the guard, which runs commands under its lock: a socket forwarded to the controller would go past
it.

Excludes: transport (hosts), decisions (core). Nothing is loaded here: reading specs asks `unsupported` alone."""
