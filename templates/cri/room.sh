# room.sh HOME PID ROOT ROUTES: make the folder of ours for a container that waits to be restored. PID: its pod's first process; ROOT: where
# containerd keeps what CRI has. Both are noted, and which network the pod has. ROUTES: a file that says how the pod's card is raised, where it is down; it goes there, too.
set -eu
umask 077
mkdir -p "$1"
printf '%s %s %s\n' "$2" "$(readlink "/proc/$2/ns/net")" "$3" >"$1/pod.new"
mv -f "$1/pod.new" "$1/pod"
rm -f "$1/fenced" "$1/restore.log" "$1/restored.pid"
[ ! -e "$4" ] || mv -f "$4" "$1/routes"
