# unpack.sh FOLDER TARGET images | FOLDER TARGET tree NUMBER: lay out images of memory, or a tree, from a checkpoint's files
# in a folder that is there. What is in it goes.
umask 077
export LC_ALL=C
folder=$1 target=$2 what=$3
[ -d "$target" ] || { echo "$target is not a folder" >&2; exit 1; }
raw() { # FILE
    if [ -e "$folder/$1.zst" ]; then zstd -q -d -c "$folder/$1.zst"; else cat "$folder/$1"; fi
}
extract() {
    tar --extract --file=- --blocking-factor=128 --numeric-owner --same-owner --preserve-permissions \
        --delay-directory-restore --acls --xattrs --xattrs-include='*' --xattrs-exclude=security.selinux \
        --directory="$target"
}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 143' TERM HUP INT
all() { # FILE; fails also when the first half of the pipe does
    { raw "$1" || : >"$tmp/failed"; } | extract && [ ! -e "$tmp/failed" ]
}
find "$target" -mindepth 1 -xdev -delete || exit 1
if [ "$what" = images ]; then
    all images.tar
    exit
fi
number=$4
all "$number.base.tar" || exit 1
raw "$number.names" >"$tmp/names" && [ -s "$tmp/names" ] || exit 1
(cd "$target" && find . -printf '%y %p\0' | sort -z | comm -z -23 - "$tmp/names" | sed -z 's/^..//' | xargs -0 -r rm -rf --)
all "$number.delta.tar" || exit 1
