# note.sh FOLDER NAME [TEXT]: replace a small file at once and durably; without TEXT, by what comes on stdin.
umask 077
mkdir -p "$1" || exit 1
if [ $# -ge 3 ]; then printf '%s\n' "$3"; else cat; fi > "$1/$2.new" && sync "$1/$2.new" && mv -f "$1/$2.new" "$1/$2"
