# stop-pages.sh HOME CGROUP MONITOR: end what serves memory pages to restored tasks, if it is still there, and what a
# restore that was killed in its middle still keeps away from their addresses (restore.sh).
# Tasks first: without who keeps it for them, memory that is missing would read as zeros.
# include living
home=$1
# include serving
if [ -e "$home/unshield" ]; then
    nft -f "$home/unshield"
    rm -f "$home/opening" "$home/unshield"
fi
[ -s "$home/lazy-pages.pid" ] || [ -s "$home/keeper.pid" ] || exit 0
tries=0
while tasks=$(living "$2" "$3" | cut -d " " -f 1) && [ -n "$tasks" ]; do
    tries=$((tries + 1))
    [ "$tries" -le 100 ] || { echo "its processes cannot be killed: $tasks" >&2; exit 1; }
    # shellcheck disable=SC2086
    kill -s KILL $tasks 2>/dev/null
    sleep 0.05
done
stop_serving
