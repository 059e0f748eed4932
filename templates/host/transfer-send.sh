#!/bin/sh
# transfer-send.sh KEY VIA COMPRESS WHEN images INDEX PATH [later]
# transfer-send.sh KEY VIA COMPRESS WHEN tree INDEX FLAG PATH
# transfer-send.sh KEY VIA COMPRESS WHEN image INDEX COMMAND...
#
# Sends one tree, or the image that COMMAND writes. VIA: number of the warm connection to the destination, or `-` to write to stdout (relay).
# WHEN is `now`, or `told`: everything is started and connected, and what is there is not final before a line comes on
# stdin. Pages of memory are sent before, while CRIU writes them, for it only ever appends to them; `later`: not at all,
# for transfer-feed.sh sends them while they are in use. Or it is `ahead`: a
# tree is sent while it is in use, and later only what has changed since.
# Says how far it is, four times a second, in lines `rc: ...`; ends, with all it started, when stdin ends: that is
# how it notices that the controller is gone.
set -eu
umask 077
dir=/run/reconciler/links/$1
key=$1 via=$2 compress=$3 when=$4 what=$5 index=$6
shift 6
[ -d "$dir" ] || { echo "no link $key here" >&2; exit 66; }
exec 3<&0 < /dev/null
if [ "$via" = - ]; then exec 4>&2; else exec 4>&1; fi

# include transfer-sum

read -r _ _ _ _ group _ < "/proc/$$/stat"
: > "$dir/run.$group"
tmp=$dir/send.$$
mkdir "$tmp" 2>/dev/null || { rm -rf "$tmp" && mkdir "$tmp"; }
mkfifo "$tmp/wake"
life='' pulse=''
clean() {
    # shellcheck disable=SC2086
    kill $life $pulse 2>/dev/null || true
    rm -rf "$tmp" "$dir/run.$group"
}
trap clean EXIT
trap 'exit 143' TERM HUP INT
go() { # opened for both: nobody needs to read it
    : > "$tmp/go"
    echo go 1<> "$tmp/wake"
}
exec 5<> "$tmp/wake"
[ "$when" = told ] || go
seen=$dir/seen.$index sums=$dir/sums.$index
(
    trap - EXIT TERM HUP INT
    while read -r _ <&3; do go; done
    kill -s KILL -- "-$group"
) > /dev/null 2>&1 4>&- & life=$!
wait_for_go() { [ -e "$tmp/go" ] || read -r _ <&5; }

# Run a command that can be asked how many bytes it has written.
watched() {
    { "$@" <&6 & } 6<&0 # a shell gives what runs beside it no input of its own accord
    echo $! > "$tmp/pid"
    wait $!
}
# 64 KiB, what a pipe holds, was the fastest record size: twice as fast as 256 KiB and more.
pack() { watched tar --create --file=- --blocking-factor=128 --totals --numeric-owner --sparse --hole-detection=seek "$@"; }

produce_tree() { # FLAG PATH
    cd "$2" || return 1
    flag=$1
    [ "$when" != told ] || find . -type f -size +2047 -print0 | sparse_among # not in the freeze: few are made late
    wait_for_go
    # Labels are each host's own.
    set -- --format=posix --acls --xattrs --xattrs-include='*' --xattrs-exclude=security.selinux
    if [ "$when" = ahead ] || [ -e "$seen" ]; then
        produce_changes "$@"
        return
    fi
    if [ "$when" != told ]; then
        find . -type f -size +2047 -print0 | sparse_among
    elif [ -s "$tmp/sparse" ]; then
        xargs -0 -r sh -c 'exec find "$@" -maxdepth 0 -print0' sh < "$tmp/sparse" 2>/dev/null > "$tmp/still" || true
        mv "$tmp/still" "$tmp/sparse"
    fi
    if [ -s "$tmp/sparse" ]; then
        echo "all $(stat -c %s "$tmp/sparse")"
        cat "$tmp/sparse"
    else
        echo 'all 0'
    fi
    sum_tree "$flag" . "$tmp/sparse" > "$tmp/sum" & summing=$!
    pack "$@" . || return 1
    : > "$tmp/sent"
    wait "$summing"
}
sparse_among() { # names of large files, NUL-terminated; only Perl tells where their data is
    LC_ALL=C sort -z > "$tmp/large"
    : > "$tmp/sparse"
    [ "$flag" != 2 ] || [ ! -s "$tmp/large" ] || perl_of sparse < "$tmp/large" > "$tmp/sparse"
}
SMALL_KIB=8192 SMALL_NAMES=100000
produce_changes() { # OPTION...: what `seen` does not list as it is now
    settled=$(($(date +%s) - 2)) # clocks of file systems are coarse: what is younger may change and look the same
    entries > "$tmp/now" && names < "$tmp/now" > "$tmp/keep" || return 1
    [ "$(wc -l < "$tmp/keep")" = 0 ] || { echo "a name with a newline: not sent ahead" >&2; return 1; }
    if [ ! -e "$seen" ]; then # the first time: where there is little, all of it is as quick as a difference
        [ "$(du -sk . | cut -f 1)" -ge "$SMALL_KIB" ] || [ "$(wc -c < "$tmp/keep")" -ge "$SMALL_NAMES" ] || return 0
        : > "$seen"
    fi
    LC_ALL=C comm -z -13 "$seen" "$tmp/now" > "$tmp/changed" || return 1
    { printf '.\0' && names < "$tmp/changed"; } > "$tmp/names" && file_names < "$tmp/changed" > "$tmp/files" || return 1
    xargs -0 -r sh -c 'exec find "$@" -maxdepth 0 -type f -size +2047 -print0' sh < "$tmp/files" | sparse_among
    echo "some $(stat -c %s "$tmp/keep") $(stat -c %s "$tmp/names") $(stat -c %s "$tmp/sparse")"
    cat "$tmp/keep" "$tmp/names" "$tmp/sparse"
    set -- "$@" --no-recursion --null --verbatim-files-from --files-from="$tmp/names"
    if [ "$when" = ahead ]; then
        pack --ignore-failed-read "$@" || [ $? = 1 ] || return 1 # 1: something changed meanwhile
        renew_sums "$tmp/files" "$tmp/keep" "$sums" "$tmp/sparse"
        entries ! -newerct "@$settled" > "$tmp/now" && mv "$tmp/now" "$seen"
    else
        renew_sums "$tmp/files" "$tmp/keep" "$sums" "$tmp/sparse" & summing=$!
        pack "$@" || return 1
        : > "$tmp/sent"
        wait "$summing" && sum_known "$flag" . "$sums" > "$tmp/sum"
    fi
}

# Between two parts everybody waits for a moment, so they are large; without an end the last sum would come late.
LARGEST=1073741824
send_pages() { # what is there and not sent yet
    for file in pages-*.img; do
        number=${file#pages-} number=${number%.img}
        case $number in ''|*[!0-9]*) continue ;; esac
        eval "sent=\${sent_$number:-0}"
        size=$(stat -c %s "$file") || return 1
        [ "$sent" -le "$size" ] || { echo "$file has become shorter" >&2; return 1; }
        while [ "$sent" -lt "$size" ]; do
            length=$((size - sent))
            [ "$length" -le "$LARGEST" ] || length=$LARGEST
            echo "pages $number $sent $length"
            watched dd if="$file" bs=64k iflag=skip_bytes,count_bytes skip="$sent" count="$length" status=none || return 1
            sent=$((sent + length)) total=$((total + length))
            echo "$total" > "$tmp/before"
        done
        eval "sent_$number=$sent"
    done
}
produce_images() { # PATH [later]: the stream that transfer-receive.sh describes
    cd "$1" || return 1
    total=0
    if [ "${2:-}" = later ]; then
        wait_for_go
        sum_folder . --anchored --exclude='./pages-*.img' > "$tmp/sum" & summing=$!
        echo rest
        pack --anchored --exclude='./pages-*.img' . || return 1
        : > "$tmp/sent"
        wait "$summing"
        return
    fi
    until [ -e "$tmp/go" ]; do # ends by a word of the controller, or with its connection
        send_pages || return 1
        { sleep 0.01; echo look >&5; } > /dev/null 2>&1 & # that word comes sooner
        read -r _ <&5
    done
    { find . -maxdepth 1 -name 'pages-*.img' -exec cksum {} + > "$tmp/pages" &&
        sum_folder . --anchored --exclude='./pages-*.img' > "$tmp/sum"; } & summing=$!
    send_pages || return 1
    echo rest
    pack --anchored --exclude='./pages-*.img' . || return 1
    : > "$tmp/sent"
    wait "$summing"
}
produce_image() { # COMMAND...
    { "$@"; echo $? > "$tmp/saved"; } | watched dd bs=64K
    return "$(cat "$tmp/saved")"
}
first() {
    { ( "produce_$what" "$@" ) 3<&- 4>&-; echo $? > "$tmp/near"; } 2> "$tmp/err"
}
squeezed() {
    case $compress in
        none) first "$@" ;;
        zstd) first "$@" | zstd -q -c -1 -T0 ;;
        lz4) first "$@" | lz4 -q -c -1 ;;
    esac
}
deliver() {
    exec ssh -F "$dir/ssh_config" -S "$dir/master.$via" link "$what $index $compress" 2> "$tmp/far"
}
say_bytes() {
    [ ! -e "$tmp/sent" ] || echo "rc: summing" >&4 # which takes a while for large volumes, and moves no byte
    before=0
    [ ! -s "$tmp/before" ] || read -r before < "$tmp/before"
    while read -r name value; do
        [ "$name" != wchar: ] || echo "rc: bytes $((before + value))" >&4
    done < "/proc/$(cat "$tmp/pid")/io"
}
# The pause must not hold our outputs open: whoever reads them waits until the last holder is gone.
( trap - EXIT; while sleep 0.25 > /dev/null 2>&1 3<&- 4>&-; do say_bytes 2>/dev/null || true; done ) & pulse=$! # ends by `clean`

set +e
if [ "$via" = - ]; then squeezed "$@"; else squeezed "$@" | ( deliver ) > "$tmp/answer"; fi
far=$?
set -e
read -r near < "$tmp/near" || near=1
total=0 complaints=
[ ! -s "$tmp/before" ] || read -r total < "$tmp/before"
while read -r line; do
    case $line in
        'Total bytes written: '*) line=${line#*: } && echo "rc: bytes $((total + ${line%% *}))" >&4 ;;
        [0-9]*' bytes'*' copied, '*) echo "rc: bytes ${line%% *}" >&4 ;;
        *' records in' | *' records out') ;;
        *) complaints=yes ;;
    esac
done < "$tmp/err"
[ ! -s "$tmp/pages" ] || while read -r crc length file; do echo "rc: pages near ${file#./} $crc $length" >&4; done < "$tmp/pages"
[ ! -s "$tmp/sum" ] || echo "rc: sum near $(cksum < "$tmp/sum")" >&4
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
