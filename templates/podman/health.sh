# health.sh KIND CENTISECONDS TARGET ARGUMENT...: repeat a check until it passes or time is over.
# tcp, http: TARGET is a process of the container; the check runs in its network, where even addresses that the host
# itself cannot reach (macvlan) answer. command: TARGET is the container's name.
kind=$1 left=$2 target=$3
shift 3
now() { read -r up _ < /proc/uptime; echo "${up%.*}${up#*.}"; }
end=$(($(now) + left))
net() { nsenter -t "$target" -n -- timeout 2 "$@"; }
once() {
    case $kind in
    command) timeout 10 podman exec -- "$target" "$@" ;;
    tcp) net bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" ;;
    http)
        net bash -c 'exec 3<>"/dev/tcp/$0/$1" || exit 1
            printf "GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n" "$2" "$0" >&3
            IFS= read -r line <&3
            case $line in HTTP/1.[01]\ [23]*) exit 0 ;; esac
            echo "answered: ${line:-nothing}" >&2
            exit 1' "$1" "$2" "$3"
        ;;
    esac
}
while ! said=$(once "$@" 2>&1 </dev/null); do
    [ "$(now)" -lt "$end" ] || { printf '%s\n' "$said" | tail -5 >&2; exit 1; }
    sleep 0.1
done
