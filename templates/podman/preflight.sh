# preflight.sh [host itself | path PATH | folder PATH | contents PATH | shared PATH | profile NAME | address ADDRESS | name NAME | container ID PID]...: a closer look at a host for a plan.
# Changes nothing but which neighbours are remembered. Lines of answers are `key value`; what cannot be known is left out.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
section() { printf '\n@@ %s\n' "$*"; }

host() {
    section criu
    # Not `--all`: optional features are asked one by one elsewhere.
    if said=$(criu check 2>&1 </dev/null); then echo ok; else printf '%s\n' "$said" | grep -v 'RLIMIT_NOFILE' | tail -3; fi
    section host
    { ldconfig -p 2>/dev/null; ls /usr/lib*/libcriu.so* /usr/lib/*/libcriu.so* 2>/dev/null; } | grep -q 'libcriu\.so\.2' && echo libcriu
    [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ] && echo "confinement apparmor"
    [ -e /sys/fs/selinux/enforce ] && echo "confinement selinux"
    awk '/^Seccomp:/ {print "seccomp"} /^CapBnd:/ {print "capabilities", $2}' /proc/self/status
    ip -o addr show 2>/dev/null | awk '$3 ~ /^inet/ {sub("/.*", "", $4); print "address", $4}'
    sudo -V 2>/dev/null </dev/null | awk 'NR == 1 {print "sudo", $NF}'
    section listening
    for kind in tcp tcp6 udp udp6; do
        awk -v kind="${kind%6}" '($4 == "0A" && kind == "tcp") || ($4 == "07" && kind == "udp") {print kind, $2}' /proc/net/$kind 2>/dev/null
    done
}

# One process of the container: its programs, whether it is traced, and what its files and mappings are.
files() {
    printf 'program %s\n' "$(basename -- "$(readlink "/proc/$1/exe" 2>/dev/null)" 2>/dev/null)"
    awk -v name="$(cat "/proc/$1/comm" 2>/dev/null)" \
        '/^PPid:/ {print "parent", '"$1"', $2, name} /^TracerPid:/ && $2 != 0 {print "traced", name} /^Seccomp:/ && $2 != 0 {print "seccomp"}' "/proc/$1/status" 2>/dev/null
    find "/proc/$1/fd" -mindepth 1 -printf 'fd %p %l\n' 2>/dev/null
    awk '$6 ~ /^\/dev\// || $6 ~ /^anon_inode:/ || / \(deleted\)$/ {
        range = $1; sub(/^([^ ]+ +){5}/, ""); print "map '"/proc/$1/map_files/"'" range, $0}' "/proc/$1/maps" 2>/dev/null
}

# `deleted SIZE PATH`, `watches N`: what the lines of `files` need a second look for.
second_look() {
    while read -r kind link target; do
        # A POSIX message queue looks like a file in the root folder, whether it has a name left or not.
        case $kind$target in
        fd/*/*) ;;
        fd/*) [ "$(stat -L -f -c %t -- "$link" 2>/dev/null)" = 19800202 ] && echo "object mqueue" && continue ;;
        esac
        case $target in
        socket:*) echo "socket ${target#socket:}" ;;
        anon_inode:inotify | 'anon_inode:[inotify]')
            echo "object inotify"
            [ "$kind" = fd ] && lost_watches "$link"
            grep -qsE '^inotify .* mask:8' "$(info "$link")" && echo "dropped IN_ONESHOT"
            ;;
        /etc/hosts | /etc/resolv.conf | /etc/hostname) echo "made $target" ;;
        'anon_inode:[eventfd]')
            echo "object eventfd"
            grep -qsE '^eventfd-semaphore:[[:space:]]*1' "$(info "$link")" && echo "dropped EFD_SEMAPHORE"
            ;;
        pipe:*) grep -qsE '^flags:[[:space:]]*0*[0-9]*[4-7][0-9]{4}$' "$(info "$link")" && echo "object packet-pipe" ;;
        /secretmem*) echo "object secretmem" ;;
        net:* | mnt:* | user:* | pid:* | uts:* | ipc:* | time:* | cgroup:*)
            printf '%s\n' "$spaces" | grep -qF "'$target'" || echo "nested ${target%%:*}"
            ;;
        anon_inode:*) echo "object ${target#anon_inode:}" ;;
        /memfd:* | /SYSV* | /dev/zero* | /dev/shm/* | '/[aio]'* | '/anon_hugepage'*) ;;
        *' (deleted)')
            case $target in */'#'[0-9]*) echo "forgotten unnamed-file" ;; esac
            # CRIU counts blocks: a file just under its limit may have one more than its size says.
            size=$(stat -L -c '%b %B' -- "$link" 2>/dev/null | awk '{print $1 * $2}')
            [ -n "$size" ] && echo "deleted $size ${target% (deleted)}"
            ;;
        /dev/pts/*)
            process=${link%/fd/*}
            [ -e "${process%/map_files/*}/root$target" ] || echo "terminal $target"
            ;;
        /dev/*) echo "device $target" ;;
        esac
    done
}

info() { echo "${1%/fd/*}/fdinfo/${1##*/}"; }

# Overlay file systems give the kernel's handles a type of their own (f8) that nobody can open again. CRIU then looks
# for the inode in folders of its own choice.
lost_watches() {
    info=$(info "$1")
    root=${1%/fd/*}/root
    awk '/^inotify / && /fhandle-type:f8/ {for (i = 1; i <= NF; i++) if (sub("^ino:", "", $i)) print $i}' "$info" 2>/dev/null |
        while read -r inode; do
            inode=$(printf '%d' "0x$inode")
            [ "$(stat -c %i "$root/" 2>/dev/null)" = "$inode" ] && continue
            found=$(timeout 3 find "$root/etc" "$root/var/spool" "$root/var/log" "$root/usr/share/dbus-1/system-services" \
                "$root/var/lib/polkit-1/localauthority" "$root/usr/share/polkit-1/actions" "$root/lib/udev" \
                -xdev -inum "$inode" -print 2>/dev/null | head -1)
            [ -n "$found" ] || echo "lost-watch $inode"
        done
}

# The namespaces of processes PID...: all but that of mounts has to be the one namespace of the first of them.
nested() {
    first=$(stat -c %N "/proc/$1/ns/"* 2>/dev/null | grep -v _for_children)
    printf '%s\n' "$spaces" | sed -n "s|.*/ns/\([a-z]*\).*' -> '\(.*\)'|\1 \2|p" | sort -u | while read -r kind target; do
        [ "$kind" = mnt ] || printf '%s\n' "$first" | grep -qF "'$target'" || echo "nested $kind"
    done
    # A first process that has left the user namespace of its host took that step by itself, or Podman did for it.
    [ "$(readlink "/proc/$1/ns/user")" = "$(readlink /proc/self/ns/user)" ] || echo "nested user"
}

# Connections that wait to be accepted go away in a moment, unless the program has stopped accepting.
backlog() {
    turn=0
    while [ $turn -lt 4 ]; do
        waiting=$(awk '$4 == "0A" && $5 !~ /:00000000$/ {print "backlog", $2}' "/proc/$1/net/tcp" "/proc/$1/net/tcp6" 2>/dev/null)
        [ -n "$waiting" ] || return
        turn=$((turn + 1))
        sleep 0.25
    done
    printf '%s\n' "$waiting"
}

# Sockets one by one, where there is Perl to ask them.
sockets() {
    command -v perl >/dev/null || return
    # shellcheck disable=SC2086
    nsenter --net="/proc/$1/ns/net" perl - "$(readlink "/proc/$1/ns/net")" $pids 2>/dev/null <<'END'
# include sockets.pl
END
    # shellcheck disable=SC2086
    perl - $pids 2>/dev/null <<'END'
# include databases.pl
END
    # shellcheck disable=SC2086
    perl - $pids 2>/dev/null <<'END'
# include tasks.pl
END
}

# What a bind mount holds: names, sizes and modes, and the bytes too where they are few. Nothing of the kernel's own.
contents() {
    case $(stat -f -c %T -- "$1" 2>/dev/null) in '' | proc | sysfs | cgroup* | devtmpfs | nfs* | ceph | cifs | smb* | fuseblk | 9p | v9fs | UNKNOWN*) return ;; esac
    listed=$(timeout 3 find -H "$1" -xdev \( -type f -o -type l \) -printf '%P %s %m %l\n' 2>/dev/null | sort) || return
    [ -n "$listed" ] || return
    printf '%s\n' "$listed" | sha256sum | cut -c1-64
    [ "$(printf '%s\n' "$listed" | awk '{sum += $2; n++} END {print (sum < 33554432 && n < 2000)}')" = 1 ] || return
    timeout 5 find -H "$1" -xdev -type f -print0 2>/dev/null | sort -z | xargs -0r timeout 5 cat -- 2>/dev/null | sha256sum | cut -c1-64
}

# Groups that an interface is in for somebody's sake; the kernel's own are left out.
multicast() {
    awk 'NF == 4 && length($1) == 8 && $1 != "010000E0" {print "group", $1}' "/proc/$1/net/igmp" 2>/dev/null
    awk 'length($3) == 32 && $3 !~ /^ff0[125]00000000000000000000000000(01|02|6a)$/ && index($3, "ff0200000000000000000001ff") != 1 {
        print "group", $3}' "/proc/$1/net/igmp6" 2>/dev/null
}

# What nobody can make again of a network of PID's: cards (`card KIND MAC NAME`; the kernel makes some by itself), queues
# that shape or filter, IPsec, balancing, sets, next hops, addresses that are answered for others.
network() {
    own=/proc/$1/ns/net
    [ "$(readlink "$own")" != "$(readlink /proc/self/ns/net)" ] || return
    nsenter --net="$own" ip -o -d link show 2>/dev/null | awk '
        {name = $2; sub(/[@:].*/, "", name); mac = match($0, /link\/ether [0-9a-f:]+/) ? substr($0, RSTART + 11, 17) : "-"; kind = "-"}
        / link\/loopback / || / dummy / || $3 !~ /[<,]UP[,>]/ && name ~ /^(tunl0|gre0|gretap0|erspan0|sit0|ip6tnl0|ip6gre0|ip_vti0|ip6_vti0)$/ {next}
        {
            for (i = 4; i <= NF; i++) if ($i ~ /^(veth|bridge|vlan|macvlan|macvtap|ipvlan|ipvtap|vxlan|geneve|wireguard|tun|ipip|gre|gretap|sit|ip6tnl|ip6gre|vti|vti6|xfrm|bond|team|ifb|vrf|macsec|nlmon|vcan|vxcan|netkit|amt|bareudp|hsr)$/) {kind = $i; break}
            print "card", kind, mac, name
        }'
    nsenter --net="$own" tc qdisc show 2>/dev/null | awk '$1 == "qdisc" && $3 != "0:" {for (i = 4; i < NF; i++) if ($i == "dev") print "network tc", $2, "on", $(i + 1)}'
    [ -z "$(nsenter --net="$own" ip xfrm state list 2>/dev/null | head -1)" ] || echo 'network IPsec'
    [ -z "$(nsenter --net="$own" ip nexthop show 2>/dev/null | head -1)" ] || echo 'network next hops'
    [ -z "$(nsenter --net="$own" ip neigh show proxy 2>/dev/null | head -1)" ] || echo 'network proxied neighbours'
    [ "$(nsenter --net="$own" cat /proc/net/ip_vs 2>/dev/null | wc -l)" -le 3 ] || echo 'network IPVS'
    # Docker's own name server is reached by rules of the engine's.
    { nsenter --net="$own" nft list ruleset; nsenter --net="$own" iptables-save; } 2>/dev/null | grep -v 127.0.0.11 |
        grep -qiE '[[:space:]](dnat|snat|redirect|masquerade|netmap)([[:space:]]|$)' && echo translates
    ! command -v ipset >/dev/null || [ -z "$(nsenter --net="$own" ipset list -n 2>/dev/null | head -1)" ] || echo 'network ipset'
}

# A health check that is neither its image's nor none: the spec's, or somebody has given it one by hand.
health() {
    image=$(timeout 5 podman container inspect --format '{{.Image}} {{json .Config.Healthcheck}}' -- "$1") || return
    has=$(timeout 5 podman image inspect --format '{{json .HealthCheck}}' -- "${image%% *}") || return
    [ "${image#* }" = null ] || [ "${image#* }" = "$has" ] || echo 'health other'
} 2>/dev/null </dev/null

# The first path below FOLDER, which is called PLACE, that no program can be given whole to copy it (hosts/link.py has the
# limit).
too_deep() {
    timeout 5 find "$1" -mindepth 15 -xdev -printf '%P\0' 2>/dev/null | tr '\n\0' ' \n' |
        awk -v place="$2" 'length > 4062 {print "long", length, "bytes in", place ":", substr($0, 1, 60) "..."; exit}'
}

# The same for a root filesystem and volumes.
long_paths() {
    awk -v root="/proc/$1/root" '
        $5 == "/" && match($0, /[ ,]upperdir=[^,]*/) {print "/", substr($0, RSTART + 10, RLENGTH - 10); next}
        $4 ~ "/_data$" {print $5, root $5}' "/proc/$1/mountinfo" 2>/dev/null | while read -r place folder; do
        too_deep "$(printf '%b' "$folder")" "$place"
    done
}

container() {
    section "container $1"
    space=$(readlink "/proc/$2/ns/pid")
    [ -n "$space" ] && [ "$space" != "$(readlink /proc/self/ns/pid)" ] || return
    pids=$(members "$1" "$2")
    # shellcheck disable=SC2046,SC2086
    spaces=$(stat -c %N $(printf '/proc/%s/ns/* ' $pids) 2>/dev/null)
    for one in $pids; do
        seen=$(files "$one")
        printf '%s\n' "$seen" | grep -v '^map \|^fd '
        printf '%s\n' "$seen" | grep '^map \|^fd ' | second_look
    done | sort -u
    { nested "$2"; sockets "$2"; backlog "$2"; multicast "$2"; network "$2"; health "$1"; long_paths "$2"; } | sort -u
    find "/proc/$2/root/dev/shm" -xdev -type f -size +7 -printf '%s %b\n' 2>/dev/null |
        awk '$1 - $2 * 512 >= 4096 {found = 1} END {if (found) print "holes"}'
    [ -z "$(ls -A "/proc/$2/root/dev/mqueue" 2>/dev/null)" ] || echo "object mqueue"
    # The engine gives each container a keyring of its own, named after it.
    grep -qE "keyring +(_ses\.)?$1: [1-9]" /proc/keys 2>/dev/null && echo "forgotten keys"
    [ "$(nsenter --ipc="/proc/$2/ns/ipc" cat /proc/sysvipc/sem 2>/dev/null | wc -l)" -gt 1 ] && echo "forgotten undo"
    awk '/^CapBnd:/ {print "capabilities", $2}' "/proc/$2/status"
    printf 'confined %s\n' "$(tr -d '\0' <"/proc/$2/attr/current" 2>/dev/null)"
    awk '{for (i = 7; $i != "-"; i++); type = $(i + 1); if (type ~ /^(fuse|nfs|cifs|smb3|9p|ceph)/ || (type == "overlay" && $4 == "/" && $5 != "/")) print "mount", type, $5}' \
        "/proc/$2/mountinfo"
    command -v ss >/dev/null && nsenter --net="/proc/$2/ns/net" ss -Hxa 2>/dev/null |
        awk 'FNR == NR {name[$7] = $8; next} $2 == "ESTAB" && $NF > 0 {print "unix", $(NF - 2), $NF, name[$NF]}' "/proc/$2/net/unix" -
}

# include members
addresses=
while [ $# -ge 2 ]; do
    case $1 in
    host) host ;;
    path)
        section "path $2"
        [ -e "$2" ] && { stat -f -c %T -- "$2" 2>/dev/null || echo unknown; }
        ;;
    folder)
        section "folder $2"
        note=/var/lib/reconciler/folders/$(printf %s "$2" | sha256sum | cut -c1-32)
        if [ -L "$2" ]; then kind='link'; elif [ ! -e "$2" ]; then kind='absent'; elif [ ! -d "$2" ]; then kind='other'
        elif awk -v p="$2" '$5 == p || index($5, p "/") == 1 {found = 1} END {exit !found}' /proc/self/mountinfo; then kind='mountpoint'
        elif [ -z "$(ls -A -- "$2")" ]; then kind='empty'; else kind='folder'; fi
        echo "$kind $(cut -d' ' -f1 "$note" 2>/dev/null)"
        ;;
    shared)
        section "shared $2"
        [ -d "$2" ] && timeout 5 stat -f -c %T -- "$2" && timeout 5 stat -c %i -- "$2"
        ;;
    contents)
        section "contents $2"
        contents "$2"
        ;;
    profile)
        section "profile $2"
        grep -qF "$2 (" /sys/kernel/security/apparmor/profiles 2>/dev/null && echo loaded
        ;;
    deep)
        section "deep $2"
        case $2 in /*) too_deep "$2" "$2" ;; *) long_paths "$2" ;; esac
        ;;
    address) addresses="$addresses $2" ;;
    name)
        section "units $2"
        grep -lE "podman .*(start|run) .*[ =]$2( |\$)" /etc/systemd/system/*.service /run/systemd/system/*.service \
            /usr/local/lib/systemd/system/*.service /run/systemd/generator/*.service 2>/dev/null | sed 's|.*/||'
        grep -lE "^ContainerName=$2\$" /etc/containers/systemd/*.container /usr/share/containers/systemd/*.container 2>/dev/null |
            sed 's|.*/||'
        ;;
    container)
        container "$2" "$3"
        shift
        ;;
    esac
    shift 2
done
section answers
# What the cache remembers may be gone: only who answers now counts.
for one in $addresses; do
    ip neigh flush to "$one" 2>/dev/null
    { timeout 0.5 ping -c 1 "$one" || timeout 0.5 busybox ping -c 1 "$one"; } >/dev/null 2>&1 </dev/null &
done
wait
for one in $addresses; do
    ip neigh show to "$one" 2>/dev/null | awk -v one="$one" '/lladdr/ && !/FAILED|INCOMPLETE/ {for (i = 1; i < NF; i++) if ($i == "lladdr") print one, $(i + 1)}'
done
section end
