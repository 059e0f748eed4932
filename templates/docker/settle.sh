# settle.sh ID: wait until the engine has noted that a container which it paused for a dump runs on. Where it does not within
# 5 seconds, it never will: what let the tasks run in its place, once CRIU was killed, it takes for an error of its own.
state() { docker container inspect --format '{{.State.Status}} {{.State.Pid}}' -- "$1" 2>/dev/null; }
tries=0
while at=$(state "$1") && [ "${at% *}" = paused ]; do
    tries=$((tries + 1))
    [ "$tries" -gt 50 ] || { sleep 0.1 && continue; }
    [ "$tries" -lt 54 ] || exit 0
    group=$(sed -n 's/^0:://p' "/proc/${at#* }/cgroup" 2>/dev/null)
    # It lets nothing run that is not frozen.
    [ ! -w "/sys/fs/cgroup$group/cgroup.freeze" ] || echo 1 > "/sys/fs/cgroup$group/cgroup.freeze"
    docker container unpause -- "$1" >/dev/null || sleep 0.5
    # Whatever the engine says: nothing stays frozen.
    [ ! -w "/sys/fs/cgroup$group/cgroup.freeze" ] || echo 0 > "/sys/fs/cgroup$group/cgroup.freeze"
done
