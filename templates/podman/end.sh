# end.sh ID: kill what runs in this container, and what is just restoring it, without asking Podman, which may hang or
# think otherwise. Names what lives after 5 seconds.
living() {
    for file in $(grep -lsE "libpod-(conmon-)?$1" /proc/[0-9]*/cgroup); do
        pid=${file#/proc/}
        pid=${pid%/cgroup}
        read -r comm < "/proc/$pid/comm" 2>/dev/null || continue
        ! grep -qs '^State:[[:space:]]*[ZX]' "/proc/$pid/status" || continue
        case $comm in conmon) ;; *) echo "$pid $comm" ;; esac # notes how it ended, and ends by itself
    done
}
tries=0
while left=$(living "$1") && [ -n "$left" ] && [ "$tries" -lt 50 ]; do
    echo "$left" | while read -r pid _; do kill -9 "$pid"; done 2>/dev/null
    find /sys/fs/cgroup -path "*/libpod-$1*/cgroup.freeze" 2>/dev/null |
        while read -r freezer; do echo 0 > "$freezer"; done # paused: hears no signal on some kernels
    tries=$((tries + 1))
    sleep 0.1
done
[ -z "$left" ] || echo "$left"
