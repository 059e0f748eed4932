# unpack.sh < ARCHIVE: take images in.
# What an archive calls them is the sender's word. Names that images have here stay theirs, and none is new: by which
# one the image is known, the controller says.
set -eu
umask 077
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 143' TERM HUP INT
image_names() { # lines `NAME ID`, sorted
    podman image ls --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}' | grep -v '<none>' | LC_ALL=C sort -u
}
image_names > "$tmp/before"
podman load --quiet > /dev/null && loaded=0 || loaded=$?
image_names > "$tmp/after"
LC_ALL=C comm -13 "$tmp/before" "$tmp/after" > "$tmp/new"
while read -r name id; do
    old=$(awk -v name="$name" '$1 == name {print $2}' "$tmp/before")
    if [ -n "$old" ]; then podman tag "$old" "$name"; else podman untag "$id" "$name"; fi < /dev/null
done < "$tmp/new"
exit "$loaded"
