# living CGROUP MONITOR: PID and program of all that live in cgroups whose path matches this extended regular expression,
# whatever their engine says of them. MONITOR: a program in there which only notes how they end, and ends by itself.
living() {
    for file in $(grep -lsE -- "$1" /proc/[0-9]*/cgroup); do
        pid=${file#/proc/}
        pid=${pid%/cgroup}
        read -r comm <"/proc/$pid/comm" && [ "$comm" != "$2" ] || continue
        grep -qs '^State:[[:space:]]*[ZX]' "/proc/$pid/status" || echo "$pid $comm"
    done
} 2>/dev/null
