# members ID PID: the processes of a container, also those in PID namespaces that they have made inside it.
members() {
    {
        find /proc -maxdepth 3 -path '/proc/[0-9]*/ns/pid' -lname "$(readlink "/proc/$2/ns/pid" | sed 's/[][]/\\&/g')"
        grep -lsF -e "libpod-$1" -e "/docker/$1" -e "docker-$1" /proc/[0-9]*/cgroup
    } 2>/dev/null | cut -d/ -f3 | sort -un
}
