# truth.sh PID CONFIG UNLIKE [SYSCTL...]: what the kernel says of a container's processes, what its OCI config allows,
# and the file in which a restore says what is not as it was.
# SYSCTLs as paths below /proc/sys.
export LC_ALL=C
space=$(readlink "/proc/$1/ns/pid" | sed 's/[][]/\\&/g')
[ -n "$space" ] || { echo "process $1 is not there" >&2; exit 1; }
for pid in $(find /proc -maxdepth 3 -path '/proc/[0-9]*/ns/pid' -lname "$space" 2>/dev/null | cut -d/ -f3); do
    # Read once: it may end at any time. One that has ended and waits for its parent runs nothing, and CRIU makes it
    # anew without bothering about rights.
    status=$(grep -E '^(Name|State|Uid|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' "/proc/$pid/status" 2>/dev/null)
    case $status in '' | *State:?[ZX]*) continue ;; esac
    printf '\n@@ process %s\n%s\n' "$pid" "$status"
done
printf '\n@@ mounts\n'
cut -d' ' -f5 "/proc/$1/mountinfo"
printf '\n@@ shared\n'
for space in mnt net pid ipc uts; do
    [ "$(readlink "/proc/$1/ns/$space")" != "$(readlink "/proc/self/ns/$space")" ] || echo "$space"
done
printf '\n@@ cgroup\n'
cat "/proc/$1/cgroup"
printf '\n@@ limits\n'
cat "/proc/$1/limits"
printf '\n@@ confined\n'
tr -d '\0' <"/proc/$1/attr/current" 2>/dev/null
printf '\n@@ config\n'
cat "$2"
printf '\n@@ unlike\n'
cat "$3" 2>/dev/null # by restoring.sh, which may still be at what it masks
null=$(stat -c %d:%i /dev/null)
while read -r _ _ _ root path _; do
    case $root:$path in */null:/proc/* | */null:/sys/*) ;; *) continue ;; esac
    tries=0
    while [ "$(stat -c %d:%i "/proc/$1/root$path")" = "$null" ]; do
        tries=$((tries + 1))
        [ "$tries" -le 50 ] || { echo "$path, which is masked, is the host's own /dev/null (mount --namespace did not hide it)" && break; }
        sleep 0.1
    done
done <"/proc/$1/mountinfo"
pid=$1
shift 3
[ $# -gt 0 ] || exit 0
printf '\n@@ sysctls\n'
# shellcheck disable=SC2016 # it is the inner shell's to expand
nsenter --net="/proc/$pid/ns/net" --ipc="/proc/$pid/ns/ipc" sh -c \
    'for path; do printf "%s " "$path"; cat "/proc/sys/$path" 2>/dev/null || echo; done' sh "$@"
