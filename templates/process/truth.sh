# truth.sh HOME: what the kernel says of a tree: its processes, mounts, limits, and which namespaces are the host's.
# shellcheck disable=SC2034,SC2154 # what tree.sh takes and gives
home=$1
# include tree
init=$(first)
[ -n "$init" ] || { echo 'it does not run' >&2; exit 1; }
for pid in $(living); do
    status=$(grep -E '^(Name|State|Uid|Gid|CapEff|CapPrm|NoNewPrivs):' "/proc/$pid/status" 2>/dev/null)
    case $status in '' | *State:?[ZX]*) continue ;; esac
    [ "$pid" != "$init" ] || continue
    printf '\n@@ process %s\n%s\n' "$pid" "$status"
done
printf '\n@@ mounts\n'
cut -d' ' -f5 "/proc/$init/mountinfo"
printf '\n@@ shared\n'
for space in mnt net pid uts ipc; do
    [ "$(readlink "/proc/$init/ns/$space")" != "$(readlink "/proc/self/ns/$space")" ] || echo "$space"
done
printf '\n@@ limits\n'
for file in memory.max pids.max cpu.max; do [ ! -r "$group/$file" ] || echo "$file $(cat "$group/$file")"; done
printf '\n@@ user\n'
user=$(setting user)
[ -z "$user" ] || { id -u "${user%%:*}" 2>/dev/null || echo "${user%%:*}"; }
printf '\n@@ unlike\n'
cat "$home/unlike" 2>/dev/null # by restoring.sh
printf '\n@@ end\n'
