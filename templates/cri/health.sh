# health.sh CENTISECONDS ID PID KIND ARGUMENT...: repeat a check until it passes, time is over (1) or the container has ended
# (3): nothing starts it again. PID: its first process. tcp, http: the check runs in the pod's network.
left=$1 id=$2 pid=$3 kind=$4
shift 4
now() { read -r up _ < /proc/uptime; echo "${up%.*}${up#*.}"; }
end=$(($(now) + left)) count=0
# include host/probe
net() { nsenter --net="/proc/$pid/ns/net" -- timeout 2 "$@"; }
once() {
    count=$((count + 1))
    case $kind in
    command) timeout 10 ctr -n k8s.io tasks exec --exec-id "reconciler-check-$$-$count" "$id" "$@" ;;
    *) probe "$kind" "$@" ;;
    esac
}
while [ -d "/proc/$pid" ] || exit 3; ! said=$(once "$@" 2>&1 </dev/null); do
    [ "$(now)" -lt "$end" ] || { printf '%s\n' "$said" | tail -5 >&2; exit 1; }
    sleep 0.1
done
