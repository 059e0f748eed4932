# stop-pages.sh USERDATA ID: end what serves memory pages of a restored container, if it is still there.
# Tasks first: without who keeps it for them, memory that is missing would read as zeros.
userdata=$1
serving() { read -r pid < "$1" && tr '\0\n' '  ' < "/proc/$pid/cmdline" | grep -q "lazy-pages.*$userdata"; } 2>/dev/null
living() { # all of the container's, whatever Podman says of it
    for file in $(grep -ls "libpod-$1" /proc/[0-9]*/cgroup); do
        pid=${file#/proc/}
        pid=${pid%/cgroup}
        read -r comm < "/proc/$pid/comm" || continue
        [ "$comm" = conmon ] || grep -q '^State:[[:space:]]*[ZX]' "/proc/$pid/status" || echo "$pid"
    done
} 2>/dev/null
[ -s "$userdata/lazy-pages.pid" ] || [ -s "$userdata/keeper.pid" ] || exit 0
tries=0
while tasks=$(living "$2") && [ -n "$tasks" ]; do
    tries=$((tries + 1))
    [ "$tries" -le 100 ] || { echo "processes of the container cannot be killed: $tasks" >&2; exit 1; }
    # shellcheck disable=SC2086
    kill -s KILL $tasks 2>/dev/null
    sleep 0.05
done
for file in "$userdata/lazy-pages.pid" "$userdata/keeper.pid"; do
    ! serving "$file" || kill "$pid"
done
rm -rf "$userdata"/lazy-pages.pid "$userdata"/lazy-pages.socket "$userdata"/lazy-pages.status "$userdata"/keeper.* "$userdata"/pages
