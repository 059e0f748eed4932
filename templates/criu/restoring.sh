#!/bin/sh
# CRIU's action script of a restore: what has to happen at once, at points of it that nobody outside can see.
#
# A socket takes over the path's MTU when it is restored, but CRIU sets its peer's segment size only after that, so that
# the kernel would send segments of 524 bytes for the rest of the connection. A path whose MTU changes makes it compute
# the size anew: cards have a smaller one while sockets are restored.
#
# Where restore.sh keeps packets away, that ends before CRIU ends the sockets' repair mode. What a socket then sends asks
# for an answer, and one that did not come through would be waited for for a second.
set -f # without -u: a restore fails when its action script does
PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
case ${CRTOOLS_SCRIPT_ACTION-} in post-setup-namespaces | network-unlock) ;; *) exit 0 ;; esac
home=$(readlink -f "$CRTOOLS_IMAGE_DIR/..") # CRIU names its descriptor of the folder
mtus=$home/mtus
inside() { nsenter --net="/proc/${CRTOOLS_INIT_PID-}/ns/net" -- "$@"; }

case $CRTOOLS_SCRIPT_ACTION in
post-setup-namespaces)
	rm -f "$mtus"
	printf '%s\n' "${CRTOOLS_INIT_PID-}" >"$home/restored.pid" # for who tells the segment where they are now
	[ -e "$home/unshield" ] || exit 0 # no connections come along
	[ "$(readlink "/proc/${CRTOOLS_INIT_PID-}/ns/net")" != "$(readlink /proc/self/ns/net)" ] || exit 0
	inside ip -o link show up | while read -r _ device _ _ mtu _; do
		device=${device%:}
		device=${device%%@*}
		[ "$device" != lo ] || continue
		printf 'link set dev %s mtu %s\n' "$device" "$mtu" >&3
		printf 'link set dev %s mtu %s\n' "$device" $((mtu - 4))
	done 3>"$mtus" | inside ip -batch -
	;;
network-unlock) # all sockets are there; the tasks do not run yet
	if [ -s "$mtus" ]; then
		{ inside ip -batch "$mtus" && rm -f "$mtus"; } </dev/null >/dev/null 2>&1 &
	fi
	[ ! -e "$home/unshield" ] || nft -f "$home/unshield"
	rm -f "$home/unshield"
	;;
esac
exit 0 # a client that waits longer is no reason to fail
