# restore.sh CONTAINER USERDATA LAZY OPTION...: restore a container from its images. LAZY 1: memory follows afterwards.
name=$1 userdata=$2 lazy=$3
shift 3
images=$userdata/checkpoint
[ ! -e "$images/devshm-checkpoint.tar" ] || cp "$images/devshm-checkpoint.tar" "$userdata/" || exit 1
serving() { tr '\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null | grep -q "lazy-pages.*$userdata"; }
started=
if [ "$lazy" = 1 ] && ! { read -r pid < "$userdata/lazy-pages.pid" && serving; } 2>/dev/null; then
    rm -f "$userdata/lazy-pages.socket"
    setsid criu lazy-pages -D "$images" -W "$userdata" -o "$userdata/lazy-pages.log" </dev/null >/dev/null 2>&1 &
    pid=$!
    started=$pid
    echo "$pid" > "$userdata/lazy-pages.pid"
    tries=0
    until [ -S "$userdata/lazy-pages.socket" ]; do
        tries=$((tries + 1))
        if [ "$tries" -gt 500 ] || ! kill -0 "$pid" 2>/dev/null; then
            echo 'the daemon that serves memory pages does not start:' >&2
            tail -3 "$userdata/lazy-pages.log" >&2
            exit 1
        fi
        sleep 0.01
    done
fi
podman container restore "$@" -- "$name"
status=$?
if [ "$status" != 0 ] && [ -n "$started" ]; then
    kill "$started" 2>/dev/null
    rm -f "$userdata/lazy-pages.pid"
fi
exit "$status"
