# restorable.sh FOLDER: whether a folder has a dump's images with all their pages: of some that follow they are not there
# (split.py), or not all (serve.py). What is missing, and for how long somebody has waited for some of it, is printed.
cd "$1" 2>/dev/null || exit 1
[ ! -e partial ] || cat ../pages.left 2>/dev/null
[ -s inventory.img ] && [ ! -e partial ] || exit 1
[ ! -e first ] || ls pages-[0-9]*.img >/dev/null 2>&1
