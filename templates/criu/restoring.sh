# CRIU's action script of a restore: what has to happen at once, at points of it that nobody outside can see. Clients wait
# for each program that it starts.
#   pre-restore            where the engine has made their network already, and tells which it is, that becomes what it was,
#                          but with a smaller MTU for as long as sockets are restored, while CRIU reads its images; so do
#                          the files that it has made
#   post-setup-namespaces  sockets are not there yet: that is waited for, or done where nobody told
#   network-unlock         all sockets and mounts are there; the tasks do not run yet
#   post-restore           all is restored, and nothing runs yet: is it fenced off meanwhile? Then it must not come up. In
#                          the host's own network this is what `network-unlock` is elsewhere
#   pre-resume             the tasks are whole, and do not run yet: may they what they might?
#   late                   by restore.sh, when the tasks run, where the OCI runtime has CRIU run no script
#
# A socket takes over the path's MTU when it is restored, but CRIU sets its peer's segment size only after that, so that
# the kernel would send segments of 524 bytes for the rest of the connection. A path whose MTU changes makes it compute
# the size anew: cards have a smaller one while sockets are restored.
#
# Where restore.sh keeps packets away, that ends before CRIU ends the sockets' repair mode. What a socket then sends asks
# for an answer, and one that did not come through would be waited for for a second.
#
# What is not as it was is told in `unlike`, which is read before the source is let go. HOOK: hook.sh, which says what a
# network is. `replay` stands before this (replay.sh).
made() { # NAME and path of what the engine has made, if it says so where CRIU's images are
	sed -n 'h
		s/.*{"type":"network","path":"\([^"]*\)"}.*/network \1/p
		g
		s/.*{"destination":"\/etc\/hosts","type":"bind","source":"\([^"]*\)".*/hosts \1/p
		g
		s/.*{"destination":"\/etc\/resolv\.conf","type":"bind","source":"\([^"]*\)".*/resolvers \1/p' "$home/config.json"
} 2>/dev/null
network() { # IMAGES HOME [shrink], inside the tasks' namespace
	if [ -f "$1/state/net.cards" ]; then
		mkdir -m 700 "$2/network" && replay "$1/state" "$2/network" >>"$2/unlike"
	fi
	[ -z "$3" ] || shrink "$2"
}
shrink() { # HOME: cards that are up, as they are by now
	cards=$1/network/net.cards
	[ -s "$cards" ] || { cards=$1/cards && ip -o link show >"$cards"; }
	while read -r _ device flags _ mtu _; do
		case $flags in *[\<,]UP[,\>]*) ;; *) continue ;; esac
		device=${device%:}
		device=${device%%@*}
		printf 'link set dev %s mtu %s\n' "$device" "$mtu" >&3
		printf 'link set dev %s mtu %s\n' "$device" $((mtu - 4))
	done <"$cards" 3>"$1/mtus" | ip -batch -
}
set -f # without -u: a restore fails when its action script does
export LC_ALL=C
PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
if [ "${1-}" = inside ]; then
	network "$2" "$3" "${4-}"
	exit 0
fi
case ${CRTOOLS_SCRIPT_ACTION-} in pre-restore | post-setup-namespaces | post-restore | network-unlock | pre-resume | late) ;; *) exit 0 ;; esac
INIT=${CRTOOLS_INIT_PID-}
images=$(cd -P -- "$CRTOOLS_IMAGE_DIR" && pwd -P) || exit 1 # CRIU names its descriptor of the folder
home=${images%/*}
mtus=$home/mtus
inside() { nsenter --net="/proc/$INIT/ns/net" -- "$@"; }
shrinks=
[ ! -e "$home/opening" ] || shrinks=shrink # connections come along
# shellcheck disable=SC3013 # dash and busybox have it
own_network() { ! [ "/proc/$INIT/ns/net" -ef /proc/self/ns/net ]; }
# include rights
# include named

put_network_back() { # NAMESPACE [shrink]
	nsenter --net="$1" -- /bin/sh "$0" inside "$images" "$home" "${2-}"
} </dev/null >/dev/null 2>"$home/restoring.log"
own() { # PATH NAME: that path, if it is the file of that name which the engine made for this very container
	case $1 in *"${home#"${home%/*/*}"}/$2") [ ! -f "$1" ] || [ -L "$1" ] || echo "$1" ;; esac
}
put_back_early() { # whoever finds `early` waits until the network stands in it, or it has gone
	uname -m >"$home/machine"
	network='' hosts='' resolvers=''
	while read -r what path; do
		case $what in
		network) network=$path ;;
		hosts) hosts=$(own "$path" hosts) ;;
		resolvers) resolvers=$(own "$path" resolv.conf) ;;
		esac
	done <<-MADE
		$(made)
	MADE
	if [ -z "$network" ] || [ "$network" -ef /proc/self/ns/net ]; then
		rm -f "$home/early"
		return
	fi
	put_files_back "$hosts" "$resolvers" &
	put_network_back "$network" $shrinks
	wait
	printf '%s\n' "$network" >"$home/early"
} </dev/null >/dev/null 2>&1
EARLY_WAIT=10000 # turns of at least two milliseconds, for what takes a tenth of a second where it is slow
was_early() { # for these very tasks?
	[ -e "$home/early" ] || return
	tries=0
	until read -r path <"$home/early" && [ -n "$path" ]; do
		[ -e "$home/early" ] || return
		tries=$((tries + 1))
		[ "$tries" -lt "$EARLY_WAIT" ] || { echo 'its network is another: it was not put back in time' >>"$home/unlike"; return 0; }
		sleep 0.002
	done
	# shellcheck disable=SC3013
	[ "$path" -ef "/proc/$INIT/ns/net" ] && return
	begin
	return 1
}

begin() { # of an earlier try
	for left in "$mtus" "$home/unlike" "$home/network" "$home/early" "$home/file" "$home/machine"; do [ ! -e "$left" ] || rm -rf "$left"; done
}
let_in() { # packets, by one of two ways: taking the tables out takes longer
	[ ! -e "$home/opening" ] || nft -f "$home/opening" || nft -f "$home/unshield"
}

# Names that somebody has edited in /etc/hosts, and resolvers: the engine has made these files anew. What is about this host,
# or about the addresses that the container has here, stays as it was made. And what the engine cannot unpack: what has holes.
put_files_back() { # HOSTS RESOLVERS: where this host has them; may be empty
	if [ -n "$1" ] && [ -f "$images/state/hosts" ]; then
		at=$1
		cmp -s "$images/state/hosts" "$at" || awk '
			{names = $0; sub(/^[ \t]*[^ \t]+[ \t]*/, "", names)}
			FILENAME == ARGV[1] {if (names != "" && !/^[ \t]*#/) here[names] = $0; next}
			{print (names in here) ? here[names] : $0}' "$at" "$images/state/hosts" >"$home/file"
		lay_file hosts
	fi
	if [ -n "$2" ] && [ -f "$images/state/resolv.conf" ] && ! cmp -s "$images/state/resolv.conf" "$2"; then
		at=$2
		cp "$images/state/resolv.conf" "$home/file"
		# Edited, if it has lines that neither its host has nor were made here, or lacks some that both have.
		edited=$(grep -vxF -f "$images/state/resolv.conf.host" -e '' "$home/file" | grep -vxF -f "$at" -e '')
		[ -n "$edited" ] || edited=$(grep -xF -f "$images/state/resolv.conf.host" "$at" | grep -vxF -f "$home/file" -e '')
		[ -z "$edited" ] || lay_file resolv.conf
	fi
	[ ! -e "$home/file" ] || rm -f "$home/file"
	[ ! -f "$images/shm.tar" ] || tar -C "$home/shm" --extract --same-owner --same-permissions --numeric-owner -f "$images/shm.tar"
} </dev/null >/dev/null 2>&1
lay_file() { # NAME
	[ ! -e "$home/file" ] || cmp -s "$home/file" "$at" || cat "$home/file" >"$at"
	read -r time <"$images/state/$1.time"
	case $time in '' | *[!0-9.]*) ;; *) touch -d "@$time" "$at" ;; esac
}

# PIDS: the tasks, the first one first.
tasks() {
	group=
	while IFS=: read -r number _ name; do [ "$number" != 0 ] || group=$name; done <"/proc/$INIT/cgroup"
	PIDS=$INIT
	while read -r pid; do [ "$pid" = "$INIT" ] || PIDS="$PIDS $pid"; done <"/sys/fs/cgroup$group/cgroup.procs"
} 2>/dev/null

# What of sockets could not be put back is told.
put_back() {
	{ [ -s "$images/state/attributes" ] || [ -s "$images/state/sockets" ]; } && command -v perl >/dev/null || return 0
	read -r machine <"$home/machine" || machine=$(uname -m)
	# shellcheck disable=SC2086
	perl - apply "$machine" "$images/state" $PIDS >>"$home/unlike" <<'END'
# include kept.pl
END
} 2>/dev/null

# The OCI runtime has CRIU mount the host's own /dev/null over what is masked, where root of the container could change
# what anybody on the host may do with it: the container's own hides it as well.
mask_by_own_null() {
	while read -r _ _ _ root path _; do
		case $root:$path in */null:/proc/* | */null:/sys/*) ;; *) continue ;; esac
		# shellcheck disable=SC3013 # dash and busybox have it
		[ "/proc/$INIT/root$path" -ef /dev/null ] || continue
		mount -n --namespace "/proc/$INIT/ns/mnt" --no-canonicalize --bind /dev/null "$path"
	done <"/proc/$INIT/mountinfo"
}

compare_rights() {
	[ -f "$images/state/rights" ] || return 0 # of a release that did not note them
	# shellcheck disable=SC2086
	rights $PIDS | awk -F '; ' '
		/^map/ {if (FNR == NR) map = $0; else other = map != $0; next}
		FNR == NR {had[$1] = $0; next}
		$1 in had && had[$1] != $0 {
			split(had[$1], was)
			for (n = 2; n <= NF; n++) if (was[n] != $n && !(other && $n ~ /^(Uid|Gid|Groups)/)) {
				sub(/^[A-Za-z]*: */, "", was[n])
				print "process " $1 " has " $n " where it had " (was[n] == "" ? "none" : was[n])
			}
		}' "$images/state/rights" - >>"$home/unlike"
}

case $CRTOOLS_SCRIPT_ACTION in
pre-restore)
	begin
	: >"$home/early"
	put_back_early &
	;;
post-setup-namespaces)
	printf '%s\n' "$INIT" >"$home/restored.pid" # for who tells the segment where they are now
	if ! own_network || ! was_early; then
		put_files_back "$(named "$INIT" hosts)" "$(named "$INIT" resolv.conf)" & # clients wait: beside the network
		! own_network || put_network_back "/proc/$INIT/ns/net" $shrinks
		wait
	fi
	;;
network-unlock)
	if [ -s "$mtus" ]; then
		{ inside ip -batch "$mtus" && rm -f "$mtus"; } </dev/null >/dev/null 2>&1 &
	fi
	let_in
	mask_by_own_null </dev/null >/dev/null 2>&1 & # clients wait; truth.sh looks whether it was done
	;;
post-restore)
	[ ! -e "$home/fenced" ] || exit 1
	own_network || let_in # CRIU says nothing of unlocking the host's own
	;;
pre-resume)
	tasks
	put_back &
	compare_rights </dev/null 2>/dev/null
	wait
	;;
late)
	begin
	printf '%s\n' "$INIT" >"$home/restored.pid"
	! own_network || put_network_back "/proc/$INIT/ns/net"
	put_files_back "$(named "$INIT" hosts)" "$(named "$INIT" resolv.conf)"
	tasks
	put_back
	compare_rights </dev/null 2>/dev/null
	mask_by_own_null </dev/null >/dev/null 2>&1
	;;
esac
exit 0 # a client that waits longer is no reason to fail
