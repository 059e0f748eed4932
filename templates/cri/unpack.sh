# unpack.sh < ARCHIVE: take an image in, by its ID and by no name: what an archive calls itself is the sender's word. So it
# comes into a namespace of its own first, where its ID is computed from what it is.
set -eu
own=reconciler-$$
left() {
    ctr -n "$own" images ls -q 2>/dev/null | xargs -r ctr -n "$own" images rm >/dev/null 2>&1
    ctr namespaces rm "$own" >/dev/null 2>&1
}
trap left EXIT
trap 'exit 143' TERM HUP INT
ctr namespaces create "$own" >/dev/null
ctr -n "$own" images import --no-unpack - >/dev/null
ctr -n "$own" images ls | awk 'NR > 1 {for (i = 2; i <= NF; i++) if ($i ~ /^sha256:/) {print $1, $i; break}}' |
    while read -r name manifest; do
        id=$(ctr -n "$own" content get "$manifest" | tr -d ' \n\t' | sed -n 's/.*"config":{[^}]*"digest":"\(sha256:[0-9a-f]*\)".*/\1/p')
        [ -n "$id" ] || { echo 'it is an image of several platforms' >&2; exit 1; }
        [ "$name" = "$id" ] || ctr -n "$own" images tag --force "$name" "$id" >/dev/null
        ctr -n "$own" images export - "$id" | ctr -n k8s.io images import - >/dev/null
        tries=0 # until CRI knows of it
        until ctr -n k8s.io images ls "name==$id" | grep -q 'io.cri-containerd.image=managed'; do
            tries=$((tries + 1))
            [ "$tries" -lt 50 ] || { echo 'CRI does not see the image' >&2; exit 1; }
            sleep 0.1
        done
    done
