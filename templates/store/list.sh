# list.sh FOLDER [NAME [COUNT [UNTIL]]]: a line for each whole checkpoint: NAME, ID, `pinned` or `-`, how it was rehearsed or `-`, and
# its manifest. NAME: only of this workload, `*` for all; COUNT: only so many of each, the newest ones by their IDs, and of those
# before them the newest that was rehearsed well, and badly. UNTIL: IDs that sort after it are of the future, by a clock that was wrong:
# they are not counted, and of them the first COUNT are listed, too.
export LC_ALL=C
cd "$1" 2>/dev/null || exit 0
most=${3:-0} until=${4:-}
line() { # MANIFEST
    [ -f "$1" ] || return 0
    folder=${1%/*} pin=- note=-
    [ ! -e "$folder/pinned" ] || pin=pinned
    rehearsed
    IFS= read -r text <"$1" || [ -n "$text" ] || text='{}'
    name=${folder%/*} id=${folder#*/}
    case $name$id in *[!A-Za-z0-9._-]*) name=$(plain "$name") id=$(plain "$id") ;; esac
    printf '%s %s %s %s %s\n' "$name" "$id" "$pin" "$note" "$text"
}
plain() { printf '%s' "$1" | tr -c 'A-Za-z0-9._-' '?'; } # what a hand has named, as a word of one line
rehearsed() { # of $folder, in $note
    [ -e "$folder/rehearsed" ] && IFS= read -r note <"$folder/rehearsed" && [ -n "$note" ] || note=-
    case $note in *' '*) note=- ;; esac
}
show() {
    good='' bad='' past=$# ahead=0
    if [ "$most" -gt 0 ]; then
        [ -z "$until" ] || past=$(past "$@")
        ahead=$(($# - past))
        for manifest; do
            [ "$past" -gt "$most" ] || break
            folder=${manifest%/*}
            rehearsed
            case $note in ok:*) good=$manifest ;; failed:*) bad=$manifest ;; esac
            shift
            past=$((past - 1))
        done
        [ -z "$good" ] || line "$good"
        [ -z "$bad" ] || line "$bad"
    fi
    [ "$most" -eq 0 ] || [ "$ahead" -le "$most" ] || ahead=$most
    left=$((past + ahead))
    for manifest; do
        [ "$left" -gt 0 ] || break
        line "$manifest"
        left=$((left - 1))
    done
}
past() { # MANIFEST...: how many are not of the future
    count=0
    for manifest; do
        id=${manifest%/*}
        # shellcheck disable=SC3012 # dash and busybox have it
        if [ "${id##*/}" \> "$until" ]; then break; fi
        count=$((count + 1))
    done
    echo "$count"
}
case ${2:-*} in
'*') for workload in */; do show "$workload"*/manifest.json; done ;;
*) show "$2"/*/manifest.json ;;
esac
