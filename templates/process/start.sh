# start.sh HOME SETUP INIT: start a tree: namespaces, a control group and a root of its own (SETUP), and in it a shell that
# runs the command, starts it again as it was told, and keeps how it ended (INIT). Nothing of ours stays outside.
# shellcheck disable=SC2034,SC2154 # what tree.sh takes and gives
set -eu
umask 022
home=$1
# include tree
[ -z "$(living)" ] || exit 0
make_group
make_net up
into=
[ "$(setting network)" = host ] || into="nsenter --net=/run/netns/$space"
rm -f "$home/own/exit" "$home/own/stop" "$home/own/running"
date +%s > "$home/own/started"
# In a session of its own inside its PID namespace, else CRIU could not dump it.
# shellcheck disable=SC2016
inside='exec setsid /bin/sh -c "$1" setup "$2" "$3"'
# shellcheck disable=SC2016,SC2086
/bin/sh -c 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"' sh "$group" setsid --fork $into \
    unshare --mount --uts --ipc --pid --fork -- env -i PATH="$PATH" LC_ALL=C \
    /bin/sh -c "$inside" sh "$2" "$home" "$3" </dev/null >"$home/start.log" 2>&1
tries=0
until [ -e "$home/own/running" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 1000 ] || { [ "$tries" -gt 50 ] && [ -z "$(living)" ]; }; then
        tail -n 5 "$home/start.log" >&2
        echo 'its tree could not be set up' >&2
        end_tree
        exit 1
    fi
    sleep 0.01
done
