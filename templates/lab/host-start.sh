#!/bin/sh
# host-start.sh DIR CGROUPS INIT ARG...: start one namespace host in the background and return at once.
#
# This process joins the host's cgroups (CGROUPS: folders, separated by spaces) before `unshare -C`, because the
# cgroups it is in at that moment become the roots the host sees. `setsid --fork` detaches from the caller.
set -eu
dir=$1 groups=$2 init=$3
shift 3
for group in $groups; do echo $$ > "$group/cgroup.procs"; done
exec setsid --fork unshare --mount --propagation private --net --pid --fork --uts --ipc --cgroup \
    /bin/sh "$init" "$dir" "$@" > "$dir/boot.log" 2>&1 < /dev/null
