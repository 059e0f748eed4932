# make.sh ENGINE LABEL WORKLOAD [VOLUME]... -- COMMAND...: run what makes a container and prints its ID. The volumes that it
# mounts must be the workload's: one that somebody has removed meanwhile an engine makes again, empty and without a label.
# Then the container is removed, and that volume with it while it is empty. What a container mounts nobody can remove, so it is looked at after.
engine=$1 label=$2 workload=$3
shift 3
volumes=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    volumes="$volumes $1"
    shift
done
shift
said=$("$@") || exit
strange=
for volume in $volumes; do
    owner=$("$engine" volume inspect --format "{{index .Labels \"$label\"}}" "$volume" </dev/null) || exit
    [ "$owner" = "$workload" ] || strange="$strange $volume"
done
if [ -z "$strange" ]; then
    printf '%s\n' "$said"
    exit 0
fi
"$engine" rm "$(printf '%s\n' "$said" | tail -n 1)" </dev/null >/dev/null || exit
for volume in $strange; do
    labels=$("$engine" volume inspect --format '{{len .Labels}}' "$volume" </dev/null) || continue
    folder=$("$engine" volume inspect --format '{{.Mountpoint}}' "$volume" </dev/null) || continue
    # What is in it may be somebody's; or the image's, with which Docker fills a new volume.
    [ "$labels" != 0 ] || [ -n "$(ls -A "$folder")" ] || "$engine" volume rm "$volume" </dev/null >/dev/null
done
echo "somebody removed$strange right before" >&2
exit 76
