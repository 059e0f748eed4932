#!/bin/sh
# transfer-receive.sh KEY REQUEST: the only program a link's key can run on the destination. Runs as root.
#
# REQUEST is what the sender asks for: `hello`, `probe`, or `images|tree|image|feed INDEX COMPRESS`. INDEX is a line of the
# list which the controller wrote for this link: only what stands there can be written, or run, whatever the sender says.
#
# Trees come as a line `all SPARSE`, so many bytes of names of sparse files, NUL-terminated, and a tar stream, or as
# `some KEEP NAMES SPARSE`, names of all that is there, of what comes and of what of it is sparse, and a tar stream; the
# rest was sent ahead.
# Images come as lines `pages NUMBER OFFSET LENGTH`, each followed by so many bytes of that file, then the line `rest`
# and a tar stream of everything else.
# A `feed` of images is handed to who serves their pages (templates/criu/serve.py), as soon as there is one.
set -eu
umask 077
key=$1 request=$2
case $key in ''|-*|*[!A-Za-z0-9-]*) exit 64 ;; esac
dir=/run/reconciler/links/$key
refuse() { echo "refused: $1" >&2; exit 77; }
case $request in
    hello) echo "rc: hello"; exit 0 ;;
    probe) cat > /dev/null; echo "rc: probed"; exit 0 ;;
    *[!a-z0-9\ -]*) refuse "not a request" ;;
esac
# shellcheck disable=SC2086
set -- $request
[ $# = 3 ] || refuse "not a request"
what=$1 index=$2 compress=$3
case $index in ''|*[!0-9]*) refuse "not a request" ;; esac
tab=$(printf '\t')
number=0 entry=
while [ "$number" -lt "$index" ] && IFS= read -r entry; do number=$((number + 1)); done < "$dir/list"
[ "$number" = "$index" ] || entry=
kind=${entry%%"$tab"*} rest=${entry#*"$tab"}
flag=${rest%%"$tab"*} target=${rest#*"$tab"}
[ -n "$entry" ] && case $what in feed) [ "$kind" = images ] ;; *) [ "$kind" = "$what" ] ;; esac || refuse "not on this link's list"

# include transfer-sum

read -r _ _ _ _ group _ < "/proc/$$/stat"
: > "$dir/run.$group"
if [ "$what" = feed ]; then
    cd "${target%/*}" # paths of sockets are short
    python3 -c '
import socket, struct, sys, time
until = time.monotonic() + 30
while True: # ends by the time
    there = socket.socket(socket.AF_UNIX)
    try:
        there.connect("pages.socket")
        break
    except OSError:
        if time.monotonic() > until:
            sys.exit("nobody serves these pages")
        time.sleep(0.01)
there.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("ii", 0, 1))])
there.recv(1)' && status=0 || status=$?
    rm -f "$dir/run.$group"
    exit "$status"
fi
tmp=$dir/receive.$$
rm -rf "$tmp" && mkdir "$tmp"
trap 'rm -rf "$tmp" "$dir/run.$group"' EXIT
trap 'exit 143' TERM HUP INT
sums=$dir/sums.$index

unpack() {
    set -- --extract --file=- --blocking-factor=128 --numeric-owner --same-owner --preserve-permissions \
        --delay-directory-restore --directory="$target"
    [ "$kind" != tree ] ||
        set -- "$@" --acls --xattrs --xattrs-include='*' --xattrs-exclude=security.selinux
    tar "$@"
}
take_names() { # FILE BYTES
    is_number "$2" || refuse "not a tree"
    : > "$tmp/$1"
    [ "$2" = 0 ] || dd of="$tmp/$1" bs=64k iflag=fullblock,count_bytes count="$2" status=none
}
take_tree() {
    read -r word keep names sparse || exit 65
    case $word in
        all)
            take_names sparse "$keep"
            unpack && sum_tree "$flag" "$target" "$tmp/sparse" > "$tmp/sum"
            return
            ;;
        some) ;;
        *) refuse "not a tree" ;;
    esac
    take_names keep "$keep"
    take_names names "$names"
    take_names sparse "$sparse"
    export LC_ALL=C
    cd "$target"
    # Names of what goes come from this host, so that no link leads out of the folder.
    find . -mindepth 1 -printf '%p\0' | sort -z > "$tmp/have"
    sort -z "$tmp/keep" | comm -z -23 "$tmp/have" - | xargs -0 -r rm -rf --
    # Folders stay what they are, with attributes that they may have lost by now.
    [ "$flag" != 2 ] || find . -type d -print0 | sort -z > "$tmp/folders"
    [ "$flag" != 2 ] || sort -z "$tmp/names" | comm -z -12 "$tmp/folders" - | perl_of bare
    unpack
    # shellcheck disable=SC2016
    xargs -0 -r sh -c 'exec find "$@" -maxdepth 0 -type f -print0' sh < "$tmp/names" > "$tmp/files" || true
    renew_sums "$tmp/files" "$tmp/keep" "$sums" "$tmp/sparse"
    sum_known "$flag" . "$sums" > "$tmp/sum"
}
is_number() { case $1 in ''|*[!0-9]*) return 1 ;; esac; }
# NUMBER OFFSET: what that file of pages has from there on, as a line `FILE CRC LENGTH`. Not while it is written: what is
# read then may be from before.
sum_piece() {
    echo "pages-$1.img $({ dd of=/dev/null iflag=skip_bytes skip="$2" count=0 status=none && cksum; } < "pages-$1.img")"
}
# The first file of pages is nearly always most of it. Memory for what will come is got before the freeze, at no length.
make_room() {
    [ "$flag" != 0 ] && : > pages-1.img || return 0
    fallocate --keep-size --length "$flag" pages-1.img 2>/dev/null || true
}
free_room() { # what of it was not needed
    [ -e pages-1.img ] || return 0
    if [ -s pages-1.img ]; then truncate -s +1 pages-1.img && truncate -s -1 pages-1.img; else rm pages-1.img; fi
}
widen() { # what a pipe holds: processes wait for each other less often
    perl -e 'fcntl(STDIN, 1031, 1 << 20)' 2>/dev/null || true # F_SETPIPE_SZ
}
take_images() {
    widen
    cd "$target"
    make_room
    last=1
    : > "$tmp/pieces"
    while read -r word number offset length; do
        [ "$word" = pages ] || break
        is_number "$number" && is_number "$offset" && is_number "$length" || refuse "not a part"
        [ "$number" = "$last" ] || free_room
        last=$number
        dd of="pages-$number.img" bs=64k iflag=fullblock,count_bytes count="$length" \
            oflag=seek_bytes seek="$offset" conv=notrunc status=none
        sum_piece "$number" "$offset" >> "$tmp/pieces"
    done
    [ "$word" = rest ] || { echo "the stream was cut short" >&2; exit 65; }
    free_room
    unpack
    sum_folder . --anchored --exclude='./pages-*.img' > "$tmp/sum"
}
consume() {
    case $kind in
        image) sh "$target" ;;
        images) take_images ;;
        *) take_tree ;;
    esac
}
case $compress in
    none) ( consume ) ;;
    zstd) zstd -q -d -c | ( consume ) ;;
    lz4) lz4 -q -d -c | ( consume ) ;;
    *) refuse "not a request" ;;
esac
[ ! -e "$tmp/pieces" ] || sed 's/^/rc: pages far /' "$tmp/pieces"
[ ! -e "$tmp/sum" ] || echo "rc: sum far $(cksum < "$tmp/sum")"
echo "rc: complete"
