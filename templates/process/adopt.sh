# adopt.sh HOME KIND WHERE: take what runs already into a control group of its own, with all that it has started. Exit 3: it
# cannot be taken, and why.
# shellcheck disable=SC2034,SC2154 # what tree.sh and attached.sh take and give
set -eu
home=$1
# include tree
# include attached
[ ! -s "$home/own/attached" ] || [ -z "$(living)" ] || exit 0
mine=${group#/sys/fs/cgroup}
find_first "$2" "$3"
[ -z "$problem" ] || { echo "$problem"; exit 3; }
first=$pid
make_group
around=$(group_of "$first")
[ "$around" = "$mine" ] || echo "$around" > "$home/came" # else an adoption was cut short
[ -z "$unit" ] || echo "$unit" > "$home/unit"
# What it starts meanwhile is where its parent was.
tries=0 left=yes
while [ -n "$left" ] && [ "$tries" -lt 100 ]; do
    left=
    for pid in $(below "$first" | cut -d ' ' -f 1); do
        [ "$(group_of "$pid")" != "$mine" ] || continue
        left=yes
        echo "$pid" > "$group/cgroup.procs" || [ ! -e "/proc/$pid" ] || { echo "process $pid cannot be put into $group" >&2; exit 1; }
    done 2>/dev/null
    tries=$((tries + 1))
done
[ -z "$left" ] || { echo 'it starts processes faster than they can be taken' >&2; exit 1; }
echo "$first" > "$home/own/attached"
stat -c %Y "/proc/$first" > "$home/own/started"
