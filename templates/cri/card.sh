# The card of a pod, in its network namespace: CNI has configured it, and it may have addresses of its own in the place of those
# that CNI gave. PID: a process in there.
card=eth0
# shellcheck disable=SC2154 # pid is who includes this to say
inside() { nsenter --net="/proc/$pid/ns/net" -- "$@"; }
readdress() { # NOTE IP IP6 MAC: the card is down after it, with all of these that are not empty; NOTE: its routes
    note=$1 four=$2 six=$3 mac=$4
    lengths=
    for ip in $four $six; do
        case $ip in *:*) family=6 ;; *) family=4 ;; esac
        length=$(inside ip -o "-$family" addr show dev "$card" scope global | awk '{sub(/.*\//, "", $4); print $4; exit}')
        [ -n "$length" ] || { echo "CNI gave the pod no address of the kind of $ip, so nobody knows how large its network is" >&2; return 1; }
        lengths="$lengths $ip/$length"
    done
    for family in 4 6; do
        inside ip "-$family" route show dev "$card" | sed -n "/ proto kernel/d; s/ src [^ ]*//; s/ linkdown//; s/^/$family /p"
    done >"$note.new" && mv "$note.new" "$note" || return
    inside ip link set dev "$card" down || return
    [ -z "$mac" ] || inside ip link set dev "$card" address "$mac" || return
    inside ip addr flush dev "$card" scope global || return
    for address in $lengths; do
        case $address in *:*) inside ip addr add "$address" dev "$card" nodad ;; *) inside ip addr add "$address" dev "$card" ;; esac || return
    done
}
raise() { # NOTE: it is up, and its segment is told
    inside sh -c 'echo 1 >"/proc/sys/net/ipv4/conf/$1/arp_notify"; echo 1 >"/proc/sys/net/ipv6/conf/$1/ndisc_notify"' sh "$card" 2>/dev/null
    inside ip link set dev "$card" up || return
    while read -r family route; do
        # shellcheck disable=SC2086
        inside ip "-$family" route replace $route dev "$card" || return
    done <"$1"
}
lower() { # NET: where it is still the pod's own network, which that is
    [ "$(readlink "/proc/$pid/ns/net")" = "$1" ] && [ "$1" != "$(readlink /proc/self/ns/net)" ] || return 0
    inside ip link set dev "$card" down
}
