# stop.sh ID SECONDS: ask it to shut down, and cut its power when it has not by then.
# include virsh
id=$1 left=$2
stop() {
    off "$id" && return
    virsh shutdown "$id" >/dev/null 2>&1
    turns=0
    while [ "$turns" -lt $((left * 5)) ]; do
        off "$id" && return
        turns=$((turns + 1))
        sleep 0.2
    done
    virsh destroy "$id" --graceful || virsh destroy "$id" || off "$id"
}
answers
stop
