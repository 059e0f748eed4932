# list.sh FOLDER [NAME [COUNT]]: a line for each whole checkpoint: NAME, ID, `pinned` or `-`, and its manifest. NAME: only of
# this workload, `*` for all; COUNT: only so many of each, the newest ones by their IDs.
cd "$1" 2>/dev/null || exit 0
most=${3:-0}
show() {
    [ "$most" -eq 0 ] || [ $# -le "$most" ] || shift $(($# - most))
    for manifest; do
        [ -f "$manifest" ] || continue
        folder=${manifest%/*}
        pin=-
        [ ! -e "$folder/pinned" ] || pin=pinned
        IFS= read -r text <"$manifest" || [ -n "$text" ] || text='{}'
        printf '%s %s %s %s\n' "${folder%/*}" "${folder#*/}" "$pin" "$text"
    done
}
case ${2:-*} in
'*') for workload in */; do show "$workload"*/manifest.json; done ;;
*) show "$2"/*/manifest.json ;;
esac
