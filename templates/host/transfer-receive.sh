#!/bin/sh
# transfer-receive.sh KEY REQUEST: the only program a link's key can run on the destination. Runs as root.
#
# REQUEST is what the sender asks for: `hello`, or `tree|image INDEX COMPRESS`. INDEX is a line of the list which the
# controller wrote for this link: only what stands there can be written, whatever the sender says.
set -eu
umask 077
key=$1 request=$2
case $key in ''|-*|*[!A-Za-z0-9-]*) exit 64 ;; esac
dir=/run/reconciler/links/$key
refuse() { echo "refused: $1" >&2; exit 77; }
if [ "$request" = hello ]; then echo "rc: hello"; exit 0; fi
case $request in *[!a-z0-9\ -]*) refuse "not a request" ;; esac
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
[ -n "$entry" ] && [ "$kind" = "$what" ] || refuse "not on this link's list"

read -r _ _ _ _ group _ < "/proc/$$/stat"
: > "$dir/run.$group"
trap 'rm -f "$dir/run.$group"' EXIT
trap 'exit 143' TERM HUP INT

consume() {
    if [ "$kind" = image ]; then exec podman load --quiet > /dev/null; fi
    set -- --extract --file=- --blocking-factor=128 --numeric-owner --same-owner --preserve-permissions \
        --delay-directory-restore --directory="$target"
    [ "$flag" = 0 ] || set -- "$@" --xattrs --xattrs-include='*'
    exec tar "$@"
}
if [ "$compress" = none ]; then ( consume ); else zstd -q -d -c | ( consume ); fi
echo "rc: complete"
