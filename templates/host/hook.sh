#!/bin/sh
# CRIU's action script of one workload: keeps a dumped source frozen until it is told what becomes of it.
#
# CRIU runs it without arguments, as .../workloads/NAME/hook.sh. It acts only under a hold of the guard:
#   pre-dump       freezes the tasks' cgroup (CRIU would look once, then sleep for 100 ms) and starts to take the
#                  interfaces down, beside the dump. Tasks in the host's own network have addresses of theirs there, as the
#                  file `addresses` says: these are taken away before CRIU goes on, for nothing else keeps clients'
#                  packets from the sockets, and CRIU says nothing later
#   network-lock   the same for tasks that the cgroup did not freeze in time: CRIU has by now
#   network-unlock the dump has failed: the interfaces are put back
#   post-dump      the images are complete and the tasks still frozen. Exit 0: CRIU kills them. Exit 1: they run on.
#   pre-restore    the guard's own restores do not name this script: somebody else restores; the marker says if he may
# The answers come as the files `verdict` and `final` (see guard.sh); the first writer of each wins.
#   before commit  resumes when told, when its controller was silent for too long, or when frozen for too long
#   after commit   only `final` counts; it never resumes by itself
#   killed         CRIU would resume the tasks: the keeper, which notices at once, puts the network back before
#                  commit, and kills the tasks after it
#   CRIU killed    in post-dump: the tasks, which run only on sockets that CRIU unlocks, stay frozen by their cgroup.
#                  The hold goes on without CRIU; whoever ends it ends the tasks, their images are the way back.
#                  Before post-dump there are no images: the warden thaws the cgroup, which CRIU leaves as it found
#                  it, puts the network back and undoes CRIU's locks as far as that can be done from outside
#   CRIU hangs     before post-dump: the warden kills it when the tasks have been frozen for too long, and does the same;
#                  as the cgroup is frozen again before, no task runs until its connections are as they were
# With an argument it is one of its own helpers: keeper, warden, isolate, remember, netdown, netup, netunlock, hang_up.
case ${CRTOOLS_SCRIPT_ACTION-}$# in post-dump0 | pre-dump0 | network-lock0 | network-unlock0 | pre-restore0) ;; *0) exit 0 ;; esac

set -uf
umask 077
PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
PROC=${RECONCILER_PROC:-/proc}
SH=${RECONCILER_SH:-/bin/sh}
W=${0%/*}
H=$W/hook
IP=${RECONCILER_IP:-/usr/sbin/ip} # by path: a shell's own `ip` may not know all there is to a route
[ -x "$IP" ] || IP=/sbin/ip
[ -x "$IP" ] || IP=ip
CGROUPS=${RECONCILER_CGROUPS:-/sys/fs/cgroup}
GONE_WAIT=500 # centiseconds, for a process that should end at once

now() { # NOW: centiseconds since boot
	read -r NOW _ <"$PROC/uptime"
	NOW=${NOW%.*}${NOW#*.}
	NOW=${NOW#0}
}

lives() { # PID [START]: is it that very process? STARTED: when it started
	STARTED=
	{ read -r LINE <"/proc/$1/stat"; } 2>/dev/null || return 1
	WANT=${2-}
	# shellcheck disable=SC2086
	set -- ${LINE##*) }
	[ $# -ge 20 ] && [ "$1" != Z ] && [ "$1" != X ] || return 1
	STARTED=${20}
	[ -z "$WANT" ] || [ "$WANT" = "$STARTED" ]
}

gone() { # PID START: wait until that process is; fails when it has not ended in time, as one that waits in the kernel
	now
	END=$((NOW + GONE_WAIT))
	while lives "$1" "$2"; do
		now
		[ "$NOW" -lt "$END" ] || return 1
		sleep 0.003
	done
}

word() { # first complete line of a file into WORD and REST; fails when it is not there yet
	WORD='' REST=''
	[ -e "$1" ] && { read -r WORD REST <"$1"; } 2>/dev/null
}

decide_resume() { # unless commit was first; WORD: the verdict that holds
	ln "$H/v.resume" "$H/verdict" 2>/dev/null
	word "$H/verdict"
}

say() { printf '%s\n' "$1" >>"$H/trouble"; }

# --- the network of the frozen tasks ---

# By path: `nsenter -t PID -n` compares with its own namespace as CRIU sees it, and may stay outside without a word.
# shellcheck disable=SC2086  # $SH may be `busybox sh`
in_netns() { nsenter --net="/proc/$1/ns/net" $SH "$0" "$2"; } # PID netdown|netup

# shellcheck disable=SC3013 # dash and busybox have it
same_netns() { [ "/proc/$1/ns/net" -ef /proc/self/ns/net ]; }

set_knob() { [ ! -w "$1" ] || printf '%s\n' "$2" >"$1"; } # PATH VALUE

# Of awk: a route in the words of `ip route replace`, without those that come by themselves.
ROUTES='
	/^(local|broadcast|anycast|multicast|ff00::\/8) / || / proto ra/ || / dev lo / {next}
	{gsub(/\\/, " "); gsub(/ linkdown| dead/, ""); sub(/ expires [0-9]+sec/, ""); sub(/ *$/, "")}'

list_routes() { $IP -o "-$1" route show table all 2>/dev/null | awk "$ROUTES {print}"; } # FAMILY

remember() { # FOLDER: inside the tasks' network namespace, of which CRIU saves nothing. With few programs, for clients wait
	grep -rsH . /proc/sys/net >"$1/net.sysctls" &
	filters "$1" &
	for FILE in cards every neighbours rules4 rules6 all4 all6; do : >"$1/net.$FILE"; done
	{
		printf 'link show\naddr show\nneigh show nud permanent\n' | $IP -o -d -force -batch -
		for F in 4 6; do
			printf 'family %s\n' $F
			printf 'rule show\nroute show table all\n' | $IP -o -$F -force -batch -
		done
	} 2>/dev/null | awk -v to="$1/net." '
		$1 == "family" {family = $2; next}
		!family && /^[0-9]+: [^ ]+: </ {print >(to "cards"); next}
		!family && /^[0-9]+: / {print >(to "every"); next}
		!family {print >(to "neighbours"); next}
		/^[0-9]+:/ {print >(to "rules" family); next}
		'"$ROUTES"'
		{print >(to "all" family)}'
	wait
}

filters() { # FOLDER
	OF=xtables
	if command -v nft >/dev/null; then
		nft list ruleset >"$1/net.nft" && OF=legacy
		while read -r KEY _ TABLE _; do
			case "$KEY $TABLE" in 'table CRIU-'*) ;; 'table '*) OF=xtables && break ;; esac
		done <"$1/net.nft"
	fi
	for TOOL in $($OF); do "$TOOL-save" -c >"$1/net.$TOOL" & done
	wait
}

legacy() { # where nftables has nothing, its own kind of iptables has nothing to say either
	xtables | grep legacy
}

xtables() { # that rules may have been made with; each kind but once
	for TOOL in iptables ip6tables; do
		FOUND=
		! command -v $TOOL-nft-save >/dev/null || FOUND=$TOOL-nft
		NAMES=/proc/net/${TOOL%tables}_tables_names
		! command -v $TOOL-legacy-save >/dev/null || [ -z "$(cat "$NAMES" 2>/dev/null)" ] || FOUND="$FOUND $TOOL-legacy"
		[ -n "$FOUND" ] || ! command -v $TOOL-save >/dev/null || FOUND=$TOOL
		printf '%s\n' "$FOUND"
	done
}

# From what is remembered, with few programs, for clients wait: cards that are up, their addresses, those of IPv6, of
# which the kernel keeps some no longer than the card is up; cards to be taken down; their routes in the order to put them back:
# first those that the kernel makes for addresses, then direct ones, then those by way of others. Of several to one place
# with one metric the first counts, so they keep their order. Knobs as PATH:VALUE.
taken_down() {
	awk -v to="$H/net." '
		FILENAME ~ /cards$/ {
			if ($3 !~ /[<,]UP[,>]/) next
			name = $2; sub(/[:@].*/, "", name); up[name]
			print >(to "links")
			if ($3 !~ /LOOPBACK/) {print name >(to "devices"); down[name]}
			next
		}
		FILENAME ~ /every$/ {
			if (!($2 in up)) next
			if (/ scope global /) print >(to "addresses")
			if ($3 == "inet6") {gsub(/[0-9]sec/, "&|"); gsub(/sec[|]/, ""); print >(to "six")}
			next
		}
		FILENAME ~ /sysctls$/ {
			split($0, part, "/")
			if (part[6] == "conf" && part[7] in down) {
				split(part[8], knob, ":")
				if (part[5] == "ipv6" && knob[1] ~ /^(keep_addr_on_down|accept_dad|ndisc_notify)$/ ||
					part[5] == "ipv4" && knob[1] == "arp_notify") print >(to "knobs")
			}
			next
		}
		{
			family = FILENAME ~ /4$/ ? 4 : 6
			if (/ proto kernel/) {print >(to "routes" family); next}
			key = $0; gsub(/ (via|dev|src|proto|scope) [^ ]+/, "", key)
			line[family, ++n[family]] = $0; is[family, n[family]] = key; count[family, key]++
		}
		END {
			for (family = 4; family <= 6; family += 2) for (pass = 1; pass <= 3; pass++) for (i = 1; i <= n[family]; i++) {
				of = count[family, is[family, i]] > 1 ? 3 : line[family, i] ~ / via / ? 2 : 1
				if (of == pass) print line[family, i] >(to "routes" family)
			}
		}' "$H/net.cards" "$H/net.every" "$H/net.sysctls" "$H/net.all4" "$H/net.all6"
}

netdown() { # inside the tasks' network namespace: interfaces down, so that IP and MAC may come up elsewhere
	[ -s "$H/net.cards" ] || return 1
	for WHAT in links devices addresses six knobs routes4 routes6; do : >"$H/net.$WHAT"; done
	taken_down || return 1
	while read -r DEV; do
		V4=/proc/sys/net/ipv4/conf/$DEV V6=/proc/sys/net/ipv6/conf/$DEV
		set_knob "$V6/keep_addr_on_down" 1 # else IPv6 addresses are lost
		set_knob "$V6/accept_dad" 0 # else they are unusable for a second
		set_knob "$V4/arp_notify" 1 # tell the segment when it comes up again
		set_knob "$V6/ndisc_notify" 1
	done <"$H/net.devices"
	: >"$H/net.fenced"
	while read -r DEV; do $IP link set dev "$DEV" down || return 1; done <"$H/net.devices"
	LEFT=$($IP -o link show up) || return 1
	printf '%s\n' "$LEFT" | while read -r _ _ FLAGS _; do case $FLAGS in '' | *LOOPBACK*) ;; *) exit 1 ;; esac done
}

netup() { # puts back what netdown took; may be repeated
	RC=0
	while read -r DEV; do $IP link set dev "$DEV" up || RC=1; done <"$H/net.devices"
	readdress
	for F in 4 6; do
		list_routes $F >"$H/net.now$F"
		while read -r ROUTE; do
			grep -qxF "$ROUTE" "$H/net.now$F" && continue
			# Two cards may have a way to the same place each, with one metric: `replace` would take the other's.
			case "$F $ROUTE" in 6* | *' proto kernel'*) VERB=replace ;; *) VERB=append ;; esac
			# shellcheck disable=SC2086
			$IP "-$F" route $VERB $ROUTE || RC=1
		done <"$H/net.routes$F"
	done
	while read -r ADDRESS _ DEV REST; do
		# shellcheck disable=SC2086
		$IP neigh replace "$ADDRESS" dev "$DEV" ${REST% PERMANENT} nud permanent
	done <"$H/net.neighbours"
	while IFS=: read -r FILE OLD; do set_knob "$FILE" "$OLD"; done <"$H/net.knobs"
	return $RC
}

readdress() { # the kernel keeps neither link-local addresses of IPv6 nor those with a lifetime; it may make some anew
	$IP -6 -o addr show >"$H/net.sixnow" 2>/dev/null
	while read -r _ DEV _ ADDRESS REST; do
		case $DEV in lo) continue ;; esac
		while read -r _ HAS _ ANEW _; do [ "$HAS $ANEW" != "$DEV $ADDRESS" ] || continue 2; done <"$H/net.sixnow"
		LIVES='' FLAGS=''
		case $REST in *'valid_lft '*) LIVES="valid_lft ${REST#*valid_lft }" ;; esac
		case $REST in *' noprefixroute'*) FLAGS=noprefixroute ;; esac
		# shellcheck disable=SC2086
		$IP -6 addr replace "$ADDRESS" dev "$DEV" $LIVES nodad $FLAGS || RC=1
	done <"$H/net.six"
}

# Tasks in the host's own network may have addresses there: lines of ADDRESS CARD.
has_addresses() { [ -s "$W/addresses" ] && same_netns "$1"; } # INIT_PID

part() { # addresses leave the host
	: >"$H/net.parted"
	: >"$H/net.fenced"
	while read -r ADDRESS DEV; do
		$IP addr del "$ADDRESS/32" dev "$DEV"
		! $IP -o -4 addr show | grep -F " $ADDRESS/" || return 1
	done <"$W/addresses"
}

rejoin() { # they come back, and neighbours are told
	RC=0
	while read -r ADDRESS DEV; do
		$IP -o -4 addr show dev "$DEV" | grep -qF " $ADDRESS/" || $IP addr add "$ADDRESS/32" dev "$DEV" || RC=1
	done <"$W/addresses"
	# shellcheck disable=SC2046 # addresses and cards are words
	! command -v perl >/dev/null || perl "$W/announce" $(cat "$W/addresses")
	return $RC
}

isolate() { # INIT_PID: netdown in there; the outcome is in net.done
	RC=0
	if ! same_netns "$1"; then in_netns "$1" netdown || RC=1; elif has_addresses "$1"; then part || RC=1; fi
	printf '%s\n' $RC >"$H/net.done"
	[ $RC != 0 ] || same_netns "$1" || shield
}

# While nobody answers, a peer's kernel waits twice as long after each try, so that it may feel a freeze twice as long as
# it was. Told that the host cannot be reached it goes on trying at its normal pace (RFC 6069; Linux since 2.6.32), and
# its program hears nothing of that. Only for what comes in for the very cards that were taken down, and not for new
# connections, which would end. Entries expire, should nobody be left to take them out.
shield() {
	command -v nft >/dev/null || return 0
	MACS='' FOUR='' SIX='' CARDS=''
	while read -r _ _ _ REST; do
		case $REST in *link/ether\ *) REST=${REST#*link/ether } && MACS="$MACS${MACS:+, }${REST%% *}" ;; esac
	done <"$H/net.links"
	while read -r _ DEV FAMILY ADDRESS _; do
		case $DEV$FAMILY in
		lo*) ;;
		*inet) FOUR="$FOUR${FOUR:+, }${ADDRESS%%/*}" ;;
		*inet6) SIX="$SIX${SIX:+, }${ADDRESS%%/*}" ;;
		esac
	done <"$H/net.addresses"
	# shellcheck disable=SC2045
	for DEV in $(ls /sys/class/net); do # names of cards have no spaces. Ports of bridges also carry what is on its way away
		[ "$DEV" = lo ] || [ -e "/sys/class/net/$DEV/master" ] || CARDS="$CARDS${CARDS:+, }\"$DEV\""
	done
	[ -n "$MACS" ] && [ -n "$CARDS" ] && [ -n "$FOUR$SIX" ] || return 0
	printf 'reconciler_%s\n' "$(printf %s "${W##*/}" | sed 's/-/_m/g; s/\./_p/g')" >"$H/shielded" # one for each name
	word "$H/shielded"
	ARP=''
	[ -z "$FOUR" ] || ARP='arp saddr ip @four drop'
	[ -z "$FOUR" ] || FOUR="elements = { $FOUR }"
	[ -z "$SIX" ] || SIX="elements = { $SIX }"
	{ arriving && leaving; } | nft -f - || arriving | nft -f - || rm -f "$H/shielded"
	return 0
}

arriving() {
	cat <<-TABLE
		table netdev $WORD {
			set mac { type ether_addr; elements = { $MACS }
			}
			set four { type ipv4_addr; flags timeout; timeout 15m; $FOUR
			}
			set six { type ipv6_addr; flags timeout; timeout 15m; $SIX
			}
			chain arriving {
				type filter hook ingress devices = { $CARDS } priority -500; policy accept;
				ether daddr @mac ip daddr @four tcp flags & (syn|ack) == ack reject with icmp type host-unreachable
				ether daddr @mac ip6 daddr @six tcp flags & (syn|ack) == ack reject with icmpv6 type no-route
			}
		}
	TABLE
}

# Whoever starts the container by hand when its hold is released has its engine bring its addresses up before an OCI hook can
# refuse: what announces them, or answers clients there, must not leave the host. By MAC, which a router changes and a
# bridge's ports are not asked about: what only passes through here is not meant. Linux since 5.16.
leaving() {
	cat <<-TABLE
		table netdev $WORD {
			chain leaving {
				type filter hook egress devices = { $CARDS } priority 0; policy accept;
				ether saddr @mac drop
				$ARP
			}
		}
	TABLE
}

isolate_ended() { if word "$H/net.pid"; then end_isolate "$WORD" "$REST"; fi; }

unshield() { # after `isolate` has ended, which may be about to make it
	isolate_ended
	if word "$H/shielded"; then nft delete table netdev "$WORD"; fi
	rm -f "$H/shielded"
}

end_isolate() { # PID START: it leads a group of its own; one that hangs must not take anything down later
	gone "$1" "$2" && return
	say 'taking the interfaces down did not end in time: it was ended'
	kill -9 -- "-$1"
	gone "$1" "$2" || say 'it does not end: the kernel holds it'
}

isolated() { # wait for `isolate`; fails unless it was started and all interfaces are down
	word "$H/net.pid" || return 1
	ISOLATOR=$WORD ISOLATOR_START=$REST
	now
	END=$((NOW + GONE_WAIT))
	until word "$H/net.done"; do
		lives "$ISOLATOR" "$ISOLATOR_START" || break
		now
		[ "$NOW" -lt "$END" ] || { end_isolate "$ISOLATOR" "$ISOLATOR_START" || :; break; }
		sleep 0.003
	done
	word "$H/net.done" && [ "$WORD" = 0 ]
}

unfence() { # INIT_PID
	[ -e "$H/net.fenced" ] || return 0
	unshield
	if [ -e "$H/net.parted" ]; then rejoin; else in_netns "$1" netup; fi || say 'the network was not put back completely, see hook/log'
	mv "$H/net.fenced" "$H/net.back"
}

# A destination that ran may have answered clients before it was lost. Their connections cannot go on with a copy that
# is older than what they heard, and would hear nothing for minutes: they are told. Connections inside stay.
hang_up() { # inside the tasks' network namespace, whose interfaces are up
	netunlock # else the filter by which CRIU locks it eats what tells them
	ss -K -tn state connected 'not dst 127.0.0.0/8 and not dst [::1]' >"$H/hung-up"
}

cut() { # the same where the network is the host's own: once CRIU has given the tasks their sockets back
	[ -e "$W/hang-up" ] && [ -e "$H/net.parted" ] || return 0
	while read -r ADDRESS _; do ss -K -tn state connected src "$ADDRESS" >>"$H/hung-up"; done <"$W/addresses"
}

netunlock() { # inside the tasks' network namespace: the filter by which CRIU locks it
	nft list tables 2>/dev/null | while read -r _ FAMILY TABLE; do
		case $TABLE in CRIU-*) nft delete table "$FAMILY" "$TABLE" ;; esac
	done
	for TOOL in iptables ip6tables; do
		command -v $TOOL || continue
		while $TOOL -w 5 -D INPUT -j CRIU; do :; done # ends by its last rule
		while $TOOL -w 5 -D OUTPUT -j CRIU; do :; done # ends by its last rule
		$TOOL -w 5 -F CRIU && $TOOL -w 5 -X CRIU
	done >/dev/null 2>&1
	return 0
}

# Ends the repair mode of TCP sockets, as CRIU does: pidfd_open, pidfd_getfd, setsockopt(TCP_REPAIR, 0). It saves the
# connections of programs that wait for events; those that were blocked in a read have seen it fail by now.
REPAIRED='
	for my $pid (@ARGV) {
		my $task = syscall(434, $pid + 0, 0);
		next if $task < 0;
		for my $path (glob "/proc/$pid/fd/*") {
			next unless (readlink($path) // "") =~ /^socket:/ && $path =~ m{/(\d+)$};
			my $fd = syscall(438, $task, $1 + 0, 0);
			next if $fd < 0 || !open(my $socket, "+<&=", $fd);
			my $mode = getsockopt($socket, 6, 19);
			next unless defined $mode && unpack("i", $mode) == 1;
			setsockopt($socket, 6, 19, pack("i", 0)) or warn "socket $1 of $pid stays stopped: $!\n";
		}
	}'

unlock() { # INIT_PID: what a killed CRIU has left locked, for tasks that run on; before they hear anything
	if same_netns "$1"; then say 'the dump came to no end: the tasks run on'; else
		say 'CRIU was killed while it dumped: the tasks run on, but connections that were in use may have ended'
	fi
	word "$H/cgroup" && PIDS=$(cat "$WORD/cgroup.procs" 2>/dev/null) || PIDS=$1
	# shellcheck disable=SC2086
	if command -v perl >/dev/null; then
		perl -e "$REPAIRED" -- $PIDS
	else
		say 'there is no perl here: connections that CRIU had stopped stay so'
	fi
	same_netns "$1" || in_netns "$1" netunlock
}

take_away() { # before CRIU dumps anything; once the tasks have a warden, who gives it back whatever becomes of CRIU
	[ -e "$H/warden" ] || { say 'the tasks are not in their control group, and cannot be held' && return 1; }
	lock_network
	isolated
}

# --- the freezer of cgroup v2 ---

freeze() { # INIT_PID: sets nothing where it is not in the cgroup it was given, or somebody has paused that
	[ -e "$CGROUPS/cgroup.controllers" ] || return 0
	GROUP=
	while IFS=: read -r N _ NAME; do [ "$N" != 0 ] || GROUP=$CGROUPS$NAME; done <"/proc/$1/cgroup"
	word "$W/group" || return 0
	ENGINE=$REST
	case ${GROUP##*/} in "$WORD" | "$WORD.scope") ;; *) return 0 ;; esac
	[ -w "$GROUP/cgroup.freeze" ] && word "$GROUP/cgroup.freeze" || return 0
	# What its engine has paused for this dump, that lets run on, whatever becomes of CRIU: nothing keeps it frozen.
	case $WORD$ENGINE in 0*) ;; 1paused) : >"$H/paused" ;; *) return 0 ;; esac
	printf '%s\n' "$GROUP" >"$H/cgroup"
	lives "$CRIU"
	# shellcheck disable=SC2086
	setsid $SH "$0" warden "$CRIU" "$STARTED" "$1" "$FREEZE" &
	lives $! && printf '%s %s\n' $! "$STARTED" >"$H/warden"
	if [ -e "$H/paused" ]; then
		lock_network
		return
	fi
	printf '1\n' >"$GROUP/cgroup.freeze"
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		sleep 0.001
		is_frozen "$GROUP" || continue
		still
		lock_network
		return
	done
	thaw # it takes long: CRIU waits in its own way
}

still() { # who waits to look at the tasks as they are dumped may do so
	[ ! -p "$W/still" ] || printf 'x\n' 1<>"$W/still"
}

is_frozen() { # CGROUP
	while read -r KEY VALUE; do [ "$KEY" != frozen ] || [ "$VALUE" != 1 ] || return 0; done <"$1/cgroup.events"
	return 1
}

thaw() { # not what its engine has paused: it lets it run itself, and would believe it paused for ever otherwise
	[ ! -e "$H/paused" ] && word "$H/cgroup" || return 0
	GROUP=$WORD
	{ word "$GROUP/cgroup.freeze" && [ "$WORD" != 1 ]; } || printf '0\n' >"$GROUP/cgroup.freeze"
} 2>/dev/null

thaw_at_last() { # where its engine was killed, too
	[ -e "$H/paused" ] && word "$H/cgroup" || return 0
	GROUP=$WORD
	now
	END=$((NOW + GONE_WAIT))
	while word "$GROUP/cgroup.freeze" && [ "$WORD" = 1 ] && [ "$NOW" -lt "$END" ]; do
		sleep 0.05
		now
	done
	[ "$WORD" != 1 ] || printf '0\n' >"$GROUP/cgroup.freeze"
}

refreeze() {
	[ ! -e "$H/paused" ] && word "$H/cgroup" && [ -w "$WORD/cgroup.freeze" ] && GROUP=$WORD &&
		printf '1\n' >"$GROUP/cgroup.freeze"
}

warden() { # CRIU_PID CRIU_START INIT_PID FREEZE
	trap : HUP INT TERM PIPE
	now
	END=$((NOW + $4)) KILLED='' STUCK=''
	while lives "$1" "$2"; do # not `tail --pid`, which also waits until it is reaped
		if [ -e "$H/joined" ]; then sleep 0.05; else sleep 0.02; fi # clients wait, and each look costs
		now
		[ "$NOW" -ge $((END - 100)) ] && [ ! -e "$H/joined" ] || continue # from then on the hook looks at the clock
		if [ "$NOW" -lt "$END" ]; then # one that only is slow undoes its dump itself
			decide_resume
		elif [ -z "$KILLED" ]; then
			KILLED=$NOW
			say 'the source resumes: CRIU hung in the middle of its dump, and was ended'
			refreeze # a task that ran before its sockets are unlocked would see its calls fail, and close them unheard
			kill -9 "$1"
		elif [ -z "$STUCK" ] && [ "$NOW" -ge $((KILLED + GONE_WAIT)) ]; then
			STUCK=yes # its tasks are its own until it has gone: nobody else can let them run
			say 'CRIU does not end: the kernel holds it, and with it the tasks; see dmesg and the disks of this host'
		fi
	done
	[ ! -e "$H/kept" ] || exit 0
	if [ -e "$H/joined" ]; then
		thaw
		thaw_at_last
		cut
		exit 0
	fi
	if [ -e "$H/unlocked" ]; then
		thaw
		isolated
	else # it ended without saying that its dump had failed: it was killed
		refreeze
		isolated
		unlock "$3"
	fi
	unfence "$3"
	thaw
	thaw_at_last
}

keep_frozen() { # whatever becomes of CRIU from now on, its tasks do not run past their images
	[ ! -e "$H/paused" ] && word "$H/cgroup" && [ -w "$WORD/cgroup.freeze" ] || return 0
	GROUP=$WORD
	printf '%s %s\n' "$INIT" "$INIT_START" >"$H/kept"
	printf '1\n' >"$GROUP/cgroup.freeze"
	criu_lives || let_run # too late
}

let_run() {
	rm -f "$H/kept"
	thaw
}

is_kept() { [ -e "$H/kept" ]; }

criu_lives() { lives "$CRIU" "$CRIU_START"; }

kill_group() {
	kill -9 "$INIT"
	if word "$H/cgroup" && [ -w "$WORD/cgroup.kill" ]; then printf '1\n' >"$WORD/cgroup.kill"; fi
}

end_tasks() { # INIT_PID INIT_START WHY: their images are all that is left of them here
	lives "$1" "$2" || return 0
	printf '%s\n' "$3" >"$H/killed"
	say "$3"
	kill -9 "$1"
	unshield
	if word "$H/cgroup" && [ -w "$WORD/cgroup.kill" ]; then printf '1\n' >"$WORD/cgroup.kill"; fi
	gone "$1" "$2" || say 'a task of it does not end: the kernel holds it'
}

# --- the keeper: sees its hook die by the end of the fifo that only the hook keeps open ---

keeper() { # INIT_PID INIT_START CRIU_PID CRIU_START
	trap : HUP INT TERM PIPE
	read -r _ <&5
	if [ ! -e "$H/ended" ]; then
		decide_resume
		if [ "$WORD" = commit ] && { ! word "$H/final" || [ "$WORD" != resume ]; }; then
			end_tasks "$1" "$2" 'the hook was killed after commit: the frozen copy was killed, the destination owns it'
		elif is_kept && ! lives "$3" "$4"; then
			say 'CRIU and its hook were killed: the tasks stay frozen until they are restored from their images'
		else
			let_run
			say 'the hook was killed: CRIU resumes the source'
			isolated
			unfence "$1"
		fi
	elif word "$H/ended" && [ "$WORD" = 0 ]; then
		# Released: CRIU kills it now. Should CRIU be gone, it must still not come back.
		for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
			lives "$1" "$2" || exit 0
			sleep 0.1
		done
		end_tasks "$1" "$2" 'CRIU did not end the released copy, it was killed'
	fi
}

# --- the hook ---

leave() { # STATUS: for CRIU
	printf '%s\n' "$1" >"$H/ended"
	kill "$TICKER" 2>/dev/null
	exit "$1"
}

back() {
	if is_kept && ! criu_lives; then
		end_tasks "$INIT" "$INIT_START" 'CRIU was killed: the frozen source was ended, to be restored from its images'
		leave 1
	fi
	let_run
	criu_lives || unlock "$INIT"
	unfence "$INIT"
	leave 1
}

ours() { # is this dump under a hold of the guard? If not, it is a plain checkpoint
	word "$H/conf" && [ ! -e "$H/status" ] || return 1
	# shellcheck disable=SC2086
	set -- $REST
	SILENCE=$(($1 * 100)) FREEZE=$(($2 * 100)) FENCE=$3 MODE=$4
	read -r BOOT <"$PROC/sys/kernel/random/boot_id"
	[ "$MODE $BOOT" = "transactional $5" ] || return 1
	if word "$H/runner"; then lives "$WORD" "$REST" || return 1; fi
	INIT=$CRTOOLS_INIT_PID CRIU=$PPID
	exec </dev/null >>"$H/log" 2>&1
	trap : HUP INT TERM PIPE
}

lock_network() { # starts `isolate`, once
	[ "$FENCE" = 1 ] && [ ! -e "$H/net.pid" ] || return 0
	# shellcheck disable=SC2086
	setsid $SH "$0" isolate "$INIT" &
	lives $!
	printf '%s %s\n' $! "${STARTED:-0}" >"$H/net.pid"
}

hook() {
	if word "$H/verdict"; then exit 1; fi # told to resume while the dump was under way
	lives "$CRIU"
	CRIU_START=$STARTED
	lives "$$"
	ME=$STARTED
	lives "$INIT" || exit 1
	INIT_START=$STARTED
	keep_frozen
	now
	SINCE=$NOW
	exec 7<>"$H/alive" 8<>"$H/wake"
	# shellcheck disable=SC2086
	setsid $SH "$0" keeper "$INIT" "$INIT_START" "$CRIU" "$CRIU_START" 5<"$H/alive" 7>&- 8>&- &
	while sleep 0.5 && kill -0 $$; do printf 'x\n' 1<>"$H/wake"; done 7>&- 8>&- 2>/dev/null & # ends by the hook's end
	TICKER=$!
	: >"$H/joined"
	lock_network
	if [ "$FENCE" = 1 ] && ! isolated; then
		say 'the source resumes: its interfaces could not be taken down'
		decide_resume
		back
	fi
	printf '%s %s %s\n' "$SINCE" $$ "$ME" >"$H/held"
	printf 'x\n' 1<>"$H/notify"
	BEAT=$SINCE
	while :; do
		if word "$H/verdict"; then
			[ "$WORD" != resume ] || back
			if word "$H/final"; then
				[ "$WORD" != resume ] || back
				criu_lives || end_tasks "$INIT" "$INIT_START" 'CRIU was killed: the released copy was ended'
				[ ! -e "$H/paused" ] || kill_group # who asked for the dump may be gone, and CRIU would let them run then
				isolate_ended # the guard takes the shield away with the hold, once the container is gone
				leave 0
			fi
			criu_lives || { # its tasks would run on, or be all that keeps them frozen
				end_tasks "$INIT" "$INIT_START" \
					'CRIU was killed after commit: the frozen copy was killed, the destination owns it'
				leave 0
			}
		elif is_kept && ! criu_lives; then
			# Nothing here can let them run on, and frozen they lose nothing: a controller commits or goes back.
			lives "$INIT" "$INIT_START" || leave 1
		else
			now
			if word "$H/beat" && [ -n "$WORD" ] && [ "$WORD" -gt "$BEAT" ]; then BEAT=$WORD; fi
			WHY=
			[ $((NOW - BEAT)) -le "$SILENCE" ] || WHY='its controller was silent for too long'
			[ $((NOW - SINCE)) -le "$FREEZE" ] || WHY='it was frozen for too long'
			criu_lives || WHY='CRIU was killed'
			if [ -n "$WHY" ]; then
				say "the source resumes: $WHY"
				decide_resume
				continue
			fi
		fi
		read -r _ <&8
	done
}

case ${1-} in
'')
	if [ "$CRTOOLS_SCRIPT_ACTION" = pre-restore ]; then
		# shellcheck disable=SC2086
		exec $SH "$W/guard.sh" may-restore "${W##*/}"
	fi
	ours || exit 0
	case $CRTOOLS_SCRIPT_ACTION in
	post-dump) hook ;;
	pre-dump)
		word "$H/verdict" || freeze "$INIT"
		! has_addresses "$INIT" || take_away || exit 1
		;;
	network-lock)
		thaw # done by CRIU, unless it froze another cgroup than ours; the tasks are stopped now
		still
		lock_network
		;;
	network-unlock)
		: >"$H/unlocked"
		# Sockets are the tasks' own again, and the tasks do not run yet.
		[ ! -e "$W/hang-up" ] || same_netns "$INIT" || in_netns "$INIT" hang_up
		rm -f "$H/kept" # CRIU lives and lets its tasks run, also where its hook was killed
		[ ! -e "$H/joined" ] || exit 0 # post-dump's hook, or its keeper, has done it
		isolated
		unfence "$INIT"
		;;
	esac
	exit 0
	;;
keeper) keeper "$2" "$3" "$4" "$5" ;;
warden) warden "$2" "$3" "$4" "$5" ;;
isolate) isolate "$2" ;;
netdown)
	remember "$H"
	netdown
	;;
remember) remember "$2" ;;
netup) netup ;;
netunlock) netunlock ;;
hang_up) hang_up ;;
esac
