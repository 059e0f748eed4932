# dump.sh HOME LIMIT METHOD REQUEST: have containerd checkpoint a container; its archive, if it makes one, goes.
# shellcheck disable=SC2034 # call.sh's
home=$1 limit=$2
rm -f "$home/dump.log"
# include call
said=$(call 0 "$3" "$4")
status=$?
rm -f "$home/archive.tar"
[ "$status" = 0 ] || printf '%s\n' "$said" | sed -n 3p >&2
exit "$status"
