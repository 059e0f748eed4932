#!/bin/sh
# transfer-send.sh KEY VIA COMPRESS tree INDEX XATTRS PART PARTS PATH
# transfer-send.sh KEY VIA COMPRESS image INDEX FORMAT ID
#
# Sends one tree or image. VIA: number of the warm connection to the destination, or `-` to write to stdout (relay).
# Says how far it is, four times a second, in lines `rc: ...`; ends, with all it started, when stdin ends: that is
# how it notices that the controller is gone.
set -eu
umask 077
dir=/run/reconciler/links/$1
key=$1 via=$2 compress=$3 what=$4 index=$5
shift 5
[ -d "$dir" ] || { echo "no link $key here" >&2; exit 66; }
exec 3<&0 < /dev/null
if [ "$via" = - ]; then exec 4>&2; else exec 4>&1; fi

read -r _ _ _ _ group _ < "/proc/$$/stat"
: > "$dir/run.$group"
tmp=$dir/send.$$
mkdir "$tmp" 2>/dev/null || { rm -rf "$tmp" && mkdir "$tmp"; }
life='' pulse=''
clean() {
    # shellcheck disable=SC2086
    kill $life $pulse 2>/dev/null || true
    rm -rf "$tmp" "$dir/run.$group"
}
trap clean EXIT
trap 'exit 143' TERM HUP INT
( trap - EXIT TERM HUP INT; read -r _ <&3 || true; kill -s KILL -- "-$group" ) > /dev/null 2>&1 4>&- & life=$!

# Run a command whose process can be asked how many bytes it has written.
# shellcheck disable=SC2016
watched() { exec sh -c 'echo $$ > "$0"; exec "$@"' "$tmp/pid" "$@"; }
produce_tree() {
    xattrs=$1 part=$2 parts=$3
    cd "$4"
    # 64 KiB, what a pipe holds, was the fastest record size: twice as fast as 256 KiB and more.
    set -- --create --file=- --blocking-factor=128 --totals --numeric-owner --sparse --hole-detection=seek
    [ "$xattrs" = 0 ] || set -- "$@" --xattrs --xattrs-include='*'
    if [ "$parts" = 1 ]; then
        watched tar "$@" .
    else
        # Largest first, dealt out in turn: the parts come out about equal.
        find . -mindepth 1 -maxdepth 1 -printf '%s %p\n' | sort -rn |
            awk -v n="$parts" -v i="$part" '(NR - 1) % n == i { sub(/^[0-9]+ /, ""); print }' > "$tmp/files"
        watched tar "$@" --verbatim-files-from --files-from="$tmp/files"
    fi
}
produce() {
    if [ "$what" = tree ]; then ( produce_tree "$@" ); return $?; fi
    { podman save --quiet --format "$1" "$2"; echo $? > "$tmp/saved"; } | ( watched dd bs=64K )
    return "$(cat "$tmp/saved")"
}
first() {
    { produce "$@" 3<&- 4>&-; echo $? > "$tmp/near"; } 2> "$tmp/err"
}
squeezed() {
    if [ "$compress" = none ]; then first "$@"; else first "$@" | zstd -q -c "-${compress#zstd-}" -T0; fi
}
deliver() {
    exec ssh -F "$dir/ssh_config" -S "$dir/master.$via" link "$what $index $compress" 2> "$tmp/far"
}
say_bytes() {
    while read -r name value; do
        [ "$name" != wchar: ] || echo "rc: bytes $value" >&4
    done < "/proc/$(cat "$tmp/pid")/io"
}
# The pause must not hold our outputs open: whoever reads them waits until the last holder is gone.
( trap - EXIT; while sleep 0.25 > /dev/null 2>&1 3<&- 4>&-; do say_bytes 2>/dev/null || true; done ) & pulse=$!

set +e
if [ "$via" = - ]; then squeezed "$@"; else squeezed "$@" | ( deliver ) > "$tmp/answer"; fi
far=$?
set -e
read -r near < "$tmp/near" || near=1
complaints=
while read -r line; do
    case $line in
        'Total bytes written: '*) line=${line#*: } && echo "rc: bytes ${line%% *}" >&4 ;;
        [0-9]*' bytes'*' copied, '*) echo "rc: bytes ${line%% *}" >&4 ;;
        *' records in' | *' records out') ;;
        *) complaints=yes ;;
    esac
done < "$tmp/err"
if [ "$via" != - ]; then
    while read -r line; do
        case $line in 'rc: '*) echo "$line" >&4 ;; esac
    done < "$tmp/answer"
fi
if [ -n "$complaints" ]; then
    grep -v -e '^Total bytes' -e ' copied, ' -e 'records \(in\|out\)$' "$tmp/err" | tail -n 5 >&2 || true
fi
[ ! -s "$tmp/far" ] || tail -n 8 "$tmp/far" >&2
echo "rc: ended $near $far" >&4
[ "$near" = 0 ] && [ "$far" = 0 ]
