# stop.sh HOME SECONDS: ask the command to end, then end what is left of its tree after that time.
# shellcheck disable=SC2034,SC2154 # what tree.sh takes and gives
set -eu
home=$1 left=$(($2 * 20))
# include tree
: > "$home/own/stop"
sync "$home/own/stop" "$home/own" # before anything ends: a boot would start it again
init=$(first)
if [ -n "$init" ]; then
    echo 0 > "$group/cgroup.freeze" 2>/dev/null || true
    children=
    read -r children < "/proc/$init/task/$init/children" || true
    # shellcheck disable=SC2086
    [ -z "$children" ] || kill $children 2>/dev/null || true
    while [ "$left" -gt 0 ] && [ -n "$(living)" ]; do
        left=$((left - 1))
        sleep 0.05
    done
    if [ -n "$(living)" ]; then
        end_tree
        echo 137 > "$home/own/exit"
    fi
fi
end_tree
drop_net
rmdir "$group" 2>/dev/null || [ ! -d "$group" ]
