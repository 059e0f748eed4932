# probe KIND ADDRESS PORT [PATH]: ask over tcp or http; fails where nothing listens, or HTTP answers with an error, and says
# so. Bash is asked by `net`, a function of whoever includes this: from where, and for how long.
probe() {
    case $1 in
    tcp) net bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$2" "$3" ;;
    http)
        net bash -c 'exec 3<>"/dev/tcp/$0/$1" || exit 1
            printf "GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n" "$2" "$0" >&3
            IFS= read -r line <&3
            case $line in HTTP/1.[01]\ [23]*) exit 0 ;; esac
            echo "answered: ${line:-nothing}" >&2
            exit 1' "$2" "$3" "$4"
        ;;
    esac
}
