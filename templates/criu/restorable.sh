# restorable.sh FOLDER: whether a folder has a dump's images with all their pages, or they are kept on disk beside it: of some
# that follow they are not there (split.py), or not all (serve.py). What is missing, and for how long somebody has waited
# for some of it, is printed as `missing BYTES SECONDS`; else what persisting.sh tells.
home=${1%/*}
# include persisting
cd "$home" 2>/dev/null || exit 1
[ ! -e "$1/partial" ] || sed 's/^/missing /' pages.left 2>/dev/null
tell_persisted
[ -s "$1/inventory.img" ] || { persisted && exit 0; }
[ -s "$1/inventory.img" ] && [ ! -e "$1/partial" ] || exit 1
[ ! -e "$1/first" ] || { images_live "$1" && ls "$1"/pages-[0-9]*.img >/dev/null 2>&1; }
