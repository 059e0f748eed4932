# look.sh FOLDER NUMBER...: what a checkpoint tells without its memory, as a tar in base64: its small images, what its
# trees of these numbers hold as tar lists that, and the configuration its container ran with.
umask 077
# include reading
# shellcheck disable=SC2034 # read by what is included
folder=$1
shift
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 143' TERM HUP INT
contents() { tar --list --verbose --utc --full-time --numeric-owner --quoting-style=escape --file=-; }
mkdir "$tmp/out" "$tmp/out/images" || exit 1
whole images.tar extract "$tmp/out/images" --wildcards --exclude='pages-*.img' --exclude='tmpfs-*' --exclude='*.tar' || exit 1
find "$tmp/out/images" ! -type f ! -type d -delete
whole images.tar contents >"$tmp/out/images.list" || exit 1
for number; do
    for part in base delta; do whole "$number.$part.tar" contents >"$tmp/out/$number.$part" || exit 1; done
    whole "$number.names" cat >"$tmp/out/$number.names" || exit 1
done
for config in "$folder"/oci.json*; do
    [ ! -e "$config" ] || whole oci.json cat >"$tmp/out/oci.json" || exit 1
done
tar --create --gzip --file="$tmp/tar" --directory="$tmp/out" . && base64 "$tmp/tar"
