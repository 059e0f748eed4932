# image.sh ID: the digest, media type and size of the manifest that an image is, by its ID.
ctr -n k8s.io images ls "name==$1" | awk 'NR > 1 {for (i = 2; i <= NF; i++) if ($i ~ /^sha256:/) {print $i, $2; exit}}' | {
    read -r digest type || { echo "there is no image $1" >&2; exit 1; }
    size=$(ctr -n k8s.io content get "$digest" | wc -c)
    printf '%s %s %s\n' "$digest" "$type" "$size"
}
