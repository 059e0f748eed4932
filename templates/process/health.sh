# health.sh HOME CENTISECONDS RESTARTS KIND ARGUMENT...: repeat a check until it passes, time is over (1) or the tree has
# ended and nothing starts it again (3). RESTARTS: yes or no. Checks run inside: its network, and for commands its mounts.
# shellcheck disable=SC2034,SC2154 # what tree.sh takes and gives
home=$1 left=$2 restarts=$3 kind=$4
shift 4
# include tree
now() { read -r up _ < /proc/uptime; echo "${up%.*}${up#*.}"; }
end=$(($(now) + left))
pid=$(first)
# include host/probe
net() { nsenter --net="/proc/$pid/ns/net" -- timeout 2 "$@"; }
once() {
    [ -n "$pid" ] || { echo 'it does not run'; return 1; }
    case $kind in
    command)
        at=/proc/$pid/ns
        timeout 10 nsenter --net="$at/net" --uts="$at/uts" --ipc="$at/ipc" --mount="$at/mnt" -- "$@"
        ;;
    *) probe "$kind" "$@" ;;
    esac
}
while ! said=$(once "$@" 2>&1 </dev/null); do
    pid=$(first)
    [ -n "$pid" ] || [ "$restarts" != no ] || exit 3
    [ "$(now)" -lt "$end" ] || { printf '%s\n' "$said" | tail -5 >&2; exit 1; }
    sleep 0.1
done
