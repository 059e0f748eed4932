# unpack.sh FOLDER TARGET images | FOLDER TARGET tree NUMBER: lay out images of memory, or a tree, from a checkpoint's files
# in a folder that is there. What is in it goes. Nobody else lays out anything there meanwhile: what a controller that has died
# began may still be under way, and would write over what came after it.
umask 077
# include reading
# shellcheck disable=SC2034 # read by what is included
folder=$1 target=$2 what=$3
[ -d "$target" ] || { echo "$target is not a folder" >&2; exit 1; }
exec 9<"$target" && flock -w 600 9 || { echo "files are still laid out in $target" >&2; exit 1; }
# shellcheck disable=SC3013 # dash and busybox have it
[ "$target" -ef /proc/self/fd/9 ] || { echo "$target was made anew meanwhile, by somebody else" >&2; exit 1; }
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 143' TERM HUP INT
find "$target" -mindepth 1 -xdev -delete || exit 1
if [ "$what" = images ]; then
    whole images.tar extract "$target"
    exit
fi
tree "$4" "$target" || exit 1
