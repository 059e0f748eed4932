# restore.sh HOME TABLE CGROUP MONITOR LAZY KEEPER SERVER ADDRESSES CONFIG COMMAND...: restore tasks from their images by COMMAND.
# HOME: the folder that the images are in. TABLE: ends the name of the shield's. CGROUP, MONITOR: the tasks (living.sh).
# LAZY: the folder from which memory follows afterwards; empty: all of it is there first. KEEPER: the program of
# keeper.pl. SERVER: that of serve.py, where pages arrive later still; else empty. ADDRESSES: the tasks', with commas between them; may be empty.
# CONFIG: becomes CRIU's, beside it; what is there until then lets nobody else restore it.
home=$1 table=reconciler_$2 cgroup=$3 monitor=$4 lazy=$5 keeper=$6 server=$7 addresses=$8 config=$9
shift 9
# include living
images=$home/checkpoint
if [ -e "$config" ]; then
    while IFS= read -r line; do printf '%s\n' "$line"; done <"$config" >"${config%.restore}.conf" || exit 1
fi

# Addresses may come up before CRIU has restored the sockets behind them. A packet that arrives in between finds
# nobody listening, and the kernel's answer ends the client's connection, or fails its next call; a dropped one is sent
# again. So TCP and UDP to these addresses is dropped meanwhile, and who sent TCP told that the host cannot be reached, so
# that it tries again soon (hook.sh says more). restoring.sh ends that when all sockets are there. Entries expire, should
# both be killed. Without nft there is no shield.
#
# What is made costs a third of what is taken out, for a program that has taken something out waits for the kernel's grace
# period. So that ends by one more element, and the tables are taken out when clients are answered.
rules() {
    [ -z "$v4" ] || echo "ip daddr @four meta l4proto { tcp, udp } drop"
    [ -z "$v6" ] || echo "ip6 daddr @six meta l4proto { tcp, udp } drop"
}
opened() {
    [ -z "$v4" ] || echo "ip daddr @four_open accept"
    [ -z "$v6" ] || echo "ip6 daddr @six_open accept"
}
answers() {
    [ -z "$v4" ] || echo "ip daddr @four tcp flags & (syn|ack) == ack reject with icmp type host-unreachable"
    [ -z "$v6" ] || echo "ip6 daddr @six tcp flags & (syn|ack) == ack reject with icmpv6 type no-route"
}
sets() {
    [ -z "$v4" ] || echo "set four { type ipv4_addr; flags timeout; timeout 5m; elements = { $v4 } }
        set four_open { type ipv4_addr; }"
    [ -z "$v6" ] || echo "set six { type ipv6_addr; flags timeout; timeout 5m; elements = { $v6 } }
        set six_open { type ipv6_addr; }"
}
opening() { # FAMILY
    [ -z "$v4" ] || echo "add element $1 $table four_open { $v4 }"
    [ -z "$v6" ] || echo "add element $1 $table six_open { $v6 }"
}
lay() { # REJECTS: kernels before 5.11 cannot do that at ingress
    nft "create table netdev $table
    table netdev $table {
        $ours
        chain arriving { type filter hook ingress devices = { $devices } priority -500; policy accept; $open
            $1
            $drops
        }
    }
    $inet"
}
shield() {
    v4='' v6='' devices=''
    IFS=,
    for address in $addresses; do
        case $address in *:*) v6="$v6${v6:+, }$address" ;; *) v4="$v4${v4:+, }$address" ;; esac
    done
    unset IFS
    [ -n "$v4$v6" ] || return
    for path in /sys/class/net/*; do
        device=${path##*/}
        [ "$device" = lo ] || devices="$devices${devices:+, }\"$device\""
    done
    ours=$(sets) open=$(opened) drops=$(rules) rejects=$(answers)
    inet="create table inet $table
    table inet $table {
        $ours
        chain forwarded { type filter hook forward priority -500; policy accept; $open
            $drops
        }
        chain local { type filter hook output priority -500; policy accept; $open
            $drops
        }
    }"
    # All at once, for each call costs milliseconds; where there is no ingress hook, what can be had.
    ending=$none
    if lay "$rejects" || { nft "$none"; lay "$rejects"; } || lay ''; then opening netdev >"$home/opening"; else
        ending=$none_of_inet
        nft "$none_of_inet"
        nft "$inet"
        : >"$home/opening"
    fi
    opening inet >>"$home/opening"
    printf '%s\n' "$ending" >"$home/unshield"
}
ending=
none_of_inet="table inet $table; delete table inet $table"
none="table netdev $table; delete table netdev $table; $none_of_inet"
unshield() { # all of it
    # Somebody may have removed the folder, and with it the note.
    if [ -e "$home/unshield" ] || [ ! -d "$home" ]; then nft "$ending"; fi
    rm -f "$home/opening" "$home/unshield"
}

# Switches and neighbours learn where the addresses are now: the kernel announces them, over ARP and as IPv6 neighbour,
# when a card that is told to notify is given its hardware address anew, even if it is the same one.
announce() {
    read -r pid <"$home/restored.pid" || return # restoring.sh's
    [ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/self/ns/net)" ] || return
    nsenter --net="/proc/$pid/ns/net" /bin/sh -c '
        ip -br link show up | while read -r device state mac rest; do
            device=${device%%@*}
            [ "$device" != lo ] || continue
            four=/proc/sys/net/ipv4/conf/$device/arp_notify six=/proc/sys/net/ipv6/conf/$device/ndisc_notify
            had_four=$(cat "$four") had_six=$(cat "$six")
            echo 1 >"$four"
            echo 1 >"$six"
            ip link set dev "$device" address "$mac"
            echo "$had_four" >"$four"
            echo "$had_six" >"$six"
        done
        # A card that is given an address forgets its neighbours, also those that somebody has told it.
        [ ! -f "$1" ] || sed -n "s/^\([0-9a-f.:]* dev [A-Za-z0-9@._-]* lladdr [0-9a-f:]*\) *PERMANENT *$/neigh replace \1 nud permanent/p" "$1" |
            ip -force -batch -' sh "$images/state/net.neighbours"
}
command -v nft >/dev/null 2>&1 || addresses=
# include serving
all_marked() { # a page's flags of present (4) and lazy (2) are these two bytes
    mark=$(printf ' \006')
    for map in "$images"/pagemap-[0-9]*.img; do LC_ALL=C grep -qF "$mark" "$map" || return 1; done
}
started_at() { sed 's/.*) //' "/proc/$1/stat" | cut -d ' ' -f 20; } 2>/dev/null
# What this restore has made, before who keeps it for its memory ends: what is missing would read as zeros. Tasks that are
# older than this shell ran before, and the restore has failed for that.
end_made() {
    tries=0
    while [ "$tries" -lt 100 ]; do
        made=$(living "$cgroup" "$monitor" | while read -r one _; do
            since=$(started_at "$one") && [ "${since:-0}" -ge "$(started_at $$)" ] && echo "$one"
        done)
        [ -n "$made" ] || return 0
        # shellcheck disable=SC2086
        kill -s KILL $made
        tries=$((tries + 1))
        sleep 0.05
    done
    return 1 # who serves them stays with them
} 2>/dev/null
removed() {
    echo "there are no images in $home/$lazy: was it removed?" >&2
    [ -z "$addresses" ] || unshield >/dev/null 2>&1
    exit 1
}
fail() {
    [ -d "$home/$lazy" ] || removed # its daemon, if it was started, is ended by the keeper
    echo "$1:" >&2
    [ ! -s "$home/keeper.log" ] || cat "$home/keeper.log" >&2
    tail -q -n 3 "$home/lazy-pages.log" "$home/pages.log" >&2 2>/dev/null
    stop_serving 2>/dev/null
    [ -z "$addresses" ] || unshield >/dev/null 2>&1
    exit 1
}
started=
if [ -n "$lazy" ] && ! { serving "$home/lazy-pages.pid" && [ -S "$home/lazy-pages.socket" ]; }; then
    [ -d "$home/$lazy" ] || removed
    # Exit 9: CRIU has marked no page of some process as lazy, as it does when a stack pointer begins a page.
    [ -e "$images/marked" ] || all_marked || exit 9
    stop_serving 2>/dev/null
    for left in "$home/lazy-pages.status" "$home/lazy-pages.log" "$home/keeper.log"; do [ ! -e "$left" ] || rm -f "$left"; done
    mkdir -m 700 "$home/pages" 2>/dev/null || removed
    started=yes
    # How the daemon ends is written down: without it, memory that never came would read as zeros (drain.sh).
    setsid /bin/sh -c 'home=$1 keeper=$3 server=$4 cgroup=$5
        set -- criu lazy-pages -D "$1/$2" -W "$1/pages" -o "$1/lazy-pages.log"
        if [ -n "$server" ]; then
            ulimit -n "$(ulimit -H -n)" # a descriptor for each process that is forked meanwhile
            echo $$ >"$home/lazy-pages.pid"
            python3 -c "$server" lazy-pages "$cgroup" "$home" 2>"$home/pages.log" || [ ! -s "$home/lazy-pages.pid" ] ||
                [ -S "$home/lazy-pages.socket" ] || echo 1 >"$home/lazy-pages.status"
            exit
        fi
        "$@" 2>/dev/null &
        daemon=$!
        echo $daemon >"$home/lazy-pages.pid"
        perl -e "$keeper" "$home" $daemon 2>"$home/keeper.log" &
        wait $daemon
        echo $? >"$home/lazy-pages.status"' sh "$home" "$lazy" "$keeper" "$server" "$cgroup" </dev/null >/dev/null 2>&1 &
    # It reads the images while this goes on.
    [ -z "$addresses" ] || shield >/dev/null 2>&1
    tries=0
    until [ -S "$home/lazy-pages.socket" ]; do
        tries=$((tries + 1))
        [ "$tries" -le 5000 ] && [ ! -e "$home/lazy-pages.status" ] && [ ! -s "$home/keeper.log" ] ||
            fail 'the daemon that serves memory pages does not start'
        sleep 0.002
    done
else
    [ -z "$addresses" ] || shield >/dev/null 2>&1
fi
if [ -z "$server" ] && [ -e "$images/partial" ]; then
    echo "not all pages of its memory have arrived in $images" >&2
    [ -z "$addresses" ] || unshield >/dev/null 2>&1
    exit 1
fi
[ ! -e "$home/restored.pid" ] || rm -f "$home/restored.pid"
# CRIU gives a process that had no supplementary groups those that it has itself.
bare=
! setpriv --clear-groups true 2>/dev/null || bare='setpriv --clear-groups'
$bare "$@"
status=$?
[ "$status" != 0 ] || [ -z "$server" ] || : >"$home/pages/go" # others may use the processors now
[ "$status" != 0 ] || announce </dev/null >/dev/null 2>&1 &
[ -z "$addresses" ] || unshield >/dev/null 2>&1
if [ "$status" != 0 ] && [ -n "$started" ]; then
    end_made && stop_serving 2>/dev/null
fi
exit "$status"
