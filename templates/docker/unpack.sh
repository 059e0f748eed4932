# unpack.sh < ARCHIVE: take images in.
# What an archive calls them is the sender's word. Names that images have here stay theirs, and none is new: by which
# one the image is known, the controller says. Docker removes an image with its last name: it gets one that nobody uses.
set -eu
umask 077
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 143' TERM HUP INT
image_names() { # lines `NAME ID`, sorted
    docker image ls --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}' | grep -v '<none>' | LC_ALL=C sort -u
}
image_names > "$tmp/before" || true
docker load --quiet > /dev/null && loaded=0 || loaded=$?
image_names > "$tmp/after" || true
LC_ALL=C comm -13 "$tmp/before" "$tmp/after" > "$tmp/new"
while read -r name id; do
    kept=${id#sha256:}
    docker tag "$id" "reconciler.invalid/kept:${kept%"${kept#????????????????}"}"
    old=$(awk -v name="$name" '$1 == name {print $2}' "$tmp/before")
    if [ -n "$old" ]; then docker tag "$old" "$name"; else docker rmi --no-prune "$name" >/dev/null; fi < /dev/null
done < "$tmp/new"
exit "$loaded"
