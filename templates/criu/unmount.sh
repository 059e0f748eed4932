# unmount.sh FOLDER...: free the memory behind folders of images, and empty them, and what of them is kept on disk. Only
# folders that `room.sh` makes.
# include persisting
for folder in "$@"; do
    case $folder in /*/*/checkpoint | /*/*/precopy | /*/*/lazy) ;; *) exit 1 ;; esac
    # A page server that waits for a source that is gone would keep it busy (serve.py).
    [ ! -S "${folder%/*}/pages.socket" ] || rm -f "${folder%/*}/lazy-pages.pid" "${folder%/*}/keeper.pid"
    case $folder in */checkpoint) forget_persisted "${folder%/*}" ;; esac
    tries=0
    while grep -q " $folder " /proc/mounts; do
        umount "$folder" && continue
        tries=$((tries + 1))
        [ "$tries" -lt 50 ] || exit 1
        sleep 0.1
    done
    rm -rf "$folder"
done
