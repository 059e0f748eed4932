# lay.sh FOLDER OUT ARCHIVE... < CONFIG: in OUT, which is new, what an archive of a checkpoint for others has, to be sent by send.sh.
# ARCHIVE: what it calls each tree, in their order. CONFIG: its files about the container and about what of its image is
# gone, a line each. Exit 4: files alone do not tell what its root filesystem is.
umask 077
# include reading
# shellcheck disable=SC2034 # read by what is included
folder=$1 out=$2
shift 2
find "${out%/*}" -maxdepth 1 -name '.export.*' -mmin +1440 -exec rm -rf {} + # of a host that lost power
mkdir "$out" "$out/tmp" "$out/tar" "$out/tar/checkpoint" || exit 1
tmp=$out/tmp
for file in config.dump spec.dump deleted.files; do
    IFS= read -r line && printf '%s\n' "$line" >"$out/tar/$file" || exit 1
done
whole images.tar extract "$out/tar/checkpoint" || exit 1
rm -rf "$out/tar/checkpoint/state" "$out/tar/checkpoint/ctr.log" # what only our restores read
for shm in devshm-checkpoint.tar shm.tar; do
    [ ! -e "$out/tar/checkpoint/$shm" ] || mv "$out/tar/checkpoint/$shm" "$out/tar/devshm-checkpoint.tar" || exit 1
done
mkdir "$out/tar/volumes" || exit 1
number=0
for archive; do
    number=$((number + 1))
    # What overlayfs tells by marks on files that are still in the image below, an archive of files alone would lose.
    if [ "$archive" = rootfs-diff.tar ]; then
        for part in base delta; do
            whole "$number.$part.tar" tar --list -vv --xattrs --xattrs-include='trusted.*' --file=- >"$tmp/said" || exit 1
            lost=$(sed -n 's/^  x: [0-9]* trusted\.overlay\.\(opaque\|redirect\|metacopy\)$/\1/p' "$tmp/said" | sort -u)
            [ -z "$lost" ] || { echo "overlayfs marks: $(echo "$lost" | tr '\n' ' ')" >&2; exit 4; }
        done
    fi
    mkdir "$tmp/tree" && tree "$number" "$tmp/tree" || exit 1
    # Overlayfs tells what is gone by devices 0:0, which the list of deleted files says here.
    [ "$archive" != rootfs-diff.tar ] || find "$tmp/tree" -type c -exec sh -c \
        'for f; do [ "$(stat -c %t:%T -- "$f")" != 0:0 ] || rm -f -- "$f" || exit 1; done' sh {} + || exit 1
    tar --create --file="$out/tar/$archive" --numeric-owner --sparse --xattrs --xattrs-include='user.*' \
        --xattrs-include=security.capability --directory="$tmp/tree" . || exit 1
    rm -rf "$tmp/tree" || exit 1
done
