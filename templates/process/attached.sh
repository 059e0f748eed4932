# What scripts know of programs that Reconciler has not started. A program is found by KIND (pidfile, unit) and WHERE.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C PATH
# PID, first PID above it and session of all processes. Of `status`, where no name can look like more.
everyone() { cat /proc/[0-9]*/status 2>/dev/null | awk '/^Pid:/ {p = $2} /^PPid:/ {above = $2} /^NSsid:/ {print p, above, $2}'; }
below() { # PID: it and all that it has started, each with its session
    everyone | awk -v first="$1" '
        {above[$1] = $2; session[$1] = $3}
        END {
            for (pid in above) {
                for (one = pid; one != first && one > 1 && steps[pid]++ < 4096; ) one = above[one]
                if (one == first) print pid, session[pid]
            }
        }'
}
user_of() { awk '/^Uid:/ {print $3}' "/proc/$1/status" 2>/dev/null; }
of_unit() { systemctl show --value --property "$1" -- "$2" 2>/dev/null || true; } # PROPERTY UNIT
unit_around() { # CGROUP: the systemd service it belongs to
    case ${1##*/} in *.service) ! command -v systemctl >/dev/null || echo "${1##*/}" ;; esac
}
group_of() { sed -n 's/^0:://p' "/proc/$1/cgroup" 2>/dev/null; }
# KIND WHERE: its first process into `pid`, or into `problem` a word why there is none that can be taken, and what of.
find_first() {
    pid='' problem='' unit=''
    case $1 in
    unit)
        unit=$2
        command -v systemctl >/dev/null || { problem=no-systemd; return; }
        pid=$(of_unit MainPID "$2")
        case $pid in '' | 0) problem="no-process $2" && return ;; esac
        ;;
    pidfile)
        [ -f "$2" ] || { problem="no-pidfile $2"; return; }
        pid=$(head -c 20 -- "$2" | head -n 1 | tr -d ' \t')
        case $pid in '' | 0* | *[!0-9]*) problem="no-number $2" && return ;; esac
        ;;
    esac
    [ "$pid" != 1 ] || { problem=first; return; }
    [ -e "/proc/$pid/status" ] || { problem="gone $pid"; return; }
    readlink "/proc/$pid/exe" >/dev/null || { problem="kernel $pid"; return; }
    if [ "$1" = pidfile ]; then
        owner=$(stat -Lc %u -- "$2")
        [ "$owner" = 0 ] || [ "$owner" = "$(user_of "$pid")" ] || { problem="owner $owner"; return; }
        case $(stat -Lc %A -- "$2") in ????????w?) problem="writable $2" && return ;; esac
    fi
    for space in pid mnt net ipc uts user; do
        [ "$(readlink "/proc/$pid/ns/$space")" = "$(readlink "/proc/self/ns/$space")" ] || problem="$problem $space"
    done
    [ -z "$problem" ] || { problem="inside$problem"; return; }
    [ -n "$unit" ] || unit=$(unit_around "$(group_of "$pid")")
    if [ -n "$unit" ]; then
        restart=$(of_unit Restart "$unit")
        case $restart in '' | no) ;; *) problem="restarts $unit $restart" && return ;; esac
    fi
    around=$(group_of "$pid")
    case $around in "${mine-}") ;; /reconciler-*) problem="taken $pid" && return ;; esac
    ! below "$pid" | grep -q "^$$ " || problem="ours $pid"
}
describe() { # PID [MEMBER...]: what a plan asks about its tree; members: all that live in its control group
    echo "pid $1"
    echo "program $(head -n 1 "/proc/$1/comm" | tr -d '\n' | tr -c 'A-Za-z0-9_.:@/+-' _)"
    tree=$(below "$1")
    pids=$(echo "$tree" | cut -d ' ' -f 1)
    shift
    for pid in $pids; do
        echo "$pid"
        ls "/proc/$pid/task"
        awk '/^NSpgid:/ {print $2}' "/proc/$pid/status"
    done 2>/dev/null | sort -un | sed 's/^/id /'
    echo "$tree" | awk '{pids[$1]; sessions[$2]} END {for (one in sessions) if (!(one in pids)) print "session", one}'
    for pid; do echo "$pids" | grep -qx "$pid" || echo "stray $pid"; done
    # shellcheck disable=SC2046,SC2086
    {
        sed -n 's/^[^/]*\(\/.*\) (deleted)$/deleted \1/p' $(printf '/proc/%s/maps ' $pids) | grep -v '^deleted /\(memfd:\|dev/\|SYSV\|anon_hugepage\)'
        find $(printf '/proc/%s/fd ' $pids) -type l -printf '%p %l\n' | grep ' /'
    } 2>/dev/null | sort -u | while IFS= read -r line; do
        case $line in deleted\ *) printf '%s\n' "$line" && continue ;; esac
        path=${line#* } at=${line%% *}
        case $path in
        *' (deleted)') ;;
        /dev/pts/* | /dev/tty* | /dev/console) printf 'terminal %s\n' "$path" ;;
        /dev/* | /proc/* | /sys/* | /memfd:*) ;;
        *)
            [ -f "$at" ] || continue
            case $(awk '/^flags:/ {print $2}' "${at%/fd/*}/fdinfo/${at##*/}") in *[12]) echo "writes $path" ;; *) echo "reads $path" ;; esac
            ;;
        esac
    done | sort -u | head -n 500
    for pid in $pids; do
        [ "$(sed 's/.*) //' "/proc/$pid/stat" | cut -d ' ' -f 5)" = 0 ] || echo "terminal $pid"
    done 2>/dev/null
}
connections() { # PID...: those of these processes, as /proc/net/tcp has them
    # shellcheck disable=SC2046
    find $(printf '/proc/%s/fd ' "$@") -type l -printf '%l\n' 2>/dev/null | sed -n 's/^socket:\[\([0-9]*\)\]$/\1/p' |
        awk 'FILENAME == "-" {mine[$1]; next} $4 == "01" && $10 in mine' - /proc/net/tcp /proc/net/tcp6 2>/dev/null
}
