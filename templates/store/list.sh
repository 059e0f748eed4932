# list.sh FOLDER [NAME [COUNT]]: a line for each whole checkpoint: NAME, ID, `pinned` or `-`, how it was rehearsed or `-`, and
# its manifest. NAME: only of this workload, `*` for all; COUNT: only so many of each, the newest ones by their IDs, and of those
# before them the newest that was rehearsed well, and badly.
cd "$1" 2>/dev/null || exit 0
most=${3:-0}
line() { # MANIFEST
    [ -f "$1" ] || return 0
    folder=${1%/*} pin=- note=-
    [ ! -e "$folder/pinned" ] || pin=pinned
    rehearsed
    IFS= read -r text <"$1" || [ -n "$text" ] || text='{}'
    printf '%s %s %s %s %s\n' "${folder%/*}" "${folder#*/}" "$pin" "$note" "$text"
}
rehearsed() { # of $folder, in $note
    [ -e "$folder/rehearsed" ] && IFS= read -r note <"$folder/rehearsed" && [ -n "$note" ] || note=-
    case $note in *' '*) note=- ;; esac
}
show() {
    good='' bad=''
    if [ "$most" -gt 0 ]; then
        for manifest; do
            [ $# -gt "$most" ] || break
            folder=${manifest%/*}
            rehearsed
            case $note in ok:*) good=$manifest ;; failed:*) bad=$manifest ;; esac
            shift
        done
        [ -z "$good" ] || line "$good"
        [ -z "$bad" ] || line "$bad"
    fi
    for manifest; do line "$manifest"; done
}
case ${2:-*} in
'*') for workload in */; do show "$workload"*/manifest.json; done ;;
*) show "$2"/*/manifest.json ;;
esac
