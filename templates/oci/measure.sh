# measure.sh (ID PID UPPER_DIR)...: what running containers use, read from /proc and their file systems.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
while [ $# -ge 3 ]; do
    id=$1 pid=$2 upper=$3
    shift 3
    printf '\n@@ tcp %s\n' "$id"
    awk '$4 == "01"' "/proc/$pid/net/tcp" "/proc/$pid/net/tcp6" 2>/dev/null
    printf '\n@@ use %s\n' "$id"
    files='' count=0
    # Also those in PID namespaces that they have made inside it.
    for file in $(grep -lsE -- "/([a-z]+-)*$id(\.scope)?(/|$)" /proc/[0-9]*/cgroup); do
        one=${file%/cgroup}
        grep -qs '^State:[[:space:]]*[ZX]' "$one/status" && continue
        files="$files $one/smaps_rollup" count=$((count + 1))
    done
    echo "processes $count"
    # What a dump holds: pages of files that can be read again are not in it.
    # shellcheck disable=SC2086
    [ -z "$files" ] || cat $files 2>/dev/null | awk '/^Pss_Anon:|^Pss_Shmem:/ {sum += $2} END {print "memory", sum * 1024}'
    echo "rootfs $(timeout 10 du -sB1 -- "$upper" 2>/dev/null | cut -f1)"
done
