# restore.sh HOME ID: let Docker restore a container from the images in HOME, of which CRIU's config knows. What Docker takes
# for the checkpoint is a folder of no more than what the OCI runtime reads, and of something new each time: containerd
# knows contents by their sums, and fails where it still has the same (moby#42900).
home=$1 id=$2
read -r folder <"$home/folder" || exit
rm -f "$home/restore.log" "$home/fenced" # the guard, under whose lock this runs, says that it is not
tries=0
while :; do
    tries=$((tries + 1))
    read -r new </proc/sys/kernel/random/uuid
    rm -rf "$folder/checkpoints"
    (umask 077 && mkdir -p "$folder/checkpoints/$new") && cp "$home/checkpoint/descriptors.json" "$folder/checkpoints/$new/" &&
        printf '%s\n' "$new" >"$folder/checkpoints/$new/unique" || exit
    said=$(docker start --checkpoint "$new" "$id" 2>&1) && break
    status=$?
    # Where CRIU has begun, the answer is its own; before that it was Docker's, which may be another one.
    [ ! -s "$home/restore.log" ] && [ "$tries" -lt 2 ] || { printf '%s\n' "$said" >&2; exit "$status"; }
    sleep 0.3
done
rm -rf "$folder/checkpoints"
# Docker says that all is well where the container ran already, and restores nothing.
[ -e "$home/restored.pid" ] || { echo 'Docker has restored nothing: did it run already?' >&2; exit 1; }
