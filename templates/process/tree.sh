# What the other scripts know of a tree: settings are lines `KEY<tab>VALUE...` in HOME/settings.
# shellcheck disable=SC2154  # home is who includes this one's
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C PATH
tab=$(printf '\t')
read -r id < "$home/id"
space=rc-$(printf %.12s "$id")
group=/sys/fs/cgroup/reconciler-$id
setting() { sed -n "s/^$1$tab//p" "$home/settings"; } # KEY
# Files that are its own, in the place of its host's: lines of NAME<tab>PATH, the first of a copy in HOME/carried. The
# list may come from another host.
carried() { grep -sE "^[0-9a-f]{16}$tab/[A-Za-z0-9_.,=@~+/-]+\$" "$home/carried/list" || true; }
living() { # PIDs of the tree that live
    for pid in $(cat "$group/cgroup.procs" 2>/dev/null); do
        grep -qs '^State:[[:space:]]*[ZX]' "/proc/$pid/status" || echo "$pid"
    done
}
first() { # PID of its first process
    if [ -s "$home/own/attached" ]; then # in the host's own namespaces
        read -r one < "$home/own/attached"
        living | grep -x -- "$one"
        return
    fi
    for pid in $(living); do
        awk -v pid="$pid" '/^NSpid:/ && NF == 3 && $3 == 1 {print pid}' "/proc/$pid/status" 2>/dev/null
    done
}
limit() { # FILE VALUE
    [ -n "$2" ] || return 0
    { echo "$2" > "$group/$1"; } 2>/dev/null || { echo "the limit $1 cannot be set: its controller is not available in $group" >&2; exit 1; }
}
make_group() {
    [ -e /sys/fs/cgroup/cgroup.controllers ] || { echo 'control groups of version 2 are not mounted there' >&2; exit 1; }
    mkdir -p "$group"
    for controller in memory pids cpu; do
        grep -qw "$controller" /sys/fs/cgroup/cgroup.subtree_control ||
            echo "+$controller" > /sys/fs/cgroup/cgroup.subtree_control || true
    done 2>/dev/null
    limit memory.max "$(setting memory)"
    limit pids.max "$(setting pids)"
    limit cpu.max "$(setting cpu)"
}
addresses() { setting address; } # of the host's, that go along: lines of ADDRESS<tab>CARD
announce() { # neighbours learn that they are here
    command -v perl >/dev/null || return 0
    # shellcheck disable=SC2046 # addresses and cards are words
    perl - $(addresses) <<'END'
# include announce.pl
END
}
make_net() { # up|down: its network namespace, with the address on a card that is up or not
    kind=$(setting network | cut -f1)
    if [ "$kind" = host ]; then
        [ "$1" = up ] || return 0
        addresses | while IFS=$tab read -r address card; do
            ip -o -4 addr show dev "$card" | grep -qF " $address/" || ip addr add "$address/32" dev "$card" || exit
        done || { echo "its address cannot be given to this host" >&2; exit 1; }
        announce
        return 0
    fi
    if [ ! -e "/run/netns/$space" ]; then
        ip netns add "$space"
        ip -n "$space" link set lo up
    fi
    [ "$kind" = macvlan ] || return 0
    if ! ip -n "$space" link show eth0 >/dev/null 2>&1; then
        network=$(setting network | cut -f2) address=$(setting network | cut -f3) mac=$(setting network | cut -f4)
        read -r parent prefix gateway < "/var/lib/reconciler/networks/$network.conf"
        card=rc$$
        set -- "$1" link add link "$parent" name "$card" netns "$space"
        how=$1
        shift
        [ -z "$mac" ] || set -- "$@" address "$mac"
        ip "$@" type macvlan mode bridge
        ip -n "$space" link set "$card" name eth0
        case $address in
        *:*) ip -n "$space" addr add "$address/$prefix" dev eth0 nodad ;;
        ?*) ip -n "$space" addr add "$address/$prefix" dev eth0 ;;
        esac
        ip netns exec "$space" sysctl -qw net.ipv4.conf.eth0.arp_notify=1
        set -- "$how"
    fi
    ip -n "$space" link set eth0 "$1"
    [ "$1" = up ] || return 0
    read -r parent prefix gateway < "/var/lib/reconciler/networks/$(setting network | cut -f2).conf"
    [ "$gateway" = - ] || ip -n "$space" route replace default via "$gateway" dev eth0
}
net_down() { # nobody hears from its address any more
    addresses | while IFS=$tab read -r address card; do ip addr del "$address/32" dev "$card" 2>/dev/null || true; done
    [ ! -e "/run/netns/$space" ] || ! ip -n "$space" link show eth0 >/dev/null 2>&1 || ip -n "$space" link set eth0 down
}
drop_net() { [ ! -e "/run/netns/$space" ] || ip netns del "$space"; }
end_tree() { # kills all of it; fails when something stays
    tries=0
    while [ -n "$(living)" ]; do
        [ "$tries" -lt 100 ] || { echo "processes do not end: $(living | tr '\n' ' ')" >&2; return 1; }
        echo 0 > "$group/cgroup.freeze"
        if [ -w "$group/cgroup.kill" ]; then echo 1 > "$group/cgroup.kill"; else living | xargs -r kill -s KILL; fi
        tries=$((tries + 1))
        sleep 0.05
    done 2>/dev/null
}
