# observe.sh: what Podman has on a host, in one go. Changes nothing.
#
# Podman's own lists (ps, info, network inspect) wait for a container that is being checkpointed, and a source that is
# held for a move is in that state for as long as it is held. So containers are found in the storage's own list and
# inspected with a time limit; lists of images, networks and volumes do not wait.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
section() { printf '\n@@ %s\n' "$*"; }
quietly() { "$@" 2>/dev/null </dev/null; }

if ! command -v podman >/dev/null 2>&1; then
    # Nothing of it can be asked. What it had, and what still runs, is seen without it.
    section gone
    for root in /var/lib/containers/storage $(sed -n 's/^[[:space:]]*graphroot *= *"\(\/[^" ]*\)".*/\1/p' \
        /usr/share/containers/storage.conf /etc/containers/storage.conf 2>/dev/null); do
        for list in "$root"/*-containers/containers.json "$root"/*-containers/volatile-containers.json; do
            [ -s "$list" ] && cat "$list" && echo
        done
    done
    section monitors
    grep -lsx conmon /proc/[0-9]*/comm
    section end
    exit 0
fi
for name in podman runc crun; do
    section "version $name"
    quietly "$name" --version
done

section volumes
# Of all commands that do not wait for containers, only the debug log tells where the storage is.
exec 3>&1
log=$(timeout 20 podman --log-level=debug volume ls --format json 2>&1 >&3 </dev/null)
status=$?
section podman
[ "$status" = 0 ] || printf '%s\n' "$log" | grep -v level=debug | tail -3
root=$(printf '%s\n' "$log" | sed -n 's/.*Using graph root \([^"]*\)".*/\1/p' | head -1)
root=${root:-/var/lib/containers/storage}
section disk
df -B1 --output=avail "$root" 2>/dev/null | tail -1
section images
timeout 20 podman image ls --format json 2>/dev/null </dev/null
section networks
timeout 20 podman network ls --format json 2>/dev/null </dev/null
section stored
for list in "$root"/*-containers/containers.json "$root"/*-containers/volatile-containers.json; do
    [ -s "$list" ] && cat "$list" && echo
done
section end
