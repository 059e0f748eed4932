# dump.sh HOME LIMIT CGROUP METHOD REQUEST: have containerd checkpoint a container; its archive, if it makes one, goes. CGROUP: of
# tasks that end with the dump, under which no hook acts; may be empty. containerd lets all run on, so CRIU's config has them
# stopped then; whether containerd can make its own archive of them afterwards is all the same.
# shellcheck disable=SC2034 # call.sh's
home=$1 limit=$2 cgroup=$3
rm -f "$home/dump.log"
# include call
# include criu/living
said=$(call 0 "$4" "$5")
status=$?
rm -f "$home/archive.tar"
if [ -z "$cgroup" ] || ! grep -q 'Dumping finished successfully' "$home/dump.log"; then
    [ "$status" = 0 ] || printf '%s\n' "$said" | sed -n 3p >&2
    exit "$status"
fi
tries=0
while pids=$(living "$cgroup" '' | cut -d ' ' -f 1) && [ -n "$pids" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || { echo 'what was dumped does not end' >&2; exit 1; }
    # shellcheck disable=SC2086
    kill -s KILL $pids 2>/dev/null
    sleep 0.02
done
