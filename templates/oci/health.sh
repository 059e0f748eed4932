# health.sh ENGINE CENTISECONDS ID PID RESTARTS KIND ARGUMENT...: repeat a check until it passes, time is over (1) or the
# container has ended and nothing will start it again (3). PID: its first process. RESTARTS: its restart policy.
# tcp, http: the check runs in the container's network, where even addresses that the host itself cannot reach
# (macvlan) answer.
engine=$1 left=$2 id=$3 pid=$4 restarts=$5 kind=$6
shift 6
now() { read -r up _ < /proc/uptime; echo "${up%.*}${up#*.}"; }
end=$(($(now) + left))
# include host/probe
net() { nsenter --net="/proc/$pid/ns/net" -- timeout 2 "$@"; }
once() {
    case $kind in
    command) timeout 10 "$engine" exec -- "$id" "$@" ;;
    *) probe "$kind" "$@" ;;
    esac
}
ended() {
    [ "$pid" = 0 ] || [ ! -d "/proc/$pid" ] || return 1
    now_pid=$(timeout 10 "$engine" container inspect --format '{{.State.Pid}}' -- "$id") || return 1
    pid=$now_pid
    [ "$pid" = 0 ] && [ "$restarts" = no ]
}
while ended 2>/dev/null && exit 3; ! said=$(once "$@" 2>&1 </dev/null); do
    [ "$(now)" -lt "$end" ] || { printf '%s\n' "$said" | tail -5 >&2; exit 1; }
    sleep 0.1
done
