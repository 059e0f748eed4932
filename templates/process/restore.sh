# restore.sh HOME CONFIG OPTION...: let CRIU restore a tree from its images, in the control group and network made for it.
# shellcheck disable=SC2034,SC2154 # what tree.sh takes and gives
set -eu
home=$1 config=$2
shift 2
# include tree
[ -z "$(living)" ] || { echo 'it runs already' >&2; exit 1; }
make_group
make_net up
net=
if [ "$(setting network)" != host ]; then
    net=/run/netns/$space
    set -- "$@" --inherit-fd 'fd[9]:net'
fi
for name in $(carried | cut -f 1); do set -- "$@" --external "mnt[carried-$name]:$home/carried/$name"; done
rm -f "$home/restored.init"
set -- --config "$config" --work-dir "$home" --images-dir "$home/checkpoint" --log-file restore.log -v4 --manage-cgroups=ignore \
    --pidfile "$home/restored.init" --restore-detached "$@"
if [ -s "$home/own/attached" ]; then # among the host's own processes, as it was
    # shellcheck disable=SC2016
    if /bin/sh -c 'echo $$ >"$1/cgroup.procs" && shift && exec criu restore "$@"' restore "$group" "$@"; then
        announce # where it was asked for meanwhile, the source was told of
        exit 0
    fi
    status=$?
    net_down
    exit "$status"
fi
root=$(setting root)
[ "$root" != host ] || root=/
# The root has to be a mount point whose parent is private: in a mount namespace of CRIU's own.
# shellcheck disable=SC2016
unshare --mount --propagation private /bin/sh -c 'root=$1 at=$2 net=$3 group=$4
    shift 4
    echo $$ >"$group/cgroup.procs" || exit 1
    mount --bind "$root" "$at" || exit 1
    [ -z "$net" ] || exec 9<"$net"
    exec criu restore "$@"' restore "$root" "$home/root" "$net" "$group" --root "$home/root" "$@" && exit
status=$?
net_down # before the shield goes: where nobody listens, the kernel would end clients' connections
exit "$status"
