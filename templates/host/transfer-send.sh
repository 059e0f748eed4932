#!/bin/sh
# transfer-send.sh KEY VIA COMPRESS CHECK tree INDEX XATTRS PART PARTS PATH
# transfer-send.sh KEY VIA COMPRESS CHECK image INDEX FORMAT ID
#
# Sends one tree or image. VIA: number of the warm connection to the destination, or `-` to write to stdout (relay).
# Says how far it is, four times a second, in lines `rc: ...`; ends, with all it started, when stdin ends: that is
# how it notices that the controller is gone. The stream is summed (CRC-32 and length) while it passes.
set -eu
umask 077
dir=/run/reconciler/links/$1
key=$1 via=$2 compress=$3 check=$4 what=$5 index=$6
shift 6
[ -d "$dir" ] || { echo "no link $key here" >&2; exit 66; }
exec 3<&0 < /dev/null
if [ "$via" = - ]; then exec 4>&2; else exec 4>&1; fi

read -r _ _ _ _ group _ < "/proc/$$/stat"
: > "$dir/run.$group"
tmp=$(mktemp -d "$dir/send.XXXXXX")
sum='' life='' pulse=''
clean() {
    # shellcheck disable=SC2086
    kill $sum $life $pulse 2>/dev/null || true
    rm -rf "$tmp" "$dir/run.$group"
}
trap clean EXIT
trap 'exit 143' TERM HUP INT
( trap - EXIT TERM HUP INT; read -r _ <&3 || true; kill -KILL -- "-$group" ) & life=$!

produce() {
    case $what in
        tree)
            xattrs=$1 part=$2 parts=$3
            cd "$4"
            set -- --create --file=- --blocking-factor=128 --numeric-owner --sparse --hole-detection=seek
            [ "$xattrs" = 0 ] || set -- "$@" --xattrs --xattrs-include='*'
            if [ "$parts" = 1 ]; then
                set -- "$@" .
            else
                # Largest first, dealt out in turn: the parts come out about equal.
                find . -mindepth 1 -maxdepth 1 -printf '%s %p\n' | sort -rn |
                    awk -v n="$parts" -v i="$part" '(NR - 1) % n == i { sub(/^[0-9]+ /, ""); print }' > "$tmp/files"
                set -- "$@" --verbatim-files-from --files-from="$tmp/files"
            fi
            set -- tar "$@"
            ;;
        image) set -- podman save --quiet --format "$1" "$2" ;;
    esac
    # shellcheck disable=SC2016
    exec sh -c 'echo $$ > "$0"; exec "$@"' "$tmp/first" "$@"
}
squeeze() { if [ "$compress" = none ]; then exec cat; else exec zstd -q -c "-${compress#zstd-}" -T0; fi; }
source_of() {
    if [ "$compress" = none ]; then ( produce "$@" ); else
        { ( produce "$@" ); echo $? > "$tmp/inner"; } | ( squeeze )
        return "$(cat "$tmp/inner")"
    fi
}
# shellcheck disable=SC2016
counted() { exec sh -c 'echo $$ > "$0"; exec tee "$1"' "$tmp/counter" "$tmp/sum"; }
deliver() {
    exec ssh -F "$dir/ssh_config" -S "$dir/master.$via" link "$what $index $compress $check" 2> "$tmp/far"
}
bytes_passed() {
    if [ "$check" = none ]; then process=first wanted=wchar: ; else process=counter wanted=rchar: ; fi
    while read -r name value; do
        [ "$name" != "$wanted" ] || echo "rc: bytes $value" >&4
    done < "/proc/$(cat "$tmp/$process")/io"
}

if [ "$check" != none ]; then
    mkfifo "$tmp/sum"
    cksum < "$tmp/sum" > "$tmp/cksum" & sum=$!
fi
# The pause must not hold our outputs open: the reader waits until the last holder is gone.
( trap - EXIT; while sleep 0.25 > /dev/null 2>&1 3<&- 4>&-; do bytes_passed 2>/dev/null || true; done ) & pulse=$!

first() { source_of "$@" 2> "$tmp/err" 3<&- 4>&-; echo $? > "$tmp/status"; }
set +e
if [ "$check" = none ]; then
    if [ "$via" = - ]; then first "$@"; else first "$@" | ( deliver ) > "$tmp/answer"; fi
elif [ "$via" = - ]; then first "$@" | ( counted )
else first "$@" | ( counted ) | ( deliver ) > "$tmp/answer"
fi
far=$?
[ -z "$sum" ] || { wait "$sum"; sum=''; }
set -e
near=$(cat "$tmp/status")
[ "$check" = none ] || echo "rc: sent $(cat "$tmp/cksum")" >&4
[ "$via" = - ] || grep '^rc: ' "$tmp/answer" >&4 || true
tail -n 5 "$tmp/err" >&2
[ ! -s "$tmp/far" ] || tail -n 8 "$tmp/far" >&2
echo "rc: ended $near $far" >&4
[ "$near" = 0 ] && [ "$far" = 0 ]
