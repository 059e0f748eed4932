# end.sh CGROUP MONITOR: kill what lives in these cgroups without asking an engine, which may hang or think otherwise.
# Names what lives after 5 seconds.
# include living
thaw() { # paused: hears no signal on some kernels
    find /sys/fs/cgroup -name cgroup.freeze 2>/dev/null | grep -E -- "$1" |
        while read -r freezer; do echo 0 > "$freezer"; done
}
tries=0
while left=$(living "$1" "$2") && [ -n "$left" ] && [ "$tries" -lt 50 ]; do
    echo "$left" | while read -r pid _; do kill -9 "$pid"; done 2>/dev/null
    thaw "$1"
    tries=$((tries + 1))
    sleep 0.1
done
[ -z "$left" ] || echo "$left"
