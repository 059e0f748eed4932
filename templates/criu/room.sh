# room.sh FOLDER BYTES: an empty, private folder for images, in memory when so many are available. Says `memory` or `disk`.
umask 077
folder=$1 wanted=$2
# include persisting
case $folder in /*/*/checkpoint | /*/*/precopy) ;; *) exit 1 ;; esac
while grep -q " $folder " /proc/mounts; do umount "$folder" || exit 1; done # ends by one less each turn
case $folder in */checkpoint) forget_persisted "${folder%/*}" ;; esac
rm -rf "$folder" && mkdir "$folder" || exit 1
available=$(awk '/^MemAvailable:/ {printf "%.0f", $2 * 1024}' /proc/meminfo)
# What is not used costs nothing, so the limit is what the host can spare.
if [ "$wanted" -lt "$available" ]; then
    mount -t tmpfs -o "mode=0700,nosuid,nodev,noexec,size=$((available / 2))" tmpfs "$folder" && echo memory && exit 0
fi
echo disk
