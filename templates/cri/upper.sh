# upper.sh PID: the upper directory of the overlay that is this process's root.
found=$(awk '$5 == "/" {print $NF}' "/proc/$1/mountinfo" | tr , '\n' | sed -n 's/^upperdir=//p' | tail -n 1)
[ -d "$found" ] || { echo 'its root is not an overlay that this host sees' >&2; exit 1; }
printf '%s\n' "$found"
