# pack.sh FOLDER IMAGES [plain]: what was captured in FOLDER becomes the files of a checkpoint, with the images of memory; says
# `packed FILE BYTES SHA256` for each. They are compressed, but for stores that
# find again what they have (`plain`), and where there is no zstd.
umask 077
export LC_ALL=C
cd "$1" || exit 1
images=$2
if [ "${3:-}" != plain ] && command -v zstd >/dev/null; then end=.zst; else end=; fi
squeeze() { if [ -n "$end" ]; then zstd -q -1 -c; else cat; fi; }
pack() { # FILE, made from what comes in
    squeeze >"$1$end" || exit 1
    sum=$(sha256sum <"$1$end") || exit 1
    echo "packed $1$end $(stat -c %s -- "$1$end") ${sum%% *}"
}
{ tar --create --file=- --blocking-factor=128 --numeric-owner --directory="$images" . || echo "$?" >failed; } | pack images.tar
[ ! -e failed ] || { echo "the images in $images could not be read" >&2; exit 1; }
number=0
while read -r _; do
    number=$((number + 1))
    for file in base.tar delta.tar names; do
        [ -e "$number.$file" ] || { echo "$number.$file is missing" >&2; exit 1; }
        mv "$number.$file" raw && pack "$number.$file" <raw && rm raw || exit 1
    done
done <trees
[ ! -e oci.json ] || { mv oci.json raw && pack oci.json <raw && rm raw; } || exit 1
rm -f trees since ./*.was ./*.now ./*.changed
# The files reach the disk before the manifest says that they are there.
sync -f . || exit 1
