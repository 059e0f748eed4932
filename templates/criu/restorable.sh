# restorable.sh FOLDER: whether a folder has a dump's images with all their pages: of some that follow they are not there
# (split.py), or not all (serve.py).
cd "$1" 2>/dev/null && [ -s inventory.img ] && [ ! -e partial ] || exit 1
[ ! -e first ] || ls pages-[0-9]*.img >/dev/null 2>&1
