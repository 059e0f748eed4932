#!/bin/sh
# vm-start.sh CGROUPS NETNS CMD...: run CMD, which starts a virtual machine in the background, in the host's cgroups
# (folders, separated by spaces) and in the network namespace of the lab's bridge.
set -eu
groups=$1 netns=$2
shift 2
for group in $groups; do echo $$ > "$group/cgroup.procs"; done
exec nsenter --net="/run/netns/$netns" -- "$@"
