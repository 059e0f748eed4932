# health.sh SECONDS KIND ADDRESS PORT [PATH]: ask a guest from its host until it answers, or time is over.
left=$1 kind=$2 address=$3 port=$4 path=${5:-}
now() { read -r up _ </proc/uptime; echo "${up%.*}"; }
ends=$(($(now) + left))
once() {
    case $kind in
    tcp) timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$address" "$port" ;;
    http)
        timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1" || exit 1
            printf "GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n" "$2" "$0" >&3
            IFS= read -r line <&3
            case $line in HTTP/1.[01]\ [23]*) exit 0 ;; esac
            echo "answered: ${line:-nothing}" >&2
            exit 1' "$address" "$port" "$path"
        ;;
    esac
}
while ! said=$(once 2>&1 </dev/null); do
    [ "$(now)" -lt "$ends" ] || { printf '%s\n' "$said" | tail -n 5 >&2; exit 1; }
    sleep 0.2
done
