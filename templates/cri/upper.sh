# upper.sh PID ID...: the upper directory of the overlay that a container's root is, a line `ID DIRECTORY` each; none where it is no
# overlay that this host sees. PID: its first process; 0: it has none.
while [ $# -ge 2 ]; do
    if [ "$1" != 0 ]; then
        options=$(awk '$5 == "/" {print $NF}' "/proc/$1/mountinfo")
    else
        options=$(ctr -n k8s.io snapshots mounts /mnt "$2")
    fi
    found=$(printf '%s\n' "$options" | tr ', ' '\n' | sed -n 's/^upperdir=//p' | tail -n 1)
    [ ! -d "$found" ] || printf '%s %s\n' "$2" "$found"
    shift 2
done 2>/dev/null
exit 0
