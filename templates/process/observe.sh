# observe.sh FOLDER...: trees of processes that Reconciler has made on this host; without FOLDER all. Changes nothing.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# include attached
# include entry
section() { printf '\n@@ %s\n' "$*"; }
root=/var/lib/reconciler
cgroups=/sys/fs/cgroup
number() { head -c 20 "$1" | tr -dc 0-9; } # a file that the tree itself can write
[ $# -gt 0 ] || set -- "$root"/processes/*
for home; do
    [ -s "$home/made.json" ] || continue
    name=${home##*/}
    read -r id <"$home/id" || continue
    section "made $name"
    cat "$home/made.json"
    printf '\n%s\n' "$id"
    group=$cgroups/reconciler-$id
    section "carried $name"
    [ ! -s "$home/carried/list" ] || cut -f 2 "$home/carried/list"
    section "now $name"
    [ ! -s "$home/own/started" ] || echo "started $(number "$home/own/started")"
    [ ! -s "$home/own/exit" ] || echo "exit $(number "$home/own/exit")"
    [ ! -s "$home/checkpoint/inventory.img" ] || echo "images 1"
    [ "$(cat "$group/cgroup.freeze" 2>/dev/null)" != 1 ] || echo "frozen 1"
    count=0 files='' init='' members=''
    attached=$(number "$home/own/attached" 2>/dev/null)
    for pid in $(cat "$group/cgroup.procs" 2>/dev/null); do
        status=$(cat "/proc/$pid/status" 2>/dev/null) || continue
        case $status in *State:?[ZX]*) continue ;; esac
        count=$((count + 1)) files="$files /proc/$pid/smaps_rollup" members="$members $pid"
        [ "$pid" != "$attached" ] || init=$pid
        # The first of its own PID namespace, one below the host's.
        ! printf '%s\n' "$status" | grep -qE '^NSpid:[[:space:]]+[0-9]+[[:space:]]+1$' || [ -n "$attached" ] || init=$pid
    done
    echo "processes $count"
    [ -z "$init" ] || echo "pid $init"
    # shellcheck disable=SC2086
    [ -z "$files" ] || cat $files 2>/dev/null | awk '/^Pss_Anon:|^Pss_Shmem:/ {sum += $2} END {print "memory", sum * 1024}'
    echo "own $(timeout 10 du -sB1 -- "$home/own" 2>/dev/null | cut -f1)"
    [ -n "$init" ] || continue
    section "mapped $name"
    for file in $files; do
        [ "$file" = "${file%/smaps_rollup}" ] || sed -n 's/^[^/]*\(\/.*\)$/\1/p' "${file%/smaps_rollup}/maps" 2>/dev/null
    done | sort -u | head -n 500
    if [ -n "$attached" ]; then
        section "found $name"
        if [ -s "$home/unit" ]; then
            read -r unit < "$home/unit"
            printf 'unit %s\nenabled %s\n' "$unit" "$(of_unit UnitFileState "$unit")"
        fi
        # shellcheck disable=SC2086
        describe "$init" $members
        section "tcp $name"
        # shellcheck disable=SC2086
        connections $members
        continue
    fi
    section "tcp $name"
    awk '$4 == "01"' "/proc/$init/net/tcp" "/proc/$init/net/tcp6" 2>/dev/null
done
section boot
starts=$(keeper)
echo "${starts:-boots-nothing}"
section networks
for file in "$root/networks"/*.json; do [ -s "$file" ] && cat "$file" && echo; done
section volumes
for file in "$root/volumes"/*/labels.json; do
    [ -s "$file" ] && printf '%s %s\n' "$(basename "$(dirname "$file")")" "$(cat "$file")"
done
section end
