# receive.sh NAME NOTE: libvirt here can take it: it answers, and has no domain of that name which could be another.
# include virsh
umask 077
answers
mkdir -p "$(dirname "$2")" && : >>"$2" || exit 1
id=$(find_id "$1") || exit 3
[ -z "$id" ] || { printf '%s is here already: %s\n' "$1" "$(state "$id")" >&2; exit 4; }
