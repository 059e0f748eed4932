# processes.sh ID...: the processes of these containers that live, whatever Podman says of them.
for id in "$@"; do
    for file in $(grep -ls "libpod-$id" /proc/[0-9]*/cgroup); do
        pid=${file#/proc/}
        pid=${pid%/cgroup}
        read -r comm < "/proc/$pid/comm" 2>/dev/null || continue
        ! grep -qs '^State:[[:space:]]*[ZX]' "/proc/$pid/status" || continue
        case $comm in conmon) ;; *) echo "$pid $comm" ;; esac
    done
done
exit 0
