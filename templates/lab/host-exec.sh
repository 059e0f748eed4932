#!/bin/sh
# host-exec.sh PID CGROUPS CMD...: run CMD inside the host whose init has this PID, in all its namespaces and cgroups.
# Without the cgroups, a runtime started this way would write to groups the host cannot see.
set -eu
pid=$1 groups=$2
shift 2
for group in $groups; do echo $$ > "$group/cgroup.procs"; done
exec nsenter --target "$pid" --mount --uts --ipc --net --pid --cgroup -- \
    /usr/bin/env -i HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
