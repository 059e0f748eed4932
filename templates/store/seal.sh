# seal.sh PART FOLDER [replace] < MANIFEST: a checkpoint is whole: its folder gets its name. May be repeated. `replace`: what has
# that name goes, as one that is damaged; it stays pinned where it was.
umask 077
part=$1 folder=$2 aside=
if [ ! -d "$part" ] && [ -e "$folder/manifest.json" ]; then exec cat >/dev/null; fi
mkdir -p "${folder%/*}" && cat >"$part/manifest.json" && sync "$part/manifest.json" && sync -f "$part" || exit 1
if [ "${3:-}" = replace ] && [ -e "$folder" ]; then
    aside=${part%.part}.old.part
    [ ! -e "$folder/pinned" ] || : >"$part/pinned" || exit 1
    mv -T "$folder" "$aside" || exit 1
fi
if ! mv -T "$part" "$folder"; then
    [ -z "$aside" ] || mv -T "$aside" "$folder"
    exit 1
fi
[ -z "$aside" ] || rm -rf "$aside"
sync "${folder%/*}"
