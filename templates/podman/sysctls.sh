# sysctls.sh CONTAINER [PATH VALUE]...: give a restored container's network the values that it was made with. A restore
# gets a new network from Podman, and the OCI runtime sets them only where it starts a program. PATHs below /proc/sys.
pid=$(podman container inspect --format '{{.State.Pid}}' -- "$1") || exit
shift
# shellcheck disable=SC2016 # it is the inner shell's to expand
nsenter --net="/proc/$pid/ns/net" sh -c '
    while [ $# -ge 2 ]; do
        printf "%s\n" "$2" >"/proc/sys/$1" || exit
        shift 2
    done' sh "$@"
