# cancel.sh ID ROOM: end the migration of a domain. One that is about to begin is waited for, as long as 20 s.
# include virsh
id=$1 room=$2 turns=0
answers
while [ "$turns" -lt 100 ]; do
    turns=$((turns + 1))
    if virsh domjobinfo "$id" 2>/dev/null | grep -q 'Outgoing migration'; then
        virsh domjobabort "$id"
    elif [ ! -e "$room/lock" ] || flock -n "$room/lock" true; then
        exit 0
    fi
    sleep 0.2
done
