# room.sh HOME FOLDER: make the folder of ours for a container, and note where Docker keeps it.
set -eu
umask 077
mkdir -p "$1"
printf '%s\n' "$2" >"$1/folder.new"
mv -f "$1/folder.new" "$1/folder"
rm -f "$1/fenced" "$1/restore.log" "$1/restored.pid"
