# settle.sh ID: wait until the engine has noted that a container which it paused for a dump runs on, at most 5 seconds.
tries=0
while [ "$(docker container inspect --format '{{.State.Status}}' -- "$1" 2>/dev/null)" = paused ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 50 ] || exit 0
    sleep 0.1
done
