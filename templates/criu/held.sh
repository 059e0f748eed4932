# held.sh HOME FOLDER CGROUP MONITOR HELD ADDRESSES COMMAND...: hold a source by this command of the guard's; when that is
# done, say how large its images are and how long the freeze took. FOLDER: the workload's, with its hook. CGROUP, MONITOR:
# the tasks (living.sh); what each of them may do is noted among the images, and what their network is, of which CRIU saves
# nothing. HELD: empty where they end with the dump, and no hook acts. ADDRESSES: those that they were given, with commas
# between them. Exit 3: what was dumped cannot be used.
home=$1 folder=$2 cgroup=$3 monitor=$4 held=$5 addresses=$6
shift 6
# include living
# include rights
# include named
kept() { # FOLDER PID...: what CRIU does not keep of tasks, of files in memory, and of sockets
    command -v perl >/dev/null || return 0
    perl - note "$machine" "$@" <<'END'
# include kept.pl
END
}
keep_more() { # FOLDER PID...: what they may do, names and addresses that somebody may have edited, and what CRIU does not keep
    into=$1
    shift
    first=$1
    for pid; do case $(grep '^NSpid:' "/proc/$pid/status") in *[!0-9]1) first=$pid && break ;; esac; done
    kept "$into" "$first" "$@" &
    for file in hosts resolv.conf; do
        at=$(named "$first" "$file") && cp "$at" "$into/$file" && stat -c %.9Y "$at" >"$into/$file.time"
    done
    cat /etc/resolv.conf /run/systemd/resolve/resolv.conf >"$into/resolv.conf.host"
    rights "$@" >"$into/rights" # one that has ended since has none
    wait $!
    [ -s "$into/rights" ]
} 2>/dev/null
tasks() { read -r group _ <"$folder/hook/cgroup" && cat "$group/cgroup.procs" || living "$cgroup" "$monitor" | cut -d ' ' -f 1; }
# As soon as the tasks stand still, which the hook says, beside their dump. The other end of the fifo is this shell's alone:
# it ends with it.
keep_beside() { # FOLDER
    rm -f "$folder/still" && mkfifo -m 600 "$folder/still" || return
    # shellcheck disable=SC2094 # of a fifo
    exec 4<>"$folder/still" 5<"$folder/still"
    {
        exec 4>&-
        read -r _ <&5 || exit 1
        # shellcheck disable=SC2046 # PIDs are words
        keep_more "$1" $(tasks)
    } >/dev/null 2>&1 &
    noter=$!
    renice -n 10 -p "$noter" >/dev/null 2>&1 # clients wait for the dump
    exec 5<&-
}
network=$folder/hook noted=$home/noted noter='' machine=$(uname -m)
rm -rf "$noted" && mkdir -m 700 "$noted" || exit 1
if [ -n "$held" ]; then
    keep_beside "$noted"
else
    pids=$(living "$cgroup" "$monitor" | cut -d ' ' -f 1)
    network=$home/network
    rm -rf "$network" && mkdir -m 700 "$network" || exit 1
    # shellcheck disable=SC2086
    keep_more "$noted" $pids
    for pid in $pids; do
        [ "$(readlink "/proc/$pid/ns/net")" = "$(readlink /proc/self/ns/net)" ] ||
            nsenter --net="/proc/$pid/ns/net" /bin/sh "$folder/hook.sh" remember "$network"
        break
    done
fi
said=$("$@" 4>&-) || { status=$?; printf '%s\n' "$said"; exit "$status"; }
[ -z "$noter" ] || exec 4>&-
printf '%s\n' "$said"
case $said in *'"outcome":"held"'* | *'"outcome":"exited","status":0,'*) ;; *) exit 0 ;; esac
[ -s "$home/checkpoint/inventory.img" ] || { echo "no complete dump in $home/checkpoint" >&2; exit 3; }
keep_state() {
    # What runs on after its dump is not what was dumped any more.
    # shellcheck disable=SC2046 # PIDs are words
    [ -z "$held" ] || { [ -n "$noter" ] && wait "$noter"; } || keep_more "$noted" $(tasks) || return
    printf '%s\n' "$addresses" >"$noted/addresses" || return
    set -- "$noted"/*
    [ ! -e "$network/net.cards" ] || set -- "$@" "$network"/net.* # not there for a host's own network
    state=$home/checkpoint/state
    [ ! -e "$state" ] || rm -rf "$state" || return
    mkdir -m 700 "$state" && cp "$@" "$state/" || return # with few programs: clients wait
    # Secrets as the engine gave them when it made the container: what they are by now no process of it knows.
    set -- "$home"/secrets/*
    [ ! -e "$1" ] || cp -Rp "$home/secrets" "$state/" || return
    rm -rf "$noted" "$folder/still" >/dev/null &
} 2>/dev/null
keep_state || exit 3
set -- "$home"/checkpoint/*
# CRIU saves a periodic timerfd that has expired and was not read yet as one that never expires (its issue 3162).
stat -c %s -- "$@" | awk -F'[()]' '
    sizes {bytes += $0; next}
    /[Ss]eized|freezing|frozen/ {if (!first) first = $2; last = $2}
    /Dumping id .* it_value\(0, 0\) it_interval\(/ && !/it_interval\(0, 0\)/ {lost = 1; exit}
    END {
        if (lost) exit 9
        printf "freeze_us %d\nbytes %.0f\n", (last - first) * 1000000, bytes
    }' "$home/dump.log" sizes=1 - 2>/dev/null
if [ $? = 9 ]; then
    echo 'a periodic timer (timerfd) expired while it was frozen, and CRIU would not start it again' >&2
    exit 3
fi
