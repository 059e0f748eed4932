# begin.sh ID NOTE ROOM DOWNTIME_MS VIRSH_ARGUMENT...: begin to migrate a domain, and return. Nothing where that is under
# way. The migration goes on by itself; whoever makes it holds ROOM/lock, and leaves what was said in ROOM/said.
# include virsh
id=$1 room=$3 downtime=$4
shift 4
umask 077
answers
mkdir -p "$room" || exit 1
exec 8>>"$room/lock"
flock -n 8 || exit 0
! virsh domjobinfo "$id" | grep -q 'Outgoing migration' || exit 0
rm -f "$room/said" "$room/status"
# Its host may lose power when it has just gone: this host must not start it then.
virsh autostart --disable "$id" || exit 1
[ "$downtime" = 0 ] || virsh migrate-setmaxdowntime "$id" "$downtime" || exit 1
# shellcheck disable=SC2016 # for that shell
setsid --fork sh -c 'room=$1; shift
virsh -q -c qemu:///system migrate "$@" </dev/null >"$room/said" 2>&1
echo $? >"$room/status"' begin "$room" "$@" </dev/null >/dev/null 2>&1
