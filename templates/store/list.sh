# list.sh FOLDER [NAME]: a line for each whole checkpoint: NAME, ID, `pinned` or `-`, and its manifest.
cd "$1" 2>/dev/null || exit 0
if [ $# -gt 1 ]; then set -- "$2"/*/manifest.json; else set -- */*/manifest.json; fi
for manifest; do
    [ -f "$manifest" ] || continue
    folder=${manifest%/*}
    pin=-
    [ ! -e "$folder/pinned" ] || pin=pinned
    IFS= read -r text <"$manifest" || [ -n "$text" ] || text='{}'
    printf '%s %s %s %s\n' "${folder%/*}" "${folder#*/}" "$pin" "$text"
done
