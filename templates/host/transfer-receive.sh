#!/bin/sh
# transfer-receive.sh KEY REQUEST: the only program a link's key can run on the destination. Runs as root.
#
# REQUEST is what the sender asks for: `hello`, or `tree|image INDEX COMPRESS CHECK`. INDEX is a line of the list which
# the controller wrote for this link: only what stands there can be written, whatever the sender says.
set -eu
umask 077
key=$1 request=$2
case $key in ''|-*|*[!A-Za-z0-9-]*) exit 64 ;; esac
dir=/run/reconciler/links/$key
if [ "$request" = hello ]; then echo "rc: hello"; exit 0; fi
case $request in *[!a-z0-9\ -]*) echo "request refused" >&2; exit 64 ;; esac
# shellcheck disable=SC2086
set -- $request
[ $# = 4 ] || { echo "request refused" >&2; exit 64; }
what=$1 index=$2 compress=$3 check=$4
case $index in ''|*[!0-9]*) echo "request refused" >&2; exit 64 ;; esac
tab=$(printf '\t')
entry=$(sed -n "${index}p" "$dir/list")
kind=${entry%%"$tab"*} rest=${entry#*"$tab"}
flag=${rest%%"$tab"*} target=${rest#*"$tab"}
[ -n "$entry" ] && [ "$kind" = "$what" ] || { echo "not on this link's list" >&2; exit 77; }

read -r _ _ _ _ group _ < "/proc/$$/stat"
: > "$dir/run.$group"
tmp=$(mktemp -d "$dir/receive.XXXXXX")
trap 'rm -rf "$tmp" "$dir/run.$group"' EXIT
trap 'exit 143' TERM HUP INT

consume() {
    case $kind in
        tree)
            set -- --extract --file=- --blocking-factor=128 --numeric-owner --same-owner --preserve-permissions \
                --delay-directory-restore --directory="$target"
            [ "$flag" = 0 ] || set -- "$@" --xattrs --xattrs-include='*'
            exec tar "$@"
            ;;
        image) exec podman load --quiet ;;
    esac
}
expand() { if [ "$compress" = none ]; then consume; else zstd -q -d -c | consume; fi; }

if [ "$check" = none ]; then
    ( expand ) > "$tmp/out"
else
    mkfifo "$tmp/sum"
    cksum < "$tmp/sum" > "$tmp/cksum" & sum=$!
    set +e
    tee "$tmp/sum" | ( expand ) > "$tmp/out"
    status=$?
    wait "$sum"
    set -e
    echo "rc: received $(cat "$tmp/cksum")"
    [ "$status" = 0 ] || exit "$status"
fi
sed 's/^/rc: out /' "$tmp/out"
echo "rc: complete"
