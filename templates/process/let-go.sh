# let-go.sh HOME [remove]: what was attached to runs on by itself, where it came from if that is still there.
# shellcheck disable=SC2034,SC2154 # what tree.sh takes and gives
set -eu
home=$1
[ -s "$home/id" ] || { [ "${2-}" != remove ] || rm -rf "$home"; exit 0; }
# include tree
came=/
[ ! -s "$home/came" ] || read -r came < "$home/came"
[ -d "/sys/fs/cgroup$came" ] || came=/
echo 0 > "$group/cgroup.freeze" 2>/dev/null || true
tries=0
while [ -n "$(living)" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || { echo "processes cannot be let go: $(living | tr '\n' ' ')" >&2; exit 1; }
    for pid in $(living); do
        echo "$pid" > "/sys/fs/cgroup$came/cgroup.procs" || echo "$pid" > /sys/fs/cgroup/cgroup.procs || true
    done 2>/dev/null
done
rm -f "$home/own/attached"
rmdir "$group" 2>/dev/null || [ ! -d "$group" ]
[ "${2-}" != remove ] || rm -rf "$home"
